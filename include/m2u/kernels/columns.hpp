// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums over rows, by a fixed partition so that the bits do not depend on threads.
#pragma once

#include <cstddef>
#include <cstdint>

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

/// On a GPU: what `load(b, j)` gives for the blocks b, joined in their order, handed to
/// `finish(j, joined)` for each column j. A team has as many columns as a warp has lanes, and its
/// threads go through runs of blocks, which are a property of the number of blocks.
/// @tparam A starts as what joins to nothing, and has join(A const&)
template <class A, ExecutionSpace S, class Load, class Finish>
void join_blocks(S const& space, char const* label, int blocks, int cols, Load const& load,
                 Finish const& finish) {
  constexpr int width = 32;
  constexpr int runs = 32;
  constexpr int alignment = 64;
  auto policy = team_policy(space, (cols + width - 1) / width, runs / 2);
  policy.set_scratch_size(0,
                          Kokkos::PerTeam(static_cast<int>(sizeof(A)) * width * runs + alignment));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(TeamMember<S> const& team) {
        auto* const joined = static_cast<A*>(
            team.team_scratch(0).get_shmem_aligned(sizeof(A) * width * runs, alignment));
        int const begin = team.league_rank() * width;
        int const count = Kokkos::min(width, cols - begin);
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, runs), [&](int run) {
          int const first = static_cast<int>(std::int64_t{blocks} * run / runs);
          int const last = static_cast<int>(std::int64_t{blocks} * (run + 1) / runs);
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, count), [&](int j) {
            A all;
            for (int b = first; b < last; ++b) {
              all.join(load(b, begin + j));
            }
            joined[run * width + j] = all;
          });
        });
        team.team_barrier();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, count), [&](int j) {
          A all;
          for (int run = 0; run < runs; ++run) {
            all.join(joined[run * width + j]);
          }
          finish(begin + j, all);
        });
      });
}

/// Sums for join_blocks.
struct BlockSum {
  double value = 0.0;
  KOKKOS_INLINE_FUNCTION void join(BlockSum const& other) { value += other.value; }
};
template <class R>
struct LoadSum {
  R const* partial;  ///< [blocks, cols]
  int cols;
  KOKKOS_INLINE_FUNCTION BlockSum operator()(int b, int j) const {
    return {static_cast<double>(partial[static_cast<std::ptrdiff_t>(b) * cols + j])};
  }
};
template <class R>
struct StoreSum {
  R* sum;
  bool accumulate;
  KOKKOS_INLINE_FUNCTION void operator()(int j, BlockSum const& all) const {
    store(sum[j], static_cast<R>(all.value), accumulate);
  }
};

/// sum(0, j) = sum of partial(b, j) over the blocks, in their order and in double: before a batch
/// norm a bias has no effect, and the terms of its gradient cancel out.
template <ExecutionSpace S, class R>
void combine_blocks(S const& space, Matrix<R, S> const& partial, Matrix<R, S> const& sum,
                    bool accumulate) {
  int const blocks = partial.extent_int(0);
  int const cols = partial.extent_int(1);
  R const* const in = partial.data();
  R* const out = sum.data();
  if constexpr (on_host<S>) {
    constexpr int width = 32;  // columns at a time, so that whole cache lines are read
    Kokkos::parallel_for(
        "m2u::kernels::combine_blocks",
        Kokkos::RangePolicy<S>(space, 0, (cols + width - 1) / width), [=](int piece) {
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
  } else {
    join_blocks<BlockSum>(space, "m2u::kernels::combine_blocks", blocks, cols, LoadSum<R>{in, cols},
                          StoreSum<R>{out, accumulate});
  }
}

}  // namespace m2u::kernels
