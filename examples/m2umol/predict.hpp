// SPDX-License-Identifier: Apache-2.0
// What fine-tuned models say of molecules, of pairs of them, or of molecules and proteins.
#pragma once

#include <string>

#include "m2umol/engine.hpp"
#include "m2umol/finetune.hpp"
#include "m2umol/molecule_rows.hpp"

namespace m2umol {

struct PredictArguments : MoleculeRows {
  std::string model;
  PairSource pairs;          ///< names of columns, and the molecules' file
  bool all_classes = false;  ///< of pairs of molecules: the chances of all classes
};

/// Predicts the pairs of the file `in`. @throws m2u::Error if a file can't be read or written.
void predict_pairs(PredictArguments const& arguments, Engine const& engine, int threads);

}  // namespace m2umol
