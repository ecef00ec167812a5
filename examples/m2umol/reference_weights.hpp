// SPDX-License-Identifier: Apache-2.0
// Weights of the published implementation to ours and back.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/parameters/safetensors.hpp"

#include "m2umol/reference_names.hpp"

namespace m2umol {

struct ImportOptions {
  ReferenceForm form = ReferenceForm::pretraining;
  /// Reference names that begin with one of these may be missing.
  std::vector<std::string> allow_missing = {};
};

struct ImportedWeights {
  std::vector<m2u::NamedTensor> tensors;                      ///< ours, in the given order
  std::vector<std::string> kept;                              ///< missing ones that keep the start
  std::vector<std::pair<std::string, std::string>> left_out;  ///< names with the reason
};

/// Which form a file is of: pretraining if it has embedding tables of atoms (a file that holds both
/// forms, too), package if it has a linear layer for them.
/// @throws m2u::Error if it has neither.
ReferenceForm form_of(m2u::SafetensorsFile const& file);

/// Our tensors with the numbers of an authors' file.
/// @param ours all that the model has, with the values that missing tensors keep
/// @throws m2u::Error listing every tensor that is missing, unexpected, misshapen or not finite.
ImportedWeights import_weights(m2u::SafetensorsFile const& file, std::vector<m2u::NamedTensor> ours,
                               ImportOptions const& options);

/// Puts the numbers of one reference tensor where ours keeps them; of Placing::whole, transposed
/// and rows.
void put_reference(ReferenceTensor const& reference, std::span<float const> values,
                   m2u::NamedTensor& ours);

/// Tensors under the reference's names.
struct ExportedWeights {
  std::vector<m2u::NamedTensor> tensors;
  std::vector<m2u::NamedIntegers> counters;  ///< num_batches_tracked, all 0
};

/// What import_weights reads: import and export give the same bits.
/// @param ours parameters and state, or anything of the same names and shapes, such as gradients
ExportedWeights export_weights(std::vector<m2u::NamedTensor> const& ours, ReferenceForm form);

}  // namespace m2umol
