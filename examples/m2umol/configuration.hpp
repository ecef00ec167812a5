// SPDX-License-Identifier: Apache-2.0
// Everything that a saved model needs to be built again: sizes, options and vocabularies.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace m2umol {

struct Configuration {
  // The hub, a GraphGPS on the 2D graph.
  int width = 128;
  int layers = 3;
  int heads = 4;
  float dropout = 0.1F;
  float attention_dropout = 0.5F;
  int encoding_steps = 20;
  // The conformers' encoder.
  int schnet_width = 64;
  int schnet_interactions = 3;
  // Text and bio.
  int text_buckets = 32768;
  int text_longest = 2;
  std::vector<std::string> targets;     ///< the vocabulary of bio's first part
  std::vector<std::string> categories;  ///< and of its second
  // Objectives.
  float temperature = 0.2F;
  float classifier_weight = 0.5F;

  bool operator==(Configuration const&) const = default;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Configuration, width, layers, heads, dropout, attention_dropout,
                                   encoding_steps, schnet_width, schnet_interactions, text_buckets,
                                   text_longest, targets, categories, temperature,
                                   classifier_weight)

}  // namespace m2umol
