// SPDX-License-Identifier: Apache-2.0
/// @file
/// Product of two tensors, element by element: gates and filters.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

namespace m2u {

/// y(i, j) = a(i, j) · b(i, j). @throws Error unless the shapes are equal.
template <ExecutionSpace S, class R>
Tensor<S, R> multiply(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  expects(shape(a) == shape(b), "multiply: the shapes ", shape(a), " and ", shape(b),
          " differ; they must be equal");
  auto const y = tape.result(a.rows(), a.cols(), a, b);
  kernels::multiply(tape.space(), a.value, b.value, y.value, false);
  tape.record("multiply", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (a.differentiable()) {
      auto const [da, accumulate] = back.gradient(a);
      kernels::multiply(back.space(), dy, b.value, da, accumulate);
    }
    if (b.differentiable()) {
      auto const [db, accumulate] = back.gradient(b);
      kernels::multiply(back.space(), dy, a.value, db, accumulate);
    }
  });
  return y;
}

}  // namespace m2u
