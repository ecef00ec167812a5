// SPDX-License-Identifier: Apache-2.0
/// @file
/// Continuous-filter convolution's sum: neighbours' rows times the edge's filter.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/filter_aggregate.hpp"

namespace m2u {

/// y_i = Σ over the edges k that end at i of x(source(k)) ∘ w(k).
/// @param x [nodes, width]  @param w [edges, width]  @param incoming groups = nodes, total = edges
/// @param source per edge the node where it starts, with the inverse  @param target [edges]
/// @return [nodes, width]; zeros for a node without edges  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> filter_aggregate(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& w,
                              Ragged<S> const& incoming, RowIndex<S> const& source,
                              Vector<int, S> const& target) {
  expects(x.cols() == w.cols(), "filter_aggregate: rows ", shape(x), " and filters ", shape(w),
          " differ in columns");
  expects(incoming.groups == x.rows() && source.sources() == x.rows(),
          "filter_aggregate: ", x.rows(), " rows, but edges among ", incoming.groups, " nodes");
  expects(
      incoming.total == w.rows() && source.picked() == w.rows() && target.extent_int(0) == w.rows(),
      "filter_aggregate: ", w.rows(), " filters for ", incoming.total, " edges");
  auto const y = tape.result(x.rows(), x.cols(), x, w);
  kernels::filtered_sum(tape.space(), x.value, w.value, incoming, {}, source.rows, y.value, false);
  tape.record("filter_aggregate", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (x.differentiable()) {
      auto const [dx, accumulate] = back.gradient(x);
      kernels::filtered_sum(back.space(), dy, w.value, source.uses, source.positions, target, dx,
                            accumulate);
    }
    if (w.differentiable()) {
      auto const [dw, accumulate] = back.gradient(w);
      kernels::filter_gradient(back.space(), x.value, dy, source.rows, target, dw, accumulate);
    }
  });
  return y;
}

}  // namespace m2u
