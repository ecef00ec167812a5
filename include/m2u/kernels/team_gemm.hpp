// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: a small matrix product by one team, for kernels with one product per group.
#pragma once

#include <cstddef>

#include "m2u/core/space.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// A factor of team_gemm: element (i, j) is data[i · row + j · col].
template <class R>
struct TeamFactor {
  R const* data;
  std::ptrdiff_t row;
  std::ptrdiff_t col;
};

/// The result of team_gemm: element (i, j) is data[i · row + j], set to scale times the product, or
/// with `accumulate` increased by it.
template <class R>
struct TeamProduct {
  R* data;
  std::ptrdiff_t row;
  R scale = 1;
  bool accumulate = false;
};

namespace detail {

/// target(i, ·) += Σ_t a(i, t) · b(t, ·) for `rows` rows and `depth` terms, which the compiler
/// knows: the loop over the columns then vectorises with the factors in registers.
template <int rows, int depth, class R>
KOKKOS_INLINE_FUNCTION void add_outer_products(int cols, R scale, TeamFactor<R> const& a,
                                               R const* b, std::ptrdiff_t b_row, R* target,
                                               std::ptrdiff_t target_row) {
  static_assert((rows == 1 || rows == 2) && (depth == 1 || depth == 4));
  constexpr int last = rows - 1;
  R factor[2][depth];
  for (int t = 0; t < depth; ++t) {
    factor[0][t] = scale * a.data[t * a.col];
    factor[1][t] = scale * a.data[last * a.row + t * a.col];
  }
  R const* const KOKKOS_RESTRICT b0 = b;
  R* const KOKKOS_RESTRICT y0 = target;
  R* const KOKKOS_RESTRICT y1 = target + last * target_row;
  if constexpr (depth == 1) {
    for (int j = 0; j < cols; ++j) {
      y0[j] += factor[0][0] * b0[j];
    }
    if constexpr (rows == 2) {
      for (int j = 0; j < cols; ++j) {
        y1[j] += factor[1][0] * b0[j];
      }
    }
  } else {
    R const* const KOKKOS_RESTRICT b1 = b0 + b_row;
    R const* const KOKKOS_RESTRICT b2 = b1 + b_row;
    R const* const KOKKOS_RESTRICT b3 = b2 + b_row;
    for (int j = 0; j < cols; ++j) {
      y0[j] +=
          factor[0][0] * b0[j] + factor[0][1] * b1[j] + factor[0][2] * b2[j] + factor[0][3] * b3[j];
      if constexpr (rows == 2) {
        y1[j] += factor[1][0] * b0[j] + factor[1][1] * b1[j] + factor[1][2] * b2[j] +
                 factor[1][3] * b3[j];
      }
    }
  }
}

/// `rows` rows of the product by one host thread.
template <int rows, class R>
KOKKOS_INLINE_FUNCTION void gemm_rows_on_host(int cols, int inner, TeamFactor<R> a,
                                              TeamFactor<R> const& b, TeamProduct<R> const& y,
                                              R* target) {
  if (!y.accumulate) {
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < cols; ++j) {
        target[r * y.row + j] = R(0);
      }
    }
  }
  int k = 0;
  for (; k + 4 <= inner; k += 4, a.data += 4 * a.col) {
    add_outer_products<rows, 4>(cols, y.scale, a, b.data + k * b.row, b.row, target, y.row);
  }
  for (; k < inner; ++k, a.data += a.col) {
    add_outer_products<rows, 1>(cols, y.scale, a, b.data + k * b.row, b.row, target, y.row);
  }
}

}  // namespace detail

/// y(i, j) = scale · Σ_k a(i, k) · b(k, j), or += with `accumulate`, for i < rows, j < cols, k <
/// inner. The columns of b lie side by side (b.col is 1). No barrier before or after.
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void team_gemm(Team const& team, int rows, int cols, int inner,
                                      TeamFactor<R> const& a, TeamFactor<R> const& b,
                                      TeamProduct<R> const& y) {
  if constexpr (on_host<typename Team::execution_space>) {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, (rows + 1) / 2), [&](int pair) {
      int const i = 2 * pair;
      TeamFactor<R> const from{a.data + i * a.row, a.row, a.col};
      if (i + 1 < rows) {
        detail::gemm_rows_on_host<2>(cols, inner, from, b, y, y.data + i * y.row);
      } else {
        detail::gemm_rows_on_host<1>(cols, inner, from, b, y, y.data + i * y.row);
      }
    });
  } else {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rows), [&](int i) {
      Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, cols), [&](int j) {
        R sum = 0;
        for (int k = 0; k < inner; ++k) {
          sum += a.data[i * a.row + k * a.col] * b.data[k * b.row + j];
        }
        store(y.data[i * y.row + j], y.scale * sum, y.accumulate);
      });
    });
  }
}

}  // namespace m2u::kernels
