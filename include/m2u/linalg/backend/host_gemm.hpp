// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm on the host. The second factor is packed into panels as wide as a tile of the result. What
/// is shared out is blocks of rows of the result or, where the sums are long and the result is
/// small (gradients of weights), slabs of the sums. The partition is a property of the sizes, so
/// results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "m2u/core/space.hpp"
#include "m2u/linalg/backend/host_product.hpp"

namespace m2u::backend {

namespace detail {

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
  if (product.thin()) {
    return;
  }
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
