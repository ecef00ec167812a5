// SPDX-License-Identifier: Apache-2.0
/// @file
/// Distances and directions of edges as features: ComENet's basis.
#pragma once

#include <cmath>
#include <numbers>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/spherical_basis.hpp"

namespace m2u {

/// What edges are described by: constants of a step.
template <ExecutionSpace S, class R = float>
struct EdgeBasis {
  Matrix<R, S> angles;    ///< [edges, 4 · radial], of distance, θ and φ
  Matrix<R, S> torsions;  ///< [edges, 2 · radial], of distance and τ
};

namespace detail {

/// Zeros of j1, where tan z = z: the fixed points of z = nπ + arctan z.
template <class R>
kernels::BesselZeros<R> bessel_zeros() {
  kernels::BesselZeros<R> zeros{};
  for (int n = 0; n < kernels::most_radial; ++n) {
    double z = (n + 1.5) * std::numbers::pi;
    for (int step = 0; step < 20; ++step) {
      z = (n + 1) * std::numbers::pi + std::atan(z);
    }
    zeros.zero[n] = static_cast<R>(z);
  }
  return zeros;
}

}  // namespace detail

/// Spherical Bessel functions of the distance times real spherical harmonics, both of the orders 0
/// and 1 (Gasteiger et al. 2020; Wang et al. 2022). Columns, each with all radial functions in
/// turn: angles: order 0; order 1 times cos θ, sin θ cos φ, sin θ sin φ; torsions: order 0; order 1
/// times cos τ. All times the envelope. Finite at distance 0.
/// @param distances [edges] in Å  @param geometry [edges, 5]: see EdgeGeometry  @param cutoff in Å
/// @return values without gradient: geometry is an input  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
EdgeBasis<S, R> spherical_basis(Tape<S, R>& tape, Vector<float, S> const& distances,
                                Matrix<float, S> const& geometry, int radial, R cutoff) {
  int const edges = distances.extent_int(0);
  expects(radial >= 1 && radial <= kernels::most_radial, "spherical_basis: ", radial,
          " radial functions; there must be 1 … ", kernels::most_radial);
  expects(cutoff > R(0), "spherical_basis: the cutoff must be positive, but is ", cutoff);
  expects(edges == 0 || shape(geometry) == Shape{edges, 5}, "spherical_basis: geometry ",
          shape(geometry), " does not fit ", edges, " distances; it must be ", Shape{edges, 5});
  EdgeBasis<S, R> const basis{tape.matrix(edges, 4 * radial), tape.matrix(edges, 2 * radial)};
  kernels::spherical_basis(tape.space(), distances, geometry, cutoff, detail::bessel_zeros<R>(),
                           basis.angles, basis.torsions);
  return basis;
}

}  // namespace m2u
