// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: spherical Bessel functions of distances times spherical harmonics of angles.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// The most functions of a distance.
inline constexpr int most_radial = 16;

/// The first positive zeros of the spherical Bessel function j1.
template <class R>
struct BesselZeros {
  R zero[most_radial];
};

/// j1(x) = sin x / x² - cos x / x, by its series where the difference would cancel.
template <class R>
KOKKOS_INLINE_FUNCTION R spherical_bessel_1(R x) {
  if (x < R(1)) {
    R const y = x * x;
    R const tail = R(1) - y / R(54) * (R(1) - y / R(88) * (R(1) - y / R(130)));
    return x / R(3) * (R(1) - y / R(10) * (R(1) - y / R(28) * tail));
  }
  return (Kokkos::sin(x) / x - Kokkos::cos(x)) / x;
}

/// angles(e) = env · [J0, J1 · cos θ, J1 · sin θ cos φ, J1 · sin θ sin φ] and
/// torsions(e) = env · [J0, J1 · cos τ] with the normalised functions J0, J1 of the distance times
/// the harmonics' constants; geometry(e) = [cos θ, sin θ cos φ, sin θ sin φ, cos τ, env].
template <ExecutionSpace S, class R>
void spherical_basis(S const& space, Vector<float, S> const& distances,
                     Matrix<float, S> const& geometry, R cutoff, BesselZeros<R> const& zeros,
                     Matrix<R, S> const& angles, Matrix<R, S> const& torsions) {
  int const radial = torsions.extent_int(1) / 2;
  Kokkos::parallel_for(
      "m2u::kernels::spherical_basis", Kokkos::RangePolicy<S>(space, 0, distances.extent_int(0)),
      KOKKOS_LAMBDA(int edge) {
        constexpr R pi = R(3.14159265358979323846);
        constexpr R y0 = R(0.28209479177387814347);  // √(1 / 4π)
        constexpr R y1 = R(0.48860251190291992159);  // √(3 / 4π)
        R const x = static_cast<R>(distances(edge)) / cutoff;
        R const envelope = static_cast<R>(geometry(edge, 4));
        for (int n = 0; n < radial; ++n) {
          R const z = R(n + 1) * pi;
          R const at = z * x;
          // √2 / |j1(z)| = √2 z, and for a zero z of j1: √2 / |j2(z)| = √(2 (1 + z²)).
          R const j0 = at > R(0) ? Kokkos::sin(at) / at : R(1);
          R const zero = zeros.zero[n];
          R const j1 = spherical_bessel_1(zero * x);
          R const even = envelope * y0 * R(1.41421356237309504880) * z * j0;
          R const odd = envelope * y1 * Kokkos::sqrt(R(2) * (R(1) + zero * zero)) * j1;
          angles(edge, n) = even;
          torsions(edge, n) = even;
          for (int k = 0; k < 3; ++k) {
            angles(edge, (k + 1) * radial + n) = odd * static_cast<R>(geometry(edge, k));
          }
          torsions(edge, radial + n) = odd * static_cast<R>(geometry(edge, 3));
        }
      });
}

}  // namespace m2u::kernels
