// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums and maxima over the columns of a row by one team. On the host one thread keeps
/// several independent partial results, so that the loop vectorises without reordering by the
/// compiler.
#pragma once

#include "m2u/core/space.hpp"

namespace m2u::kernels {

namespace detail {

/// Partial results that a host thread keeps: four AVX registers of floats.
inline constexpr int reduce_width = 32;

template <class R, class F, class Join>
KOKKOS_INLINE_FUNCTION R reduce_on_host(int count, R identity, F const& f, Join const& join) {
  R part[reduce_width];
  for (int k = 0; k < reduce_width; ++k) {
    part[k] = identity;
  }
  int j = 0;
  for (; j + reduce_width <= count; j += reduce_width) {
    for (int k = 0; k < reduce_width; ++k) {
      part[k] = join(part[k], static_cast<R>(f(j + k)));
    }
  }
  for (int k = 0; j + k < count; ++k) {
    part[k] = join(part[k], static_cast<R>(f(j + k)));
  }
  for (int half = reduce_width / 2; half > 0; half /= 2) {
    for (int k = 0; k < half; ++k) {
      part[k] = join(part[k], part[k + half]);
    }
  }
  return part[0];
}

}  // namespace detail

/// Σ f(j) over 0 ≤ j < count, known to every thread of the team.
template <class R, class Team, class F>
KOKKOS_INLINE_FUNCTION R team_sum([[maybe_unused]] Team const& team, int count, F const& f) {
  if constexpr (on_host<typename Team::execution_space>) {
    return detail::reduce_on_host(count, R(0), f, [](R a, R b) { return a + b; });
  } else {
    R sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamVectorRange(team, count), [&](int j, R& partial) { partial += f(j); }, sum);
    return sum;
  }
}

/// The largest f(j) over 0 ≤ j < count (-∞ for none), known to every thread of the team.
template <class R, class Team, class F>
KOKKOS_INLINE_FUNCTION R team_max([[maybe_unused]] Team const& team, int count, F const& f) {
  R const lowest = -Kokkos::Experimental::infinity_v<R>;
  if constexpr (on_host<typename Team::execution_space>) {
    return detail::reduce_on_host(count, lowest, f, [](R a, R b) { return a > b ? a : b; });
  } else {
    R largest = lowest;
    Kokkos::parallel_reduce(
        Kokkos::TeamVectorRange(team, count),
        [&](int j, R& partial) {
          R const value = f(j);
          partial = value > partial ? value : partial;
        },
        Kokkos::Max<R>(largest));
    return largest;
  }
}

}  // namespace m2u::kernels
