// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every product of a column of one tensor and a column of another, row by row.
#pragma once

#include <cstdint>
#include <limits>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/outer_product.hpp"

namespace m2u {

/// y(i, j · n + k) = a(i, j) b(i, k).
/// @param a [rows, m]  @param b [rows, n]
/// @return [rows, m · n]  @throws Error if the numbers of rows differ or m · n does not fit an int.
template <ExecutionSpace S, class R>
Tensor<S, R> outer_product(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  auto const cols = std::int64_t{a.cols()} * b.cols();
  expects(a.rows() == b.rows() && cols <= std::numeric_limits<int>::max(),
          "outer_product: ", shape(a), " and ", shape(b),
          " do not fit; they must have the same number of rows, and fewer than 2^31 products each");
  auto const y = tape.result(a.rows(), static_cast<int>(cols), a, b);
  kernels::outer_product(tape.space(), a.value, b.value, y.value);
  tape.record("outer_product", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (a.differentiable()) {
      auto const [da, accumulate] = back.gradient(a);
      kernels::outer_product_left(back.space(), b.value, dy, da, accumulate);
    }
    if (b.differentiable()) {
      auto const [db, accumulate] = back.gradient(b);
      kernels::outer_product_right(back.space(), a.value, dy, db, accumulate);
    }
  });
  return y;
}

}  // namespace m2u
