// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sum, mean and maximum over groups of rows: readouts of graphs, aggregation over edges.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/segment.hpp"

namespace m2u {

namespace detail {

template <ExecutionSpace S, class R>
void expects_groups(char const* op, Tensor<S, R> const& x, Ragged<S> const& groups) {
  expects(x.rows() == groups.total, op, ": the groups cover ", groups.total,
          " rows, but the input is ", shape(x), "; the numbers of rows must be equal");
}

template <ExecutionSpace S, class R>
Tensor<S, R> segment_sum(char const* op, Tape<S, R>& tape, Tensor<S, R> const& x,
                         Ragged<S> const& groups, bool mean) {
  expects_groups(op, x, groups);
  auto const y = tape.result(groups.groups, x.cols(), x);
  kernels::segment_sum(tape.space(), x.value, groups, mean, y.value);
  tape.record(op, y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::segment_sum_backward(back.space(), dy, groups, mean, dx, accumulate);
  });
  return y;
}

}  // namespace detail

/// y(g) = Σ x(i) over the rows i of group g; 0 for an empty group.
/// @param x [groups.total, cols]
/// @return [groups.groups, cols]  @throws Error if x has another number of rows.
template <ExecutionSpace S, class R>
Tensor<S, R> segment_sum(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups) {
  return detail::segment_sum("segment_sum", tape, x, groups, false);
}

/// y(g) = mean of x(i) over the rows i of group g; 0 for an empty group. Shapes as segment_sum.
template <ExecutionSpace S, class R>
Tensor<S, R> segment_mean(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups) {
  return detail::segment_sum("segment_mean", tape, x, groups, true);
}

/// y(g, j) = max of x(i, j) over the rows i of group g; 0 without a gradient for an empty group.
/// Where rows tie, the first of them gets the gradient. Shapes as segment_sum.
template <ExecutionSpace S, class R>
Tensor<S, R> segment_max(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups) {
  detail::expects_groups("segment_max", x, groups);
  auto const y = tape.result(groups.groups, x.cols(), x);
  auto const row = tape.template matrix<int>(groups.groups, x.cols());
  kernels::segment_max(tape.space(), x.value, groups, y.value, row);
  tape.record("segment_max", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::segment_max_backward(back.space(), dy, groups, row, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
