// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: a small matrix product by one team, for kernels with one product per group.
#pragma once

#include <cstddef>

#include "m2u/core/config.hpp"
#include "m2u/core/space.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/linalg/backend/host_tile.hpp"

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

/// The product by one host thread: whole vectors of columns by gemm's tiles, then what is left.
template <class R>
inline void gemm_on_host(int rows, int cols, int inner, TeamFactor<R> const& a,
                         TeamFactor<R> const& b, TeamProduct<R> const& y) {
  constexpr int lanes = backend::lanes<R>;
  backend::TileFactor<R> const factor{a.data, a.row, a.col};
  int col = 0;
  auto const strips = [&]<int vectors>(std::integral_constant<int, vectors>) {
    constexpr int width = vectors * lanes;
    for (; col + width <= cols; col += width) {
      backend::gemm_tile_rows<vectors>(
          rows, inner, factor, b.data + col, b.row,
          backend::TileResult<R>{y.data + col, y.row, y.scale, y.accumulate}, width);
    }
  };
  strips(std::integral_constant<int, backend::tile_vectors>{});
  strips(std::integral_constant<int, 1>{});
  for (int i = 0; i < rows && col < cols; ++i) {
    for (int j = col; j < cols; ++j) {
      R sum = 0;
      for (int k = 0; k < inner; ++k) {
        sum += a.data[i * a.row + k * a.col] * b.data[k * b.row + j];
      }
      store(y.data[i * y.row + j], y.scale * sum, y.accumulate);
    }
  }
}

}  // namespace detail

/// y(i, j) = scale · Σ_k a(i, k) · b(k, j), or += with `accumulate`, for i < rows, j < cols, k <
/// inner. The columns of b lie side by side (b.col is 1). No barrier before or after.
M2U_HOST_BRANCH
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void team_gemm(Team const& team, int rows, int cols, int inner,
                                      TeamFactor<R> const& a, TeamFactor<R> const& b,
                                      TeamProduct<R> const& y) {
  if constexpr (on_host<typename Team::execution_space>) {
    // Teams are one thread there.
    detail::gemm_on_host(rows, cols, inner, a, b, y);
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
