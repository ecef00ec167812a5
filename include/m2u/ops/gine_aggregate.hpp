// SPDX-License-Identifier: Apache-2.0
/// @file
/// Neighbourhood sums of the graph isomorphism networks, with edge features and without.
#pragma once

#include <algorithm>

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/columns.hpp"
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

/// Blocks of nodes that sum the gradients of kinds of edges: so few that clearing and adding up the
/// sums costs no more than filling them, and no more than `most`. A property of the problem's size.
inline int kind_blocks(int nodes, int edges, int kinds, int most) {
  return std::min(nodes, std::clamp(edges / std::max(1, kinds), 1, most));
}

template <ExecutionSpace S, class R>
struct GineCall {
  Tensor<S, R> x;
  Tensor<S, R> e;
  Ragged<S> incoming;
  RowIndex<S> source;
  Vector<int, S> kinds;
  R self;

  void check() const {
    check_edges("gine_aggregate", x.rows(), incoming, source);
    if (kinds.data() == nullptr) {
      expects(e.cols() == x.cols() && e.rows() == incoming.total, "gine_aggregate: edge features ",
              shape(e), " do not fit node features ", shape(x), " and ", incoming.total,
              " edges; they must be ", Shape{incoming.total, x.cols()});
    } else {
      expects(e.cols() == x.cols() && kinds.extent_int(0) == incoming.total,
              "gine_aggregate: features ", shape(e), " of ", kinds.extent_int(0),
              " edges with a kind do not fit node features ", shape(x), " and ", incoming.total,
              " edges");
    }
  }

  kernels::EdgeRows<R> rows() const { return {e.value.data(), kinds.data(), x.cols()}; }

  /// @param dx without data: not asked for
  kernels::GineNodeGradient<R> node_gradient(Matrix<R, S> const& dy, Vector<int, S> const& target,
                                             Gradient<S, R> const& dx) const {
    return {x.value.data(),
            rows(),
            source.uses.offsets.data(),
            source.positions.data(),
            target.data(),
            self,
            dy.data(),
            dx.matrix.data(),
            dx.accumulate};
  }

  void backward(Tape<S, R>& tape, Matrix<R, S> const& dy) const {
    auto const target = tape.template vector<int>(incoming.total);
    kernels::edge_targets(tape.space(), incoming, target);
    Gradient<S, R> dx;
    if (x.differentiable()) {
      dx = tape.gradient(x);
    }
    bool const by_kind = e.differentiable() && kinds.data() != nullptr;
    // On a host one pass over the edges is for both; a GPU needs more blocks than nodes' sums.
    bool const together = by_kind && on_host<S>;
    if (x.differentiable() && !together) {
      kernels::gine_aggregate_backward_nodes(tape.space(), x.rows(), node_gradient(dy, target, dx));
    }
    if (by_kind) {
      backward_kinds(tape, dy, target, together ? dx : Gradient<S, R>{});
      return;
    }
    if (e.differentiable()) {
      auto const [de, accumulate] = tape.gradient(e);
      kernels::gine_aggregate_backward_edges(tape.space(), x.value, rows(), source.rows, target, dy,
                                             de, accumulate);
    }
  }

 private:
  void backward_kinds(Tape<S, R>& tape, Matrix<R, S> const& dy, Vector<int, S> const& target,
                      Gradient<S, R> const& dx) const {
    int const blocks = kind_blocks(x.rows(), incoming.total, e.rows(), on_host<S> ? 64 : 512);
    auto const partial = tape.matrix(blocks, e.rows() * e.cols());
    kernels::gine_aggregate_backward_kinds(tape.space(), x.rows(), node_gradient(dy, target, dx),
                                           partial);
    auto const [de, accumulate] = tape.gradient(e);
    kernels::combine_blocks(tape.space(), partial, Matrix<R, S>(de.data(), 1, e.rows() * e.cols()),
                            accumulate);
  }
};

}  // namespace detail

/// y(i) = (1 + eps) · x(i) + Σ relu(x(j) + e(k)) over the edges k from j into i (Hu et al. 2020,
/// "Strategies for pre-training graph neural networks"; eps is not learnt).
/// @param x [nodes, cols]  @param e [edges, cols], sorted by target  @param incoming the edges into
/// each node: groups = nodes, total = edges  @param source the node that each edge leaves
/// @param kinds [edges]: where many edges have the same features, the row of `e`, then of any
/// number of rows, that is each edge's; trusted. Much less memory is then read and written.
/// @return [nodes, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> gine_aggregate(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& e,
                            Ragged<S> const& incoming, RowIndex<S> const& source,
                            std::type_identity_t<R> eps = 0, Vector<int, S> const& kinds = {}) {
  detail::GineCall<S, R> const call{x, e, incoming, source, kinds, R(1) + eps};
  call.check();
  auto const y = tape.result(x.rows(), x.cols(), x, e);
  kernels::gine_aggregate(tape.space(), x.value, call.rows(), incoming, source.rows, call.self,
                          y.value);
  tape.record("gine_aggregate", y,
              [=](Tape<S, R>& back, Matrix<R, S> const& dy) { call.backward(back, dy); });
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
  kernels::EdgeRows<R> const none{nullptr, nullptr, x.cols()};
  kernels::gine_aggregate(tape.space(), x.value, none, incoming, source.rows, self, y.value);
  tape.record("gin_aggregate", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const target = back.template vector<int>(incoming.total);
    kernels::edge_targets(back.space(), incoming, target);
    auto const [dx, accumulate] = back.gradient(x);
    kernels::gine_aggregate_backward_nodes(
        back.space(), x.rows(),
        kernels::GineNodeGradient<R>{x.value.data(), none, source.uses.offsets.data(),
                                     source.positions.data(), target.data(), self, dy.data(),
                                     dx.data(), accumulate});
  });
  return y;
}

}  // namespace m2u
