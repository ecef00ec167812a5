// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: element-wise kernels.
#pragma once

#include <string>

#include "m2u/core/activation.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// target = value, or target += value.
template <class R>
KOKKOS_INLINE_FUNCTION void store(R& target, R value, bool accumulate) {
  target = accumulate ? target + value : value;
}

/// y(i, j) = activation(x(i, j) + bias(0, j)); x and y may be the same.
template <ExecutionSpace S, class R>
void bias_activation(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& bias,
                     Activation activation, Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::bias_activation", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        R const* const in = x.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R* const out = y.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R const* const b = bias.data();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { out[j] = activate(activation, in[j] + b[j]); });
      });
}

/// y = activation(x), elementwise.
template <ExecutionSpace S, class R>
void activation_forward(S const& space, Matrix<R, S> const& x, Activation activation,
                        Matrix<R, S> const& y) {
  R const* const in = x.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::activation_forward", Kokkos::RangePolicy<S>(space, 0, x.size()),
      KOKKOS_LAMBDA(std::size_t i) { out[i] = activate(activation, in[i]); });
}

/// dx = dy · activation'(x), elementwise.
template <ExecutionSpace S, class R>
void activation_backward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& dy,
                         Activation activation, Matrix<R, S> const& dx, bool accumulate) {
  R const* const in = x.data();
  R const* const gradient = dy.data();
  R* const out = dx.data();
  Kokkos::parallel_for(
      "m2u::kernels::activation_backward", Kokkos::RangePolicy<S>(space, 0, x.size()),
      KOKKOS_LAMBDA(std::size_t i) {
        store(out[i], gradient[i] * activate_derivative(activation, in[i]), accumulate);
      });
}

}  // namespace m2u::kernels
