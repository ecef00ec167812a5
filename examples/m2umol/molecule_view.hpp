// SPDX-License-Identifier: Apache-2.0
// One molecule as the pages show it: what matters in it, and what is near to it in every modality.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "m2u/data/vector_index.hpp"

#include "m2umol/engine.hpp"
#include "m2umol/run_report.hpp"

namespace m2umol {

/// The library that molecules are compared with.
struct ViewLibrary {
  m2u::Table table;          ///< that prepare wrote, with the columns of modalities
  m2u::VectorIndex vectors;  ///< of all its rows, in the same order
};

/// The spaces in which a model's molecules can be compared with a library's: "2d", and of each
/// modality the generated vectors, with the real ones where the model has their encoder.
std::vector<std::string> comparable_spaces(Engine const& engine, m2u::Table const& library,
                                           std::string const& folder, std::string const& model);

/// @param smiles of the molecule  @param row of the library if it is one of its molecules, which is
/// then left out of its neighbours  @param task of a fine-tuned model to explain; empty for none
/// @param top neighbours per group
/// @throws m2u::Error if the molecule can't be used.
MoleculeView view_molecule(Engine const& engine, ViewLibrary const& library,
                           std::string const& smiles, std::optional<int> row,
                           std::string const& task, int top);

/// A training log as the charts take it. @throws m2u::Error naming the line that is no JSON.
TrainingLog read_training_log(std::string const& path);

}  // namespace m2umol
