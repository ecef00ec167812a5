// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: continuous-filter aggregation.
#pragma once

#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = Σ over the edges k of group i of rows: a(row_of(k)) ∘ w(edge_of(k)), where group i lists
/// entries p and edge_of = edges(p) (or p itself if `edges` is empty), row_of = rows(edge).
template <ExecutionSpace S, class R>
void filtered_sum(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& w,
                  Ragged<S> const& groups, Vector<int, S> const& edges, Vector<int, S> const& rows,
                  Matrix<R, S> const& y, bool accumulate) {
  int const cols = a.extent_int(1);
  bool const direct = edges.extent(0) == 0;
  auto const offsets = groups.offsets;
  Kokkos::parallel_for(
      "m2u::kernels::filtered_sum", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        R* const out = y.data() + static_cast<std::ptrdiff_t>(group) * cols;
        int const first = offsets(group);
        int const last = offsets(group + 1);
        if (!accumulate) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { out[j] = R(0); });
        }
        for (int p = first; p < last; ++p) {
          int const edge = direct ? p : edges(p);
          R const* const left = a.data() + static_cast<std::ptrdiff_t>(rows(edge)) * cols;
          R const* const right = w.data() + static_cast<std::ptrdiff_t>(edge) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += left[j] * right[j]; });
        }
      });
}

/// dw(k) = x(source(k)) ∘ dy(target(k)).
template <ExecutionSpace S, class R>
void filter_gradient(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& dy,
                     Vector<int, S> const& source, Vector<int, S> const& target,
                     Matrix<R, S> const& dw, bool accumulate) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::filter_gradient", team_policy(space, dw.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const edge = team.league_rank();
        R const* const left = x.data() + static_cast<std::ptrdiff_t>(source(edge)) * cols;
        R const* const right = dy.data() + static_cast<std::ptrdiff_t>(target(edge)) * cols;
        R* const out = dw.data() + static_cast<std::ptrdiff_t>(edge) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { store(out[j], left[j] * right[j], accumulate); });
      });
}

}  // namespace m2u::kernels
