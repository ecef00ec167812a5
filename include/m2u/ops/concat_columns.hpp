// SPDX-License-Identifier: Apache-2.0
/// @file
/// Two tensors side by side.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

namespace m2u {

/// y = [a b].
/// @param a [rows, ca]  @param b [rows, cb]
/// @return [rows, ca + cb]  @throws Error if the numbers of rows differ.
template <ExecutionSpace S, class R>
Tensor<S, R> concat_columns(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  expects(a.rows() == b.rows(), "concat_columns: ", shape(a), " and ", shape(b),
          " have different numbers of rows; they must be equal");
  auto const y = tape.result(a.rows(), a.cols() + b.cols(), a, b);
  kernels::copy_block(tape.space(), strided(a.value), strided_columns(y.value, 0, a.cols()), false);
  kernels::copy_block(tape.space(), strided(b.value), strided_columns(y.value, a.cols(), b.cols()),
                      false);
  tape.record("concat_columns", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (a.differentiable()) {
      auto const [da, accumulate] = back.gradient(a);
      kernels::copy_block(back.space(), strided_columns(dy, 0, a.cols()), strided(da), accumulate);
    }
    if (b.differentiable()) {
      auto const [db, accumulate] = back.gradient(b);
      kernels::copy_block(back.space(), strided_columns(dy, a.cols(), b.cols()), strided(db),
                          accumulate);
    }
  });
  return y;
}

}  // namespace m2u
