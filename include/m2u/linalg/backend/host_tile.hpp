// SPDX-License-Identifier: Apache-2.0
/// @file
/// The innermost part of gemm on the host: a tile of the result that stays in vector registers
/// while the inner sizes run (Goto and van de Geijn 2008). Vectors are the compiler's own
/// (`vector_size`), as wide as the target has them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "m2u/core/config.hpp"

namespace m2u::backend {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
inline constexpr int tile_rows = 12;  // 24 of 32 registers hold sums, 2 a row of b, 1 a factor
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
inline constexpr int tile_rows = 6;  // 12 of 16 registers
#elif defined(__aarch64__)
inline constexpr int vector_bytes = 16;
inline constexpr int tile_rows = 12;
#else
inline constexpr int vector_bytes = 16;
inline constexpr int tile_rows = 6;
#endif
inline constexpr int tile_vectors = 2;

template <class R>
struct VectorOf {
  typedef R type __attribute__((vector_size(vector_bytes)));  // `using` takes no dependent size
};
template <class R>
using HostVector = typename VectorOf<R>::type;

template <class R>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(R));
/// Columns of a tile.
template <class R>
inline constexpr int tile_cols = tile_vectors * lanes<R>;

template <class R>
inline HostVector<R> load_vector(R const* from) {
  HostVector<R> result;
  std::memcpy(&result, from, sizeof(result));
  return result;
}
template <class R>
inline void store_vector(R* to, HostVector<R> const& value) {
  std::memcpy(to, &value, sizeof(value));
}

/// A factor whose element (i, k) is data[i · row + k · inner].
template <class R>
struct TileFactor {
  R const* data;
  std::ptrdiff_t row;
  std::ptrdiff_t inner;
};

/// Where a tile goes: element (i, j) is data[i · row + j], set to scale times the sum, or with
/// `accumulate` increased by it.
template <class R>
struct TileResult {
  R* data;
  std::ptrdiff_t row;
  R scale = 1;
  bool accumulate = false;
};

/// Σ_k a(i, k) b(k, j) for `rows` rows and `vectors` vectors of columns: b(k, j) is
/// b[k · b_row + j]. Of the columns `cols` are put in the result, but all are read. The sum runs
/// over k in order, whatever the tile, so the bits do not depend on how rows are shared out.
template <int rows, int vectors, class R>
inline void gemm_tile(int depth, TileFactor<R> a, R const* b, std::ptrdiff_t b_row,
                      TileResult<R> const& c, int cols) {
  using V = HostVector<R>;
  constexpr int width = lanes<R>;
  V sum[rows][vectors];
  for (int i = 0; i < rows; ++i) {
    for (int v = 0; v < vectors; ++v) {
      sum[i][v] = V{};
    }
  }
  for (int k = 0; k < depth; ++k) {
    V row[vectors];
    M2U_UNROLL(4)
    for (int v = 0; v < vectors; ++v) {
      row[v] = load_vector(b + v * width);
    }
    M2U_UNROLL(16)
    for (int i = 0; i < rows; ++i) {
      R const factor = a.data[i * a.row];
      M2U_UNROLL(4)
      for (int v = 0; v < vectors; ++v) {
        sum[i][v] += factor * row[v];
      }
    }
    a.data += a.inner;
    b += b_row;
  }
  if (cols == vectors * width) {
    M2U_UNROLL(16)
    for (int i = 0; i < rows; ++i) {
      M2U_UNROLL(4)
      for (int v = 0; v < vectors; ++v) {
        R* const to = c.data + i * c.row + v * width;
        V const value = c.scale * sum[i][v];
        store_vector(to, c.accumulate ? load_vector(to) + value : value);
      }
    }
    return;
  }
  for (int i = 0; i < rows; ++i) {
    R line[vectors * width];
    for (int v = 0; v < vectors; ++v) {
      store_vector(line + v * width, c.scale * sum[i][v]);
    }
    R* const to = c.data + i * c.row;
    for (int j = 0; j < cols; ++j) {
      to[j] = c.accumulate ? to[j] + line[j] : line[j];
    }
  }
}

/// Any number of rows of such a tile.
template <int vectors, class R>
inline void gemm_tile_rows(int rows, int depth, TileFactor<R> const& a, R const* b,
                           std::ptrdiff_t b_row, TileResult<R> const& c, int cols) {
  int i = 0;
  auto const tile = [&]<int count>(std::integral_constant<int, count>) {
    for (; i + count <= rows; i += count) {
      gemm_tile<count, vectors>(depth, TileFactor<R>{a.data + i * a.row, a.row, a.inner}, b, b_row,
                                TileResult<R>{c.data + i * c.row, c.row, c.scale, c.accumulate},
                                cols);
    }
  };
  tile(std::integral_constant<int, tile_rows>{});
  tile(std::integral_constant<int, 3>{});
  tile(std::integral_constant<int, 1>{});
}

/// panel[k · tile_cols + j] = scale · b(k, j) for k < depth and j < cols, 0 for the columns beyond.
/// b(k, j) is b[k · inner + j · col]; one of the strides is 1.
template <class R>
inline void pack_panel(R const* b, std::ptrdiff_t inner, std::ptrdiff_t col, int depth, int cols,
                       R scale, R* panel) {
  constexpr int width = tile_cols<R>;
  if (col == 1) {
    for (int k = 0; k < depth; ++k, panel += width, b += inner) {
      for (int j = 0; j < cols; ++j) {
        panel[j] = scale * b[j];
      }
      for (int j = cols; j < width; ++j) {
        panel[j] = R(0);
      }
    }
    return;
  }
  // Transposes: blocks of 16 inner steps, whose cache lines serve all of a row's columns.
  for (int begin = 0; begin < depth; begin += 16) {
    int const end = std::min(depth, begin + 16);
    for (int j = 0; j < width; ++j) {
      for (int k = begin; k < end; ++k) {
        panel[k * width + j] = j < cols ? scale * b[j * col + k * inner] : R(0);
      }
    }
  }
}

}  // namespace m2u::backend
