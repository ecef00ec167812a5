// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: reductions over groups of rows. A team owns a group, so nothing is atomic.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(g) = Σ x(i) over the rows i of group g, divided by their number if `mean`; 0 for no rows.
template <ExecutionSpace S, class R>
void segment_sum(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups, bool mean,
                 Matrix<R, S> const& y) {
  int const cols = y.extent_int(1);
  R const* const from = x.data();
  R* const to = y.data();
  int const* const offsets = groups.offsets.data();
  Kokkos::parallel_for(
      "m2u::kernels::segment_sum", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        int const first = offsets[group];
        int const last = offsets[group + 1];
        R* const out = to + static_cast<std::ptrdiff_t>(group) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { out[j] = R(0); });
        for (int i = first; i < last; ++i) {
          R const* const in = from + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += in[j]; });
        }
        if (mean && last - first > 1) {
          R const share = R(1) / static_cast<R>(last - first);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] *= share; });
        }
      });
}

/// dx(i) = dy(g) for the rows i of group g, divided by their number if `mean`.
template <ExecutionSpace S, class R>
void segment_sum_backward(S const& space, Matrix<R, S> const& dy, Ragged<S> const& groups,
                          bool mean, Matrix<R, S> const& dx, bool accumulate) {
  int const cols = dx.extent_int(1);
  R const* const from = dy.data();
  R* const to = dx.data();
  int const* const offsets = groups.offsets.data();
  Kokkos::parallel_for(
      "m2u::kernels::segment_sum_backward", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        int const first = offsets[group];
        int const last = offsets[group + 1];
        R const share = mean && last > first ? R(1) / static_cast<R>(last - first) : R(1);
        R const* const in = from + static_cast<std::ptrdiff_t>(group) * cols;
        for (int i = first; i < last; ++i) {
          R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { store(out[j], share * in[j], accumulate); });
        }
      });
}

/// y(g, j) = max of x(i, j) over the rows i of group g, row(g, j) = the first i that has it;
/// 0 and -1 for no rows. Once a value is not a number, so is the maximum.
template <ExecutionSpace S, class R>
void segment_max(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups,
                 Matrix<R, S> const& y, Matrix<int, S> const& row) {
  int const cols = y.extent_int(1);
  R const* const from = x.data();
  R* const to = y.data();
  int* const rows = row.data();
  int const* const offsets = groups.offsets.data();
  Kokkos::parallel_for(
      "m2u::kernels::segment_max", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        int const first = offsets[group];
        int const last = offsets[group + 1];
        R* const best = to + static_cast<std::ptrdiff_t>(group) * cols;
        int* const where = rows + static_cast<std::ptrdiff_t>(group) * cols;
        R const* const start = from + static_cast<std::ptrdiff_t>(first) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          best[j] = first < last ? start[j] : R(0);
          where[j] = first < last ? first : -1;
        });
        for (int i = first + 1; i < last; ++i) {
          R const* const in = from + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            bool const better = in[j] > best[j] || Kokkos::isnan(in[j]);
            best[j] = better ? in[j] : best[j];
            where[j] = better ? i : where[j];
          });
        }
      });
}

/// dx(i, j) = dy(g, j) where row(g, j) is i, else 0.
template <ExecutionSpace S, class R>
void segment_max_backward(S const& space, Matrix<R, S> const& dy, Ragged<S> const& groups,
                          Matrix<int, S> const& row, Matrix<R, S> const& dx, bool accumulate) {
  int const cols = dx.extent_int(1);
  R const* const from = dy.data();
  R* const to = dx.data();
  int const* const rows = row.data();
  int const* const offsets = groups.offsets.data();
  Kokkos::parallel_for(
      "m2u::kernels::segment_max_backward", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        R const* const in = from + static_cast<std::ptrdiff_t>(group) * cols;
        int const* const where = rows + static_cast<std::ptrdiff_t>(group) * cols;
        for (int i = offsets[group]; i < offsets[group + 1]; ++i) {
          R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            store(out[j], where[j] == i ? in[j] : R(0), accumulate);
          });
        }
      });
}

}  // namespace m2u::kernels
