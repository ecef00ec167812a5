// SPDX-License-Identifier: Apache-2.0
// The names of the published implementation's weights, and where each one is in ours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/parameters/safetensors.hpp"

namespace m2umol {

/// The two sets of weights of the authors: what pre-training saves, and what their package for
/// downstream tasks takes (one-hot inputs and a fusion head, no modality encoders).
enum class ReferenceForm { pretraining, package };

std::string_view to_string(ReferenceForm form);
/// @throws m2u::Error if there is no such form.
ReferenceForm form_from_string(std::string_view text);

/// How the numbers of a reference tensor lie in ours.
enum class Placing {
  whole,       ///< the same tensor
  transposed,  ///< rows and columns exchanged
  rows,        ///< some rows of stacked tables
  zero,        ///< a constant that ours does not have: it must be 0 and is written as 0
  counter      ///< batches seen by a batch norm, which ours does not keep: written as 0
};

/// A tensor of the reference.
struct ReferenceTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  Placing placing = Placing::whole;
  std::string ours;            ///< name of the parameter or state that it belongs to
  std::int64_t first_row = 0;  ///< of Placing::rows
};

/// Every tensor that the reference's model has, if ours has these.
/// @param ours names and shapes; values are not looked at
/// @throws m2u::Error naming one of ours that the reference's model of this form lacks.
std::vector<ReferenceTensor> reference_tensors(std::span<m2u::NamedTensor const> ours,
                                               ReferenceForm form);

/// Why a tensor of an authors' file has no place in a model of this form; nothing if it has one, or
/// if the name is unknown.
std::optional<std::string> left_out_reason(std::string_view name, ReferenceForm form);

/// A name as it stands in a file that holds both forms (the package's own tensors are called
/// "finetune." there), as the form's own program calls it.
std::string_view name_in_form(std::string_view name, ReferenceForm form);

}  // namespace m2umol
