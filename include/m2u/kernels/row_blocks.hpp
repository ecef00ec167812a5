// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: work on blocks of rows, given as a functor that gemm_before can take as well.
#pragma once

#include <cstddef>

#include "m2u/core/matrix.hpp"
#include "m2u/core/space.hpp"

namespace m2u::kernels {

/// Calls f(team, first, last) for each block of rows_per_block rows.
template <ExecutionSpace S, class F>
void for_row_blocks(S const& space, char const* label, int rows, F const& f) {
  Kokkos::parallel_for(
      label, team_policy(space, row_blocks(rows)), KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = team.league_rank() * rows_per_block;
        f(team, first, Kokkos::min(rows, first + rows_per_block));
      });
}

/// sums[j] = factor · Σ of value(i, j) over rows first … last - 1, for every column j. Summed in
/// double: sums over a block of rows whose terms cancel out in the end, as those behind a batch
/// norm do, would else leave the rounding of each step. Some columns at a time stay in registers.
template <class Team, class R, class Value>
KOKKOS_INLINE_FUNCTION void sum_block_rows(Team const& team, int first, int last, int cols,
                                           R factor, Value const& value, R* sums) {
  constexpr int width = on_host<typename Team::execution_space> ? 64 : 1;
  int const pieces = (cols + width - 1) / width;
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, pieces), [&](int piece) {
    int const begin = piece * width;
    int const count = Kokkos::min(width, cols - begin);
    double total[width] = {};
    for (int i = first; i < last; ++i) {
      for (int k = 0; k < count; ++k) {
        total[k] += static_cast<double>(value(i, begin + k));
      }
    }
    for (int k = 0; k < count; ++k) {
      sums[begin + k] = factor * static_cast<R>(total[k]);
    }
  });
}

/// A functor on blocks of rows as one that also gets a pointer to them, of a matrix of `cols`
/// columns.
template <class R, class F>
struct OnBlocks {
  R* data;
  int cols;
  F f;

  template <class Team>
  KOKKOS_INLINE_FUNCTION void operator()(Team const& team, int first, int last) const {
    f(team, first, last, data + static_cast<std::ptrdiff_t>(first) * cols);
  }
};

}  // namespace m2u::kernels
