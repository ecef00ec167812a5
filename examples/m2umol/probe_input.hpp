// SPDX-License-Identifier: Apache-2.0
// The table of a linear probe: molecules with labels.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "m2u/chem/rejects.hpp"
#include "m2u/data/table.hpp"

#include "m2umol/configuration.hpp"
#include "m2umol/probe_study.hpp"

namespace m2umol {

struct ProbeArguments {
  std::string model;
  std::string table;
  std::string smiles = "smiles";
  std::vector<std::string> labels;
  std::string seen;
  std::string out;
  int splits = 20;
  int random_inits = 3;
  bool regression = false;
  bool raw = false;         ///< vectors as they are, not standardised
  std::optional<double> c;  ///< else the validation part chooses
};

/// What the table gave.
struct ProbeInput {
  ProbeData data;
  m2u::Table graphs;          ///< one row per molecule of the data
  ProbeVectors fingerprints;  ///< Morgan
  std::vector<m2u::Reject> rejects;
  std::size_t records = 0;
};

inline constexpr int morgan_bits = 2048;

/// Reads the table and featurises its molecules as the model expects.
/// @throws m2u::Error if a column is missing or there is nothing to predict.
ProbeInput read_probe_input(ProbeArguments const& arguments, Configuration const& configuration,
                            int threads);

void warn_of_rejects(ProbeInput const& input, std::string const& table);

/// Which molecules a model was trained on, by canonical SMILES.
/// @param folder what prepare wrote for its training
std::vector<bool> seen_molecules(ProbeData const& data, std::filesystem::path const& folder);

}  // namespace m2umol
