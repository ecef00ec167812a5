// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: radial basis functions and cutoffs of distances.
#pragma once

#include "m2u/core/exponential.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// basis(e, g) = exp(-½ ((d_e - c_g) / spacing)²) with centres c_g = g · spacing.
template <ExecutionSpace S, class R>
void radial_basis(S const& space, Vector<float, S> const& distances, R cutoff,
                  Matrix<R, S> const& basis) {
  int const count = basis.extent_int(1);
  R const spacing = cutoff / R(count - 1);
  Kokkos::parallel_for(
      "m2u::kernels::radial_basis", team_policy(space, basis.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const edge = team.league_rank();
        R const distance = static_cast<R>(distances(edge));
        R* const out = basis.data() + static_cast<std::ptrdiff_t>(edge) * count;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, count), [&](int g) {
          R const z = distance / spacing - R(g);
          // Tails below 1e-20 are zero: subnormal numbers would slow every product with them.
          R const exponent = R(-0.5) * z * z;
          out[g] = exponent > R(-46) ? exponential(exponent) : R(0);
        });
      });
}

/// y(e, j) = x(e, j) · ½(cos(π d_e / cutoff) + 1) within the cutoff, else 0.
template <ExecutionSpace S, class R>
void fade(S const& space, Matrix<R, S> const& x, Vector<float, S> const& distances, R cutoff,
          Matrix<R, S> const& y, bool accumulate) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::fade", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const edge = team.league_rank();
        R const distance = static_cast<R>(distances(edge));
        R const weight =
            distance < cutoff
                ? R(0.5) * (Kokkos::cos(R(3.14159265358979323846) * distance / cutoff) + R(1))
                : R(0);
        R const* const in = x.data() + static_cast<std::ptrdiff_t>(edge) * cols;
        R* const out = y.data() + static_cast<std::ptrdiff_t>(edge) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { store(out[j], weight * in[j], accumulate); });
      });
}

}  // namespace m2u::kernels
