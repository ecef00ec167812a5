// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolution over edges whose filter is linear in a few fixed features: ComENet's.
#pragma once

#include <utility>

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/basis_aggregate.hpp"
#include "m2u/kernels/columns.hpp"

namespace m2u {

/// y_i = Σ over the edges k that end at i of x(source(k)) ∘ (w · features(k)). The edges' filters
/// are never stored.
/// @param x [nodes, width]  @param w [width, features]  @param features [edges, features],
/// constants
/// @param incoming groups = nodes, total = edges
/// @param source per edge the node where it starts, with the inverse  @param target [edges]
/// @return [nodes, width]; zeros for a node without edges  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> basis_aggregate(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& w,
                             std::type_identity_t<Matrix<R, S>> const& features,
                             Ragged<S> const& incoming, RowIndex<S> const& source,
                             Vector<int, S> const& target) {
  int const edges = features.extent_int(0);
  int const count = features.extent_int(1);
  expects(shape(w) == Shape{x.cols(), count}, "basis_aggregate: filter ", shape(w),
          " does not fit rows ", shape(x), " and features ", shape(features), "; it must be ",
          Shape{x.cols(), count});
  expects(incoming.groups == x.rows() && source.sources() == x.rows(),
          "basis_aggregate: ", x.rows(), " rows, but edges among ", incoming.groups, " nodes");
  expects(incoming.total == edges && source.picked() == edges && target.extent_int(0) == edges,
          "basis_aggregate: ", edges, " edges with features, but ", incoming.total,
          " in the graph");
  auto const filter = tape.matrix(count, x.cols());
  kernels::transpose(tape.space(), w.value, filter, false);
  auto const y = tape.result(x.rows(), x.cols(), x, w);
  kernels::filtered_moments<S, R>(
      tape.space(),
      {incoming.offsets.data(), nullptr, source.rows.data(), x.value.data(), features.data(),
       filter.data(), nullptr, x.cols(), count},
      x.rows(), y.value, false, {});
  tape.record("basis_aggregate", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    // With N_f(j) = Σ f_k(f) dy(target(k)) over the edges that start at j: dx(j) = Σ_f W(·, f) ∘
    // N_f(j) and dW(·, f) = Σ_j x(j) ∘ N_f(j), so one pass gives both.
    Gradient<S, R> dx;
    Matrix<R, S> partial;
    if (x.differentiable()) {
      dx = back.gradient(x);
    }
    if (w.differentiable()) {
      partial = back.matrix(kernels::moment_blocks(x.rows()), count * x.cols());
    }
    kernels::filtered_moments<S, R>(
        back.space(),
        {source.uses.offsets.data(), source.positions.data(), target.data(), dy.data(),
         features.data(), filter.data(), x.value.data(), x.cols(), count},
        x.rows(), dx.matrix, dx.accumulate, partial);
    if (w.differentiable()) {
      auto const sum = back.matrix(count, x.cols());
      kernels::combine_blocks(back.space(), partial, Matrix<R, S>(sum.data(), 1, count * x.cols()),
                              false);
      auto const [dw, accumulate] = back.gradient(w);
      kernels::transpose(back.space(), sum, dw, accumulate);
    }
  });
  return y;
}

}  // namespace m2u
