// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: the windows of a convolution over the rows of each group.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i, k · cols + j) = x(i + k - before, j) where that row is in i's group, else 0.
template <ExecutionSpace S, class R>
void unfold(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups, int window, int before,
            Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  auto const offsets = groups.offsets;
  Kokkos::parallel_for(
      "m2u::kernels::unfold", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = offsets(team.league_rank());
        int const last = offsets(team.league_rank() + 1);
        for (int i = first; i < last; ++i) {
          for (int k = 0; k < window; ++k) {
            int const from = i + k - before;
            bool const inside = from >= first && from < last;
            R const* const in = x.data() + static_cast<std::ptrdiff_t>(inside ? from : i) * cols;
            R* const out = y.data() + (static_cast<std::ptrdiff_t>(i) * window + k) * cols;
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                 [&](int j) { out[j] = inside ? in[j] : R(0); });
          }
        }
      });
}

/// dx(i, j) = Σ_k dy(i - k + before, k · cols + j) over the rows of i's group.
template <ExecutionSpace S, class R>
void unfold_backward(S const& space, Matrix<R, S> const& dy, Ragged<S> const& groups, int window,
                     int before, Matrix<R, S> const& dx, bool accumulate) {
  int const cols = dx.extent_int(1);
  auto const offsets = groups.offsets;
  Kokkos::parallel_for(
      "m2u::kernels::unfold_backward", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = offsets(team.league_rank());
        int const last = offsets(team.league_rank() + 1);
        for (int i = first; i < last; ++i) {
          R* const out = dx.data() + static_cast<std::ptrdiff_t>(i) * cols;
          if (!accumulate) {
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                 [&](int j) { out[j] = R(0); });
          }
          for (int k = 0; k < window; ++k) {
            int const to = i - k + before;
            if (to >= first && to < last) {
              R const* const in = dy.data() + (static_cast<std::ptrdiff_t>(to) * window + k) * cols;
              Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                   [&](int j) { out[j] += in[j]; });
            }
          }
        }
      });
}

}  // namespace m2u::kernels
