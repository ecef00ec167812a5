// SPDX-License-Identifier: Apache-2.0
/// @file
/// One sparse row: multi-hot features or a bag of tokens of one sample.
#pragma once

#include <span>
#include <vector>

namespace m2u {

/// A sparse row in borrowed memory.
struct SparseRowView {
  std::span<int const> columns;
  std::span<float const> weights;  ///< one per column, or empty for all ones
};

/// The same, owning its memory.
struct SparseRow {
  std::vector<int> columns;
  std::vector<float> weights;

  SparseRowView view() const { return {columns, weights}; }
};

}  // namespace m2u
