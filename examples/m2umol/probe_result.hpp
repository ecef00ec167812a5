// SPDX-License-Identifier: Apache-2.0
// What a linear probe found, as a table and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2umol/probe_input.hpp"
#include "m2umol/probe_study.hpp"

namespace m2umol {

// Names of methods and of their vectors.
inline constexpr char const* pretrained = "pre-trained";
inline constexpr char const* random_init = "random initialisation";
inline constexpr char const* pooled_only = "pooled";
inline constexpr char const* all_vectors = "pooled + generated";
std::string morgan_name();

/// One line of the result: a method, or the difference of two.
struct ProbeRow {
  std::string method;
  std::string vectors;
  bool difference = false;
  std::vector<std::optional<double>> all;
  std::vector<std::optional<double>> unseen;
};

/// Every method, then the differences of the pre-trained model's vectors to the same of random
/// initialisations and to fingerprints. @param methods the pre-trained model's two first
std::vector<ProbeRow> probe_rows(std::vector<ProbeMethod> const& methods,
                                 ProbeScores const& scores);

void describe_study(ProbeInput const& input, ProbeArguments const& arguments);
void print_rows(std::vector<ProbeRow> const& rows, bool unseen);

/// How many tasks on how many splits could not be scored.
int skipped(ProbeScores const& scores, std::optional<double> TaskScore::* which);

/// All numbers of all splits. @param seed of the first split
nlohmann::json probe_json(ProbeInput const& input, ProbeArguments const& arguments,
                          std::vector<m2u::ScaffoldSplit> const& splits, std::uint64_t seed,
                          std::vector<ProbeRow> const& rows, ProbeScores const& scores);

}  // namespace m2umol
