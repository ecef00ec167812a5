// SPDX-License-Identifier: Apache-2.0
/// @file
/// Product of two matrices: folds linear maps with nothing between them into one.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/linalg/gemm.hpp"

namespace m2u {

/// y = a · b.
/// @param a [rows, inner]  @param b [inner, cols]
/// @return [rows, cols]  @throws Error if the inner sizes differ.
template <ExecutionSpace S, class R>
Tensor<S, R> matmul(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  expects(a.cols() == b.rows(), "matmul: ", shape(a), " and ", shape(b),
          " do not fit; the columns of the first must be the rows of the second");
  auto const y = tape.result(a.rows(), b.cols(), a, b);
  gemm(tape.space(), a.value, b.value, y.value);
  tape.record("matmul", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (a.differentiable()) {
      auto const [da, accumulate] = back.gradient(a);
      gemm(back.space(), dy, b.value, da, {.transpose_b = true, .accumulate = accumulate});
    }
    if (b.differentiable()) {
      auto const [db, accumulate] = back.gradient(b);
      gemm(back.space(), a.value, dy, db, {.transpose_a = true, .accumulate = accumulate});
    }
  });
  return y;
}

}  // namespace m2u
