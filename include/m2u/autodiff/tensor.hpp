// SPDX-License-Identifier: Apache-2.0
/// @file
/// What ops take and give: a value and its place on the tape.
#pragma once

#include "m2u/core/matrix.hpp"

namespace m2u {

/// Whether dropout draws and batch norm uses (and updates) the statistics of the batch.
enum class Mode { training, evaluation };

/// A matrix on a tape. Cheap to copy; the memory belongs to the tape's arena, to the parameters or
/// to a batch.
/// @tparam R float; double where gradients are checked.
template <ExecutionSpace S, class R = float>
struct Tensor {
  Matrix<R, S> value;
  int entry = -1;  ///< the tape's gradient entry, -1 for a constant

  int rows() const { return value.extent_int(0); }
  int cols() const { return value.extent_int(1); }
  /// Whether a gradient flows to this tensor.
  bool differentiable() const { return entry >= 0; }
};

template <ExecutionSpace S, class R>
Shape shape(Tensor<S, R> const& tensor) {
  return {tensor.rows(), tensor.cols()};
}

/// One differentiable number: a tensor of shape [1, 1], what objectives return.
template <ExecutionSpace S, class R = float>
using Scalar = Tensor<S, R>;

/// Where a backward kernel puts the gradient of an input: into `matrix`, added to what is there if
/// `accumulate`, else written over it (the memory is then uninitialised).
template <ExecutionSpace S, class R = float>
struct Gradient {
  Matrix<R, S> matrix;
  bool accumulate = false;
};

}  // namespace m2u
