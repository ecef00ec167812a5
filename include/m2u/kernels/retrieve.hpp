// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: rows in double, with their squared lengths.
#pragma once

#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// wide(i) = x(first + i) in double, divided by its length if `normalise` (rows of length zero stay
/// zero); squares(i) = its squared length before that. wide: [rows, cols], with first + rows ≤ rows
/// of x.
template <ExecutionSpace S>
void widen_rows(S const& space, Matrix<float, S> const& x, int first, bool normalise,
                Matrix<double, S> const& wide, Vector<double, S> const& squares) {
  int const cols = x.extent_int(1);
  float const* const from = x.data() + static_cast<std::ptrdiff_t>(first) * cols;
  double* const to = wide.data();
  double* const lengths = squares.data();
  Kokkos::parallel_for(
      "m2u::kernels::widen_rows", team_policy(space, wide.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        float const* const in = from + static_cast<std::ptrdiff_t>(i) * cols;
        double* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
        double total = 0.0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, cols),
            [&](int j, double& sum) {
              sum += static_cast<double>(in[j]) * static_cast<double>(in[j]);
            },
            total);
        double const scale = normalise && total > 0.0 ? 1.0 / Kokkos::sqrt(total) : 1.0;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { out[j] = scale * static_cast<double>(in[j]); });
        Kokkos::single(Kokkos::PerTeam(team), [&] { lengths[i] = total; });
      });
}

}  // namespace m2u::kernels
