// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: work on blocks of rows, given as a functor that gemm_before can take as well.
#pragma once

#include <cstddef>

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
