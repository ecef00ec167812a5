// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: a small matrix product by one team, for kernels with one product per group.
#pragma once

#include <cstddef>

#include "m2u/core/space.hpp"

namespace m2u::kernels {

/// An operand of team_gemm: element (i, j) is data[i · row + j · col].
template <class R>
struct TeamOperand {
  R const* data;
  std::ptrdiff_t row;
  std::ptrdiff_t col;
};

/// Columns of a tile that one host thread keeps in registers; a GPU thread keeps one column.
template <class Team>
inline constexpr int tile_columns = on_host<typename Team::execution_space> ? 16 : 1;

/// `count` rounded up to whole tiles.
template <class Team>
KOKKOS_INLINE_FUNCTION int padded_columns(int count) {
  constexpr int width = tile_columns<Team>;
  return (count + width - 1) / width * width;
}

namespace detail {

/// A tile of the product, from row i and column j on, its sums in registers.
template <int rows, int cols, class R, class Store>
KOKKOS_INLINE_FUNCTION void gemm_tile(int i, int j, int inner, TeamOperand<R> const& a,
                                      TeamOperand<R> const& b, Store const& store) {
  R sum[rows][cols];
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      sum[r][c] = 0;
    }
  }
  R const* left = a.data + i * a.row;
  R const* right = b.data + j;
  for (int k = 0; k < inner; ++k, left += a.col, right += b.row) {
    for (int r = 0; r < rows; ++r) {
      R const factor = left[r * a.row];
      for (int c = 0; c < cols; ++c) {
        sum[r][c] += factor * right[c];
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      store(i + r, j + c, sum[r][c]);
    }
  }
}

/// `rows` rows of the product from row i on, columns j … j + width - 1 of `cols`.
template <int rows, int width, class R, class Store>
KOKKOS_INLINE_FUNCTION void gemm_strip(int i, int j, int cols, int inner, TeamOperand<R> const& a,
                                       TeamOperand<R> const& b, Store const& store) {
  if (j + width <= cols) {
    gemm_tile<rows, width>(i, j, inner, a, b, store);
    return;
  }
  if constexpr (width > 8) {
    if (j + 8 <= cols) {
      gemm_tile<rows, 8>(i, j, inner, a, b, store);
      j += 8;
    }
  }
  for (; j < cols; ++j) {
    gemm_tile<rows, 1>(i, j, inner, a, b, store);
  }
}

}  // namespace detail

/// store(i, j, Σ_k a(i, k) · b(k, j)) for all i < rows, j < cols. The columns of b lie side by side
/// (b.col is 1). No barrier before or after.
template <class Team, class R, class Store>
KOKKOS_INLINE_FUNCTION void team_gemm(Team const& team, int rows, int cols, int inner,
                                      TeamOperand<R> const& a, TeamOperand<R> const& b,
                                      Store const& store) {
  constexpr int width = tile_columns<Team>;
  constexpr int height = width > 1 ? 4 : 1;
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, (rows + height - 1) / height), [&](int block) {
    int const first = block * height;
    Kokkos::parallel_for(
        Kokkos::ThreadVectorRange(team, (cols + width - 1) / width), [&](int strip) {
          if (first + height <= rows) {
            detail::gemm_strip<height, width>(first, strip * width, cols, inner, a, b, store);
          } else {
            for (int i = first; i < rows; ++i) {
              detail::gemm_strip<1, width>(i, strip * width, cols, inner, a, b, store);
            }
          }
        });
  });
}

}  // namespace m2u::kernels
