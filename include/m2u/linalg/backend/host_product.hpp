// SPDX-License-Identifier: Apache-2.0
/// @file
/// A product of matrices on the host, piece by piece: what host_gemm.hpp shares out.
#pragma once

#include <algorithm>
#include <memory>
#include <new>

#include "m2u/core/huge_pages.hpp"
#include "m2u/linalg/backend/host_dots.hpp"
#include "m2u/linalg/backend/host_tile.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

/// Inner steps of a block: panels and rows of so many fit the first cache.
inline constexpr int gemm_depth = 256;
/// The same where the first factor is read across its rows.
inline constexpr int slab_depth = 128;

namespace detail {

constexpr int pieces(int size, int piece) { return (size + piece - 1) / piece; }

/// Workspaces that one thread may use at the same time.
enum class Work { panels, slabs, block, tile };

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(64)); }
};
template <class R>
using AlignedArray = std::unique_ptr<R, AlignedDelete>;

/// Uninitialised memory for numbers, from the start of a cache line on.
template <class R>
AlignedArray<R> aligned_array(std::size_t size) {
  AlignedArray<R> result(static_cast<R*>(::operator new(size * sizeof(R), std::align_val_t(64))));
  advise_huge_pages(result.get(), size * sizeof(R));
  return result;
}

/// A thread's workspace, kept between calls.
template <class R, Work work>
R* gemm_workspace(std::size_t size) {
  thread_local AlignedArray<R> memory;
  thread_local std::size_t capacity = 0;
  if (size > capacity) {
    memory.reset();
    memory = aligned_array<R>(size);
    capacity = size;
  }
  return memory.get();
}

/// Σ_k a(i, k) b(k, j), with the transpositions turned into strides.
template <class R>
struct Product {
  TileFactor<R> a{};
  R const* b = nullptr;
  std::ptrdiff_t b_inner = 0;
  std::ptrdiff_t b_col = 0;
  int cols = 0;
  int depth = 0;
  R scale = 1;

  Product() = default;
  Product(Strided<R> const& left, Strided<R> const& right, GemmOptions const& options)
      : a{left.data, options.transpose_a ? 1 : left.stride, options.transpose_a ? left.stride : 1},
        b(right.data),
        b_inner(options.transpose_b ? 1 : right.stride),
        b_col(options.transpose_b ? right.stride : 1),
        cols(options.transpose_b ? right.rows : right.cols),
        depth(options.transpose_a ? left.rows : left.cols),
        scale(static_cast<R>(options.scale)) {}

  int panels() const { return pieces(cols, tile_cols<R>); }
  /// Whether b is taken as it lies: rows against few rows.
  bool thin() const {
    return cols <= most_dots && a.inner == 1 && b_inner == 1 && depth >= lanes<R>;
  }
  std::size_t packed_size() const {
    return thin() ? 0
                  : static_cast<std::size_t>(panels()) * static_cast<std::size_t>(depth) *
                        static_cast<std::size_t>(tile_cols<R>);
  }

  /// Packs the columns of a panel of b and `count` inner steps from `from` on.
  [[gnu::noinline]] void pack(int from, int count, int panel, R* to) const {
    if (thin()) {
      return;
    }
    int const col = panel * tile_cols<R>;
    pack_panel(b + from * b_inner + col * b_col, b_inner, b_col, count,
               std::min(tile_cols<R>, cols - col), scale, to);
  }

  /// c = or += `count` inner steps from `from` on of rows `first` … `last - 1`. c: the first of
  /// these rows, `cols` apart. packed: all panels of these inner steps, side by side.
  [[gnu::noinline]] void multiply(int from, int count, int first, int last, R const* packed, R* c,
                                  bool add) const {
    if (thin()) {
      dot_rows(last - first, cols, count, a.data + first * a.row + from, a.row, b + from, b_col,
               TileResult<R>{c, cols, scale, add});
      return;
    }
    if (a.inner == 1) {  // a panel stays in the first cache for all rows
      for (int p = 0; p < panels(); ++p) {
        for (int row = first; row < last; row += tile_rows) {
          multiply_tile({a.data + row * a.row + from, a.row, 1}, count, p, row - first,
                        std::min(tile_rows, last - row), packed, c, add);
        }
      }
      return;
    }
    for (int row = first; row < last; row += tile_rows) {
      int const rows = std::min(tile_rows, last - row);
      TileFactor<R> factor{a.data + row * a.row + from * a.inner, a.row, a.inner};
      if (rows == tile_rows) {
        factor = gather(factor, count);
      }
      for (int p = 0; p < panels(); ++p) {
        multiply_tile(factor, count, p, row - first, rows, packed, c, add);
      }
    }
  }

  /// All inner steps of some rows, by this thread alone, which packs what it needs.
  void multiply_packing(int from, int to, int first, int last, R* c) const {
    R* const packed = gemm_workspace<R, Work::panels>(static_cast<std::size_t>(panels()) *
                                                      slab_depth * tile_cols<R>);
    for (int k = from; k < to; k += slab_depth) {
      int const count = std::min(slab_depth, to - k);
      for (int p = 0; p < panels(); ++p) {
        pack(k, count, p, packed + static_cast<std::ptrdiff_t>(p) * count * tile_cols<R>);
      }
      multiply(k, count, first, last, packed, c, k > from);
    }
  }

 private:
  /// The tile of panel p whose rows begin at row `row` of c.
  void multiply_tile(TileFactor<R> const& factor, int count, int p, int row, int rows,
                     R const* packed, R* c, bool add) const {
    int const col = p * tile_cols<R>;
    gemm_tile_rows<tile_vectors>(
        rows, count, factor, packed + static_cast<std::ptrdiff_t>(p) * count * tile_cols<R>,
        std::ptrdiff_t(tile_cols<R>),
        TileResult<R>{c + static_cast<std::ptrdiff_t>(row) * cols + col, cols, R(1), add},
        std::min(tile_cols<R>, cols - col));
  }

  /// A tile of a transposed factor, inner steps on each other.
  static TileFactor<R> gather(TileFactor<R> const& from, int count) {
    R* const to = gemm_workspace<R, Work::tile>(std::size_t{gemm_depth} * tile_rows);
    for (int k = 0; k < count; ++k) {
      std::memcpy(to + k * tile_rows, from.data + k * from.inner, sizeof(R) * tile_rows);
    }
    return {to, 1, tile_rows};
  }
};

}  // namespace detail

}  // namespace m2u::backend
