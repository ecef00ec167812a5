// SPDX-License-Identifier: Apache-2.0
/// @file
/// Vectors of many samples on the host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "m2u/core/matrix.hpp"

namespace m2u {

/// Row-major floats on the host.
struct HostRows {
  int rows = 0;
  int cols = 0;
  std::vector<float> values;  ///< [rows, cols]

  /// The same rows as a matrix. @throws Error if there are not rows × cols values.
  Matrix<float, Host> matrix() const {
    return host_matrix("m2u::transfer::rows", rows, cols, values);
  }

  /// Adds the rows of another block. @throws Error if the widths differ.
  void append(int more_rows, int more_cols, std::vector<float> const& more) {
    expects(rows == 0 || cols == more_cols, "HostRows: rows of ", more_cols,
            " columns do not fit rows of ", cols);
    rows += more_rows;
    cols = more_cols;
    values.insert(values.end(), more.begin(), more.end());
  }
};

/// One modality's vectors.
struct ModalityVectors {
  std::string name;
  HostRows generated;  ///< one row per sample, from the hub
  std::vector<int>
      samples;    ///< which samples have the modality itself (numbers as the source gave them)
  HostRows real;  ///< one row for each of those
};

/// What embed gives.
struct Embeddings {
  std::vector<int> ids;  ///< the samples' numbers, in the order of the rows
  HostRows hub;
  std::vector<ModalityVectors> modalities;
  HostRows fused;  ///< one row per sample, if the model has a fused(…) part

  /// @throws Error naming the modalities if there is none of this name.
  ModalityVectors const& modality(std::string_view name) const {
    std::string known;
    for (auto const& modality : modalities) {
      if (modality.name == name) {
        return modality;
      }
      known += " " + modality.name;
    }
    fail("Embeddings: no modality \"", name, "\"; there are:", known);
  }
};

/// What to compute.
struct EmbedOptions {
  bool generated = true;
  bool real = true;
};

}  // namespace m2u
