// SPDX-License-Identifier: Apache-2.0
// The table of a linear probe: molecules with labels.
#pragma once

#include <optional>
#include <string>

#include "m2umol/labelled.hpp"
#include "m2umol/probe_study.hpp"

namespace m2umol {

struct ProbeArguments : LabelSource {
  std::string model;
  std::string seen;
  std::string out;
  int splits = 20;
  int random_inits = 3;
  bool raw = false;         ///< vectors as they are, not standardised
  std::optional<double> c;  ///< else the validation part chooses
};

/// What the table gave.
struct ProbeInput {
  ProbeData data;
  LabelledMolecules molecules;
  ProbeVectors fingerprints;  ///< Morgan
};

/// Reads the table and featurises its molecules as the model expects.
/// @throws m2u::Error if a column is missing or there is nothing to predict.
ProbeInput read_probe_input(ProbeArguments const& arguments, Configuration const& configuration,
                            int threads);

}  // namespace m2umol
