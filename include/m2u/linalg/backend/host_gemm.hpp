// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm on the host. The second factor is packed into panels as wide as a tile of the result. What
/// is shared out is blocks of rows of the result or, where the sums are long and the result is
/// small (gradients of weights), slabs of the sums. The partition is a property of the sizes, so
/// results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "m2u/core/huge_pages.hpp"
#include "m2u/core/space.hpp"
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
  std::size_t packed_size() const {
    return static_cast<std::size_t>(panels()) * static_cast<std::size_t>(depth) *
           static_cast<std::size_t>(tile_cols<R>);
  }

  /// Packs the columns of a panel of b and `count` inner steps from `from` on.
  [[gnu::noinline]] void pack(int from, int count, int panel, R* to) const {
    int const col = panel * tile_cols<R>;
    pack_panel(b + from * b_inner + col * b_col, b_inner, b_col, count,
               std::min(tile_cols<R>, cols - col), scale, to);
  }

  /// c = or += `count` inner steps from `from` on of rows `first` … `last - 1`. c: the first of
  /// these rows, `cols` apart. packed: all panels of these inner steps, side by side.
  [[gnu::noinline]] void multiply(int from, int count, int first, int last, R const* packed, R* c,
                                  bool add) const {
    for (int row = first; row < last; row += tile_rows) {
      int const rows = std::min(tile_rows, last - row);
      TileFactor<R> factor{a.data + row * a.row + from * a.inner, a.row, a.inner};
      if (a.inner != 1 && rows == tile_rows) {
        factor = gather(factor, count);
      }
      R* const to = c + static_cast<std::ptrdiff_t>(row - first) * cols;
      for (int p = 0; p < panels(); ++p) {
        int const col = p * tile_cols<R>;
        gemm_tile_rows<tile_vectors>(
            rows, count, factor, packed + static_cast<std::ptrdiff_t>(p) * count * tile_cols<R>,
            std::ptrdiff_t(tile_cols<R>), TileResult<R>{to + col, cols, R(1), add},
            std::min(tile_cols<R>, cols - col));
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
  /// A tile of a transposed factor, inner steps on each other.
  static TileFactor<R> gather(TileFactor<R> const& from, int count) {
    R* const to = gemm_workspace<R, Work::tile>(static_cast<std::size_t>(gemm_depth * tile_rows));
    for (int k = 0; k < count; ++k) {
      std::memcpy(to + k * tile_rows, from.data + k * from.inner, sizeof(R) * tile_rows);
    }
    return {to, 1, tile_rows};
  }
};

/// One team of one thread for each task; whoever is free takes the next.
template <class S>
auto dynamic_tasks(S const& space, int count) {
  return Kokkos::TeamPolicy<S, Kokkos::Schedule<Kokkos::Dynamic>>(space, count, 1, 1)
      .set_chunk_size(1);
}

/// to = from, or += with `add`, for whole rows.
template <class R>
void put_rows(R const* from, int rows, int cols, bool add, R* to, std::ptrdiff_t stride) {
  for (int i = 0; i < rows; ++i, from += cols, to += stride) {
    M2U_INDEPENDENT
    for (int j = 0; j < cols; ++j) {
      to[j] = add ? to[j] + from[j] : from[j];
    }
  }
}

/// Packs all of b, for all threads: block by block and in it panel by panel, so the panels of a
/// block lie side by side.
template <ExecutionSpace S, class R>
void pack_all(S const& space, Product<R> const& product, R* packed) {
  int const panels = product.panels();
  int const blocks = pieces(product.depth, gemm_depth);
  Kokkos::parallel_for("m2u::linalg::gemm_pack", Kokkos::RangePolicy<S>(space, 0, panels * blocks),
                       [=](int task) {
                         int const from = task / panels * gemm_depth;
                         int const count = std::min(gemm_depth, product.depth - from);
                         int const panel = task % panels;
                         product.pack(from, count, panel,
                                      packed + (static_cast<std::ptrdiff_t>(from) * panels +
                                                static_cast<std::ptrdiff_t>(panel) * count) *
                                                   tile_cols<R>);
                       });
}

/// Second factors in packed form, for products with factors that do not change.
template <class R>
class PackedFactors {
 public:
  /// The packed form, made at the first call for this factor.
  template <ExecutionSpace S>
  R* find(S const& space, Product<R> const& product) {
    auto const same = [&](Entry const& entry) {
      auto const& known = entry.product;
      return known.b == product.b && known.b_inner == product.b_inner &&
             known.b_col == product.b_col && known.cols == product.cols &&
             known.depth == product.depth && known.scale == product.scale;
    };
    auto const found = std::find_if(entries_.begin(), entries_.end(), same);
    if (found != entries_.end()) {
      return found->packed.get();
    }
    Entry entry{product, aligned_array<R>(product.packed_size())};
    pack_all(space, product, entry.packed.get());
    entries_.push_back(std::move(entry));
    return entries_.back().packed.get();
  }

 private:
  struct Entry {
    Product<R> product;
    AlignedArray<R> packed;
  };
  std::vector<Entry> entries_;
};

/// The sum of the products by blocks of rows. A block is made in a buffer that stays in cache, for
/// `after` to put where it belongs: tiles that went straight to distant memory would wait for it.
/// @param kept where packed factors are kept, or nullptr
template <std::size_t terms, ExecutionSpace S, class R, class Before, class After>
void gemm_by_rows(S const& space, std::array<Product<R>, terms> const& products, int rows,
                  PackedFactors<R>* kept, Before const& before, After const& after) {
  std::array<R*, terms> packed{};
  std::size_t size = 0;
  for (auto const& product : products) {
    size += kept == nullptr ? product.packed_size() : 0;
  }
  R* next = gemm_workspace<R, Work::slabs>(size);
  for (std::size_t t = 0; t < terms; ++t) {
    if (kept != nullptr) {
      packed[t] = kept->find(space, products[t]);
      continue;
    }
    packed[t] = next;
    next += products[t].packed_size();
    pack_all(space, products[t], packed[t]);
  }
  Kokkos::parallel_for(
      "m2u::linalg::gemm", dynamic_tasks(space, row_blocks(rows)), [=](TeamMember<S> const& team) {
        int const first = team.league_rank() * rows_per_block;
        int const last = std::min(rows, first + rows_per_block);
        std::ptrdiff_t const cols = products[0].cols;
        R* const block =
            gemm_workspace<R, Work::block>(static_cast<std::size_t>(cols) * rows_per_block);
        before(team, first, last);
        bool add = false;
        for (std::size_t t = 0; t < terms; ++t) {
          auto const& product = products[t];
          for (int from = 0; from < product.depth; from += gemm_depth) {
            product.multiply(
                from, std::min(gemm_depth, product.depth - from), first, last,
                packed[t] + static_cast<std::ptrdiff_t>(from) * product.panels() * tile_cols<R>,
                block, add);
            add = true;
          }
        }
        if (!add) {
          std::fill_n(block, (last - first) * cols, R(0));  // the result of empty sums
        }
        after(team, first, last, block);
      });
}

/// Inner steps of a slab. Slabs come in eights, so that few threads share them out evenly, and are
/// so few that adding them up costs little.
inline int slab_steps(int depth) {
  int const slabs = depth <= 2048 ? 8 : 16 * pieces(depth, 16 * 1024);
  return pieces(depth, slabs);
}

/// Long sums into a small result, slab by slab of the sums.
template <ExecutionSpace S, class R>
void gemm_by_slabs(S const& space, Product<R> const& product, Strided<R> const& c,
                   bool accumulate) {
  int const steps = slab_steps(product.depth);
  int const slabs = pieces(product.depth, steps);
  std::ptrdiff_t const size = static_cast<std::ptrdiff_t>(c.rows) * c.cols;
  R* const partial = gemm_workspace<R, Work::slabs>(static_cast<std::size_t>(slabs * size));
  Kokkos::parallel_for("m2u::linalg::gemm_slabs", dynamic_tasks(space, slabs),
                       [=](TeamMember<S> const& team) {
                         int const from = team.league_rank() * steps;
                         product.multiply_packing(from, std::min(product.depth, from + steps), 0,
                                                  c.rows, partial + team.league_rank() * size);
                       });
  Kokkos::parallel_for("m2u::linalg::gemm_add_slabs", Kokkos::RangePolicy<S>(space, 0, c.rows),
                       [=](int row) {
                         R* const first = partial + static_cast<std::ptrdiff_t>(row) * c.cols;
                         for (int s = 1; s < slabs; ++s) {
                           put_rows(first + s * size, 1, c.cols, true, first, 0);
                         }
                         put_rows(first, 1, c.cols, accumulate, c.data + row * c.stride, 0);
                       });
}

/// What after-work is where the rows only have to be put in place.
template <class R>
struct PutRows {
  Strided<R> c;
  bool accumulate;

  template <class Team>
  void operator()(Team const& /*team*/, int first, int last, R const* block) const {
    put_rows(block, last - first, c.cols, accumulate, c.data + first * c.stride, c.stride);
  }
};

}  // namespace detail

/// Rows `first` … `first + count - 1` of c = op(a) · op(b), whose rows lie side by side, by this
/// thread alone.
template <class R>
void host_gemm_block(Strided<R> const& a, Strided<R> const& b, Strided<R> const& c,
                     GemmOptions const& options, int first, int count) {
  detail::Product<R> const product(a, b, options);
  R* const to = c.data + static_cast<std::ptrdiff_t>(first) * c.cols;
  if (product.depth == 0) {
    std::fill_n(to, static_cast<std::ptrdiff_t>(count) * c.cols, R(0));
  }
  product.multiply_packing(0, product.depth, first, first + count, to);
}

/// c = scale · op(a) · op(b) (+ c), with `before(team, first, last)` called for each block of rows
/// before they are computed: it may write those rows of a.
template <ExecutionSpace S, class R, class Before>
void host_gemm_before(S const& space, Strided<R> const& a, Strided<R> const& b, Strided<R> const& c,
                      GemmOptions const& options, Before const& before) {
  detail::gemm_by_rows(space, std::array{detail::Product<R>(a, b, options)}, c.rows,
                       static_cast<detail::PackedFactors<R>*>(nullptr), before,
                       detail::PutRows<R>{c, options.accumulate});
}

/// c = scale · op(a) · op(b) (+ c).
template <ExecutionSpace S, class R>
void host_gemm(S const& space, Strided<R> const& a, Strided<R> const& b, Strided<R> const& c,
               GemmOptions const& options) {
  detail::Product<R> const product(a, b, options);
  if (product.depth >= 2 * c.rows && product.depth > 2 * slab_depth) {
    detail::gemm_by_slabs(space, product, c, options.accumulate);
  } else {
    host_gemm_before(space, a, b, c, options, [](auto const&, int, int) {});
  }
}

}  // namespace m2u::backend
