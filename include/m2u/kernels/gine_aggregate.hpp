// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums of messages over incoming edges. A team owns a node, so nothing is atomic.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// Features of edges: a row of `rows` for each, or with `kinds` the row that it names.
template <class R>
struct EdgeRows {
  R const* rows = nullptr;  ///< nullptr: there are none
  int const* kinds = nullptr;
  int cols = 0;

  KOKKOS_INLINE_FUNCTION R const* operator()(int edge) const {
    int const row = kinds == nullptr ? edge : kinds[edge];
    return rows + static_cast<std::ptrdiff_t>(row) * cols;
  }
};

/// y(i) = self · x(i) + Σ relu(x(source) + e(k)) over the edges k into node i; without relu and e
/// if there are no features.
template <ExecutionSpace S, class R>
void gine_aggregate(S const& space, Matrix<R, S> const& x, EdgeRows<R> const& e,
                    Ragged<S> const& incoming, Vector<int, S> const& source, R self,
                    Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  auto const offsets = incoming.offsets;
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int node) {
          R const* const own = x.data() + static_cast<std::ptrdiff_t>(node) * cols;
          R* const out = y.data() + static_cast<std::ptrdiff_t>(node) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] = self * own[j]; });
          for (int k = offsets(node); k < offsets(node + 1); ++k) {
            R const* const from = x.data() + static_cast<std::ptrdiff_t>(source(k)) * cols;
            if (e.rows != nullptr) {
              R const* const edge = e(k);
              Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
                R const message = from[j] + edge[j];
                out[j] += message > R(0) ? message : R(0);
              });
            } else {
              Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                   [&](int j) { out[j] += from[j]; });
            }
          }
        });
      });
}

/// target(k) = the node that edge k leads into.
template <ExecutionSpace S>
void edge_targets(S const& space, Ragged<S> const& incoming, Vector<int, S> const& target) {
  auto const offsets = incoming.offsets;
  Kokkos::parallel_for(
      "m2u::kernels::edge_targets", Kokkos::RangePolicy<S>(space, 0, incoming.groups),
      KOKKOS_LAMBDA(int node) {
        for (int k = offsets(node); k < offsets(node + 1); ++k) {
          target(k) = node;
        }
      });
}

/// A node's gradient from the edges that leave it, and what each of them adds to the gradient of
/// its kind. Pointers, not views: functors above 512 bytes wait for each other on a GPU.
template <class R>
struct GineNodeGradient {
  R const* x;
  EdgeRows<R> e;
  int const* leaving;    ///< offsets of the edges that leave each node
  int const* positions;  ///< of these edges, in the order of the targets
  int const* target;
  R self;
  R const* dy;
  R* dx;  ///< nullptr: not asked for
  bool accumulate;

  /// @param sums [kinds, cols], or nullptr: not asked for
  template <class Team>
  KOKKOS_INLINE_FUNCTION void operator()(Team const& team, int node, R* sums) const {
    int const cols = e.cols;
    auto const columns = Kokkos::TeamVectorRange(team, cols);
    std::ptrdiff_t const row = static_cast<std::ptrdiff_t>(node) * cols;
    R const* const own = x + row;
    R* const out = dx;
    if (out != nullptr) {
      Kokkos::parallel_for(columns,
                           [&](int j) { store(out[row + j], self * dy[row + j], accumulate); });
    }
    for (int use = leaving[node]; use < leaving[node + 1]; ++use) {
      int const k = positions[use];
      R const* const gradient = dy + static_cast<std::ptrdiff_t>(target[k]) * cols;
      if (e.rows == nullptr) {
        Kokkos::parallel_for(columns, [&](int j) { out[row + j] += gradient[j]; });
        continue;
      }
      R const* const edge = e(k);
      if (out != nullptr) {
        Kokkos::parallel_for(
            columns, [&](int j) { out[row + j] += own[j] + edge[j] > R(0) ? gradient[j] : R(0); });
      }
      if (sums != nullptr) {
        R* const sum = sums + static_cast<std::ptrdiff_t>(e.kinds[k]) * cols;
        Kokkos::parallel_for(
            columns, [&](int j) { sum[j] += own[j] + edge[j] > R(0) ? gradient[j] : R(0); });
      }
    }
  }
};

/// The gradient of gine_aggregate for x: each node gathers from the edges that leave it.
template <ExecutionSpace S, class R>
void gine_aggregate_backward_nodes(S const& space, int nodes, GineNodeGradient<R> const& gradient) {
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate_backward_nodes", rows_policy(space, nodes),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, nodes, [&](int i) { gradient(team, i, static_cast<R*>(nullptr)); });
      });
}

/// The same, and for each block of nodes the sums of the gradients of the kinds of edges, of
/// e.kinds: partial [blocks, kinds · cols].
template <ExecutionSpace S, class R>
void gine_aggregate_backward_kinds(S const& space, int nodes, GineNodeGradient<R> const& gradient,
                                   Matrix<R, S> const& partial) {
  int const blocks = partial.extent_int(0);
  int const per_block = blocks == 0 ? 0 : (nodes + blocks - 1) / blocks;
  int const size = partial.extent_int(1);
  R* const to = partial.data();
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate_backward_kinds", team_policy(space, blocks),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        R* const sums = to + static_cast<std::ptrdiff_t>(team.league_rank()) * size;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, size), [&](int j) { sums[j] = R(0); });
        team.team_barrier();
        int const first = team.league_rank() * per_block;
        int const last = Kokkos::min(nodes, first + per_block);
        for (int i = first; i < last; ++i) {
          gradient(team, i, sums);
        }
      });
}

/// The gradient of gine_aggregate for e, of a row for each edge.
template <ExecutionSpace S, class R>
void gine_aggregate_backward_edges(S const& space, Matrix<R, S> const& x, EdgeRows<R> const& e,
                                   Vector<int, S> const& source, Vector<int, S> const& target,
                                   Matrix<R, S> const& dy, Matrix<R, S> const& de,
                                   bool accumulate) {
  int const cols = x.extent_int(1);
  int const rows = de.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate_backward_edges", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int k) {
          R const* const from = x.data() + static_cast<std::ptrdiff_t>(source(k)) * cols;
          R const* const edge = e(k);
          R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(target(k)) * cols;
          R* const out = de.data() + static_cast<std::ptrdiff_t>(k) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            store(out[j], from[j] + edge[j] > R(0) ? gradient[j] : R(0), accumulate);
          });
        });
      });
}

}  // namespace m2u::kernels
