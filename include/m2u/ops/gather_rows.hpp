// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rows picked by index: the hub's rows of a modality, the source nodes of edges.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/gather.hpp"

namespace m2u {

/// y(i) = x(index.rows(i)). The gradient sums over the picks of each row, in their order.
/// @param x [index.sources(), cols]
/// @return [index.picked(), cols]  @throws Error if x has another number of rows.
template <ExecutionSpace S, class R>
Tensor<S, R> gather_rows(Tape<S, R>& tape, Tensor<S, R> const& x, RowIndex<S> const& index) {
  expects(x.rows() == index.sources(), "gather_rows: the index picks from ", index.sources(),
          " rows, but the input is ", shape(x), "; make the index with the input's number of rows");
  auto const y = tape.result(index.picked(), x.cols(), x);
  kernels::gather_rows(tape.space(), x.value, index, y.value);
  tape.record("gather_rows", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::gather_rows_backward(back.space(), dy, index, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
