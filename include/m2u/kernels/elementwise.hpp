// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: biases and activations.
#pragma once

#include "m2u/core/activation.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// target = value, or target += value.
template <class R>
KOKKOS_INLINE_FUNCTION void store(R& target, R value, bool accumulate) {
  target = accumulate ? target + value : value;
}

/// x(i, j) += bias(0, j), then y = activation(x); x and y may be the same memory.
template <Activation kind, ExecutionSpace S, class R>
void bias_activation(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& bias,
                     Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  bool const same = x.data() == y.data();
  Kokkos::parallel_for(
      "m2u::kernels::bias_activation", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        R* const before = x.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R* const after = y.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R const* const b = bias.data();
        if (same) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { before[j] = activate<kind>(before[j] + b[j]); });
        } else {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            R const sum = before[j] + b[j];
            before[j] = sum;
            after[j] = activate<kind>(sum);
          });
        }
      });
}

/// y = activation(x), elementwise.
template <Activation kind, ExecutionSpace S, class R>
void activation_forward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::activation_forward", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        R const* const in = x.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R* const out = y.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { out[j] = activate<kind>(in[j]); });
      });
}

/// dx = dy · activation'(x), elementwise.
template <Activation kind, ExecutionSpace S, class R>
void activation_backward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& dy,
                         Matrix<R, S> const& dx, bool accumulate) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::activation_backward", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const first = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R const* const in = x.data() + first;
        R const* const gradient = dy.data() + first;
        R* const out = dx.data() + first;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          store(out[j], gradient[j] * activate_derivative<kind>(in[j]), accumulate);
        });
      });
}

}  // namespace m2u::kernels
