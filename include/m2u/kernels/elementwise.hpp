// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: activations.
#pragma once

#include "m2u/core/activation.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// target = value, or target += value.
template <class R>
KOKKOS_INLINE_FUNCTION void store(R& target, R value, bool accumulate) {
  target = accumulate ? target + value : value;
}

/// y = activation(x), elementwise.
template <Activation kind, ExecutionSpace S, class R>
void activation_forward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& y) {
  int const cols = x.extent_int(1);
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::activation_forward", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = y.data() + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] = activate<kind>(in[j]); });
        });
      });
}

/// dx = dy · activation'(x), elementwise.
template <Activation kind, ExecutionSpace S, class R>
void activation_backward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& dy,
                         Matrix<R, S> const& dx, bool accumulate) {
  int const cols = x.extent_int(1);
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::activation_backward", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          std::ptrdiff_t const first = static_cast<std::ptrdiff_t>(i) * cols;
          R const* const in = x.data() + first;
          R const* const gradient = dy.data() + first;
          R* const out = dx.data() + first;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            store(out[j], gradient[j] * activate_derivative<kind>(in[j]), accumulate);
          });
        });
      });
}

}  // namespace m2u::kernels
