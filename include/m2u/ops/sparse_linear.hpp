// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sparse rows times a dense table: multi-hot features, bags of hashed n-grams.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/arithmetic.hpp"
#include "m2u/kernels/sparse.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

namespace detail {

/// The table's gradient. Only rows in use are touched, except to clear a gradient that nothing
/// wrote.
template <ExecutionSpace S, class R>
void sparse_backward(Tape<S, R>& tape, SparseRows<S> const& a, Tensor<S, R> const& table,
                     Matrix<R, S> const& dy) {
  if (table.differentiable()) {
    auto const [dtable, accumulate] = tape.gradient(table);
    if (!accumulate) {
      kernels::fill(tape.space(), dtable, R(0));
    }
    kernels::sparse_dense_backward(tape.space(), a, dy, dtable);
  }
}

template <ExecutionSpace S, class R>
void expects_width(char const* op, SparseRows<S> const& a, Tensor<S, R> const& table) {
  expects(a.width == table.rows(), op, ": sparse rows of width ", a.width,
          " do not fit the weight ", shape(table), " ([width, out]); it needs ", a.width, " rows");
}

}  // namespace detail

/// y = a · table.
/// @param a sparse [rows, width]  @param table [width, out]
/// @return [rows, out]  @throws Error if the widths differ.
template <ExecutionSpace S, class R>
Tensor<S, R> sparse_dense(Tape<S, R>& tape, SparseRows<S> const& a, Tensor<S, R> const& table) {
  detail::expects_width("sparse_dense", a, table);
  auto const y = tape.result(a.rows.groups, table.cols(), table);
  kernels::sparse_dense(tape.space(), a, table.value, Matrix<R, S>{}, y.value);
  tape.record("sparse_dense", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    detail::sparse_backward(back, a, table, dy);
  });
  return y;
}

/// y = a · weight + bias. Unlike in `linear`, a column of the input is a row of the weight.
/// @param a sparse [rows, width]  @param weight [width, out]  @param bias [1, out]
/// @return [rows, out]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> sparse_linear(Tape<S, R>& tape, SparseRows<S> const& a, Tensor<S, R> const& weight,
                           Tensor<S, R> const& bias) {
  detail::expects_width("sparse_linear", a, weight);
  expects(shape(bias) == Shape{1, weight.cols()}, "sparse_linear: bias ", shape(bias),
          " does not fit weight ", shape(weight), "; it must be ", Shape{1, weight.cols()});
  auto const y = tape.result(a.rows.groups, weight.cols(), weight, bias);
  kernels::sparse_dense(tape.space(), a, weight.value, bias.value, y.value);
  tape.record("sparse_linear", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    detail::sparse_backward(back, a, weight, dy);
    if (bias.differentiable()) {
      auto const [db, accumulate] = back.gradient(bias);
      ops::column_sum(back, dy, db, accumulate);
    }
  });
  return y;
}

}  // namespace m2u
