// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums over rows, by a fixed partition so that the bits do not depend on threads.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/row_blocks.hpp"

namespace m2u::kernels {

/// partial(b, j) = sum of x(i, j) over the rows i of block b. partial: [row_blocks(rows), cols]
template <ExecutionSpace S, class R>
void column_sum_blocks(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& partial) {
  int const rows = x.extent_int(0);
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::column_sum_blocks", team_policy(space, partial.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const block = team.league_rank();
        int const first = block * rows_per_block;
        int const last = Kokkos::min(rows, first + rows_per_block);
        R* const out = partial.data() + static_cast<std::ptrdiff_t>(block) * cols;
        R const* const in = x.data();
        auto const value = [=](int i, int j) {
          return in[static_cast<std::ptrdiff_t>(i) * cols + j];
        };
        sum_block_rows(team, first, last, cols, R(1), value, out);
      });
}

/// sum(0, j) = sum of partial(b, j) over the blocks, in their order and in double: before a batch
/// norm a bias has no effect, and the terms of its gradient cancel out. Some columns at a time, so
/// that whole cache lines are read.
template <ExecutionSpace S, class R>
void combine_blocks(S const& space, Matrix<R, S> const& partial, Matrix<R, S> const& sum,
                    bool accumulate) {
  constexpr int width = on_host<S> ? 32 : 1;
  int const blocks = partial.extent_int(0);
  int const cols = partial.extent_int(1);
  R const* const in = partial.data();
  R* const out = sum.data();
  Kokkos::parallel_for(
      "m2u::kernels::combine_blocks", Kokkos::RangePolicy<S>(space, 0, (cols + width - 1) / width),
      KOKKOS_LAMBDA(int piece) {
        int const first = piece * width;
        int const count = Kokkos::min(width, cols - first);
        double total[width] = {};
        for (int b = 0; b < blocks; ++b) {
          R const* const row = in + static_cast<std::ptrdiff_t>(b) * cols + first;
          for (int j = 0; j < count; ++j) {
            total[j] += static_cast<double>(row[j]);
          }
        }
        for (int j = 0; j < count; ++j) {
          store(out[first + j], static_cast<R>(total[j]), accumulate);
        }
      });
}

}  // namespace m2u::kernels
