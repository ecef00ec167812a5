// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: rows picked by index, and the way back as a segment reduction.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = x(index.rows(i)).
template <ExecutionSpace S, class R>
void gather_rows(S const& space, Matrix<R, S> const& x, RowIndex<S> const& index,
                 Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  R const* const from = x.data();
  R* const to = y.data();
  int const* const rows = index.rows.data();
  Kokkos::parallel_for(
      "m2u::kernels::gather_rows", team_policy(space, index.picked()),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const in = from + static_cast<std::ptrdiff_t>(rows[i]) * cols;
        R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { out[j] = in[j]; });
      });
}

/// dx(s) = Σ dy(i) over the i that picked row s, in rising order; 0 for a row that nothing picked.
template <ExecutionSpace S, class R>
void gather_rows_backward(S const& space, Matrix<R, S> const& dy, RowIndex<S> const& index,
                          Matrix<R, S> const& dx, bool accumulate) {
  int const cols = dx.extent_int(1);
  R const* const from = dy.data();
  R* const to = dx.data();
  int const* const offsets = index.uses.offsets.data();
  int const* const positions = index.positions.data();
  Kokkos::parallel_for(
      "m2u::kernels::gather_rows_backward", team_policy(space, index.sources()),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const source = team.league_rank();
        R* const out = to + static_cast<std::ptrdiff_t>(source) * cols;
        if (!accumulate) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { out[j] = R(0); });
        }
        for (int k = offsets[source]; k < offsets[source + 1]; ++k) {
          R const* const in = from + static_cast<std::ptrdiff_t>(positions[k]) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += in[j]; });
        }
      });
}

}  // namespace m2u::kernels
