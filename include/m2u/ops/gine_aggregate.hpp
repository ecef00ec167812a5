// SPDX-License-Identifier: Apache-2.0
/// @file
/// Neighbourhood sums of the graph isomorphism networks, with edge features and without.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/gine_aggregate.hpp"

namespace m2u {

namespace detail {

/// Edges of a graph must fit its nodes and one another.
template <ExecutionSpace S>
void check_edges(char const* op, int nodes, Ragged<S> const& incoming, RowIndex<S> const& source) {
  expects(incoming.groups == nodes && source.sources() == nodes, op, ": the nodes are ", nodes,
          ", but the edges lead into ", incoming.groups, " and come from ", source.sources());
  expects(incoming.total == source.picked(), op, ": ", incoming.total,
          " edges lead into nodes, but ", source.picked(),
          " come from nodes; both must count every edge once");
}

}  // namespace detail

/// y(i) = (1 + eps) · x(i) + Σ relu(x(j) + e(k)) over the edges k from j into i (Hu et al. 2020,
/// "Strategies for pre-training graph neural networks"; eps is not learnt).
/// @param x [nodes, cols]  @param e [edges, cols], sorted by target  @param incoming the edges into
/// each node: groups = nodes, total = edges  @param source the node that each edge leaves
/// @return [nodes, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> gine_aggregate(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& e,
                            Ragged<S> const& incoming, RowIndex<S> const& source,
                            std::type_identity_t<R> eps = 0) {
  detail::check_edges("gine_aggregate", x.rows(), incoming, source);
  expects(e.cols() == x.cols() && e.rows() == incoming.total, "gine_aggregate: edge features ",
          shape(e), " do not fit node features ", shape(x), " and ", incoming.total,
          " edges; they must be ", Shape{incoming.total, x.cols()});
  R const self = R(1) + eps;
  auto const y = tape.result(x.rows(), x.cols(), x, e);
  kernels::gine_aggregate(tape.space(), x.value, e.value, incoming, source.rows, self, y.value);
  tape.record("gine_aggregate", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const target = back.template vector<int>(incoming.total);
    kernels::edge_targets(back.space(), incoming, target);
    if (x.differentiable()) {
      auto const [dx, accumulate] = back.gradient(x);
      kernels::gine_aggregate_backward_nodes(back.space(), x.value, e.value, source, target, self,
                                             dy, dx, accumulate);
    }
    if (e.differentiable()) {
      auto const [de, accumulate] = back.gradient(e);
      kernels::gine_aggregate_backward_edges(back.space(), x.value, e.value, source.rows, target,
                                             dy, de, accumulate);
    }
  });
  return y;
}

/// y(i) = (1 + eps) · x(i) + Σ x(j) over the edges from j into i (Xu et al. 2019, "How powerful are
/// graph neural networks?"). Arguments as above.
template <ExecutionSpace S, class R>
Tensor<S, R> gin_aggregate(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& incoming,
                           RowIndex<S> const& source, std::type_identity_t<R> eps = 0) {
  detail::check_edges("gin_aggregate", x.rows(), incoming, source);
  R const self = R(1) + eps;
  auto const y = tape.result(x.rows(), x.cols(), x);
  kernels::gine_aggregate(tape.space(), x.value, Matrix<R, S>(), incoming, source.rows, self,
                          y.value);
  tape.record("gin_aggregate", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const target = back.template vector<int>(incoming.total);
    kernels::edge_targets(back.space(), incoming, target);
    auto const [dx, accumulate] = back.gradient(x);
    kernels::gine_aggregate_backward_nodes(back.space(), x.value, Matrix<R, S>(), source, target,
                                           self, dy, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
