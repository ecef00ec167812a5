// SPDX-License-Identifier: Apache-2.0
/// @file
/// Products with few columns on the host: rows against rows as they lie, without packing. Such a
/// product waits for memory, so what counts is that the first factor is read once, in order.
#pragma once

#include <cstddef>
#include <type_traits>

#include "m2u/core/config.hpp"
#include "m2u/linalg/backend/host_tile.hpp"

namespace m2u::backend {

/// The most columns of a product that is made this way: with more, tiles are as quick.
inline constexpr int most_dots = 4;

/// The sum of a vector's lanes: halves onto each other, in a fixed order.
template <class R>
inline R sum_lanes(HostVector<R> const& value) {
  R x[lanes<R>];
  store_vector(x, value);
  M2U_UNROLL(8)
  for (int width = lanes<R> / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      x[i] += x[i + width];
    }
  }
  return x[0];
}

/// c(i, j) = or += scale · Σ_k a(i, k) b(j, k) for `rows` rows of a and `cols` rows of b. The sum
/// of an element takes the same steps in the same order whatever the tile.
template <int rows, int cols, class R>
inline void dot_tile(int depth, R const* a, std::ptrdiff_t a_row, R const* b, std::ptrdiff_t b_row,
                     TileResult<R> const& c) {
  using V = HostVector<R>;
  constexpr int width = lanes<R>;
  // The processor's own prefetching ends with the page; this many bytes on lie rows to come.
  constexpr std::ptrdiff_t ahead = 4096 / static_cast<std::ptrdiff_t>(sizeof(R));
  V sum[rows][cols];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      sum[i][j] = V{};
    }
  }
  int k = 0;
  for (; k + width <= depth; k += width) {
    M2U_UNROLL(8)
    for (int i = 0; i < rows; ++i) {
      __builtin_prefetch(a + i * a_row + k + ahead);
      V const left = load_vector(a + i * a_row + k);
      M2U_UNROLL(4)
      for (int j = 0; j < cols; ++j) {
        sum[i][j] += left * load_vector(b + j * b_row + k);
      }
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      R total = sum_lanes<R>(sum[i][j]);
      for (int rest = k; rest < depth; ++rest) {
        total += a[i * a_row + rest] * b[j * b_row + rest];
      }
      R& to = c.data[i * c.row + j];
      to = c.accumulate ? to + c.scale * total : c.scale * total;
    }
  }
}

/// The same for any number of rows and 1 … most_dots columns.
template <class R>
inline void dot_rows(int rows, int cols, int depth, R const* a, std::ptrdiff_t a_row, R const* b,
                     std::ptrdiff_t b_row, TileResult<R> c) {
  auto const with = [&]<int count>(std::integral_constant<int, count>) {
    int i = 0;
    auto const tile = [&]<int size>(std::integral_constant<int, size>) {
      for (; i + size <= rows; i += size) {
        dot_tile<size, count>(depth, a + i * a_row, a_row, b, b_row,
                              TileResult<R>{c.data + i * c.row, c.row, c.scale, c.accumulate});
      }
    };
    tile(std::integral_constant<int, 4>{});
    tile(std::integral_constant<int, 1>{});
  };
  static_assert(most_dots == 4);
  switch (cols) {
    case 1:
      return with(std::integral_constant<int, 1>{});
    case 2:
      return with(std::integral_constant<int, 2>{});
    case 3:
      return with(std::integral_constant<int, 3>{});
    default:
      return with(std::integral_constant<int, 4>{});
  }
}

}  // namespace m2u::backend
