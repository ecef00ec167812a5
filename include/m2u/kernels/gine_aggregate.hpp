// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums of messages over incoming edges. A team owns a node, so nothing is atomic.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = self · x(i) + Σ relu(x(source) + e(k)) over the edges k into node i; without relu and e
/// if e has no columns.
template <ExecutionSpace S, class R>
void gine_aggregate(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& e,
                    Ragged<S> const& incoming, Vector<int, S> const& source, R self,
                    Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  bool const edges = e.extent_int(1) > 0;
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
            if (edges) {
              R const* const edge = e.data() + static_cast<std::ptrdiff_t>(k) * cols;
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

/// The gradient of gine_aggregate for x: each node gathers from the edges that leave it.
template <ExecutionSpace S, class R>
void gine_aggregate_backward_nodes(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& e,
                                   RowIndex<S> const& source, Vector<int, S> const& target, R self,
                                   Matrix<R, S> const& dy, Matrix<R, S> const& dx,
                                   bool accumulate) {
  int const cols = x.extent_int(1);
  bool const edges = e.extent_int(1) > 0;
  auto const offsets = source.uses.offsets;
  auto const positions = source.positions;
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate_backward_nodes", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          auto const row = static_cast<std::ptrdiff_t>(i) * cols;
          R const* const own = x.data() + row;
          R const* const own_gradient = dy.data() + row;
          R* const out = dx.data() + row;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { store(out[j], self * own_gradient[j], accumulate); });
          for (int use = offsets(i); use < offsets(i + 1); ++use) {
            int const k = positions(use);
            R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(target(k)) * cols;
            if (edges) {
              R const* const edge = e.data() + static_cast<std::ptrdiff_t>(k) * cols;
              Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
                out[j] += own[j] + edge[j] > R(0) ? gradient[j] : R(0);
              });
            } else {
              Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                   [&](int j) { out[j] += gradient[j]; });
            }
          }
        });
      });
}

/// The gradient of gine_aggregate for e.
template <ExecutionSpace S, class R>
void gine_aggregate_backward_edges(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& e,
                                   Vector<int, S> const& source, Vector<int, S> const& target,
                                   Matrix<R, S> const& dy, Matrix<R, S> const& de,
                                   bool accumulate) {
  int const cols = x.extent_int(1);
  int const rows = e.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::gine_aggregate_backward_edges", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int k) {
          R const* const from = x.data() + static_cast<std::ptrdiff_t>(source(k)) * cols;
          R const* const edge = e.data() + static_cast<std::ptrdiff_t>(k) * cols;
          R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(target(k)) * cols;
          R* const out = de.data() + static_cast<std::ptrdiff_t>(k) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            store(out[j], from[j] + edge[j] > R(0) ? gradient[j] : R(0), accumulate);
          });
        });
      });
}

}  // namespace m2u::kernels
