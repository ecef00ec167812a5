// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: aggregation by filters that are linear in a few features of the edge. No filter is
/// stored: Σ_k x(k) ∘ (W f_k) = Σ_f W(·, f) ∘ M_f with the moments M_f = Σ_k f_k(f) x(k), which
/// stay in registers for some columns and features at a time.
#pragma once

#include <type_traits>

#include "m2u/core/config.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/linalg/backend/host_tile.hpp"

namespace m2u::kernels {

/// Groups that one team handles where filters' gradients are summed: a fixed partition.
inline constexpr int moment_groups_per_block = 16;
constexpr int moment_blocks(int groups) {
  return (groups + moment_groups_per_block - 1) / moment_groups_per_block;
}

/// b = aᵀ, or b += aᵀ with `accumulate`.
template <ExecutionSpace S, class R>
void transpose(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, bool accumulate) {
  int const cols = b.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::transpose", Kokkos::RangePolicy<S>(space, 0, b.size()),
      KOKKOS_LAMBDA(std::size_t i) {
        auto const row = static_cast<int>(i / static_cast<std::size_t>(cols));
        auto const col = static_cast<int>(i % static_cast<std::size_t>(cols));
        store(b(row, col), a(col, row), accumulate);
      });
}

/// The edges of groups with the rows that they carry and their features.
template <class R>
struct MomentEdges {
  int const* offsets;  ///< of the groups' entries
  int const* edges;    ///< per entry the edge, or nullptr: the entry itself
  int const* rows;     ///< per edge a row of `a`
  R const* a;          ///< [rows, cols]
  R const* features;   ///< [edges, count]
  R const* filter;     ///< Wᵀ: [count, cols]
  R const* x;          ///< [groups, cols], for the filter's gradient; may be nullptr
  int cols;
  int count;
};

namespace detail {

/// For one column and `chunk` features from `feature` on: the moments m(f) over the group's edges,
/// then y += Σ_f Wᵀ(f) m(f) and dw(f) += x m(f). y, dw: at the group's row and the block's sum, or
/// nullptr.
template <int chunk, class R>
KOKKOS_INLINE_FUNCTION void add_moments(MomentEdges<R> const& e, int group, int feature, int col,
                                        R* y, R* dw) {
  R moment[chunk] = {};
  for (int p = e.offsets[group]; p < e.offsets[group + 1]; ++p) {
    int const edge = e.edges == nullptr ? p : e.edges[p];
    R const in = e.a[static_cast<std::ptrdiff_t>(e.rows[edge]) * e.cols + col];
    R const* const factor = e.features + static_cast<std::ptrdiff_t>(edge) * e.count + feature;
    for (int f = 0; f < chunk; ++f) {
      moment[f] += factor[f] * in;
    }
  }
  for (int f = 0; f < chunk; ++f) {
    std::ptrdiff_t const at = static_cast<std::ptrdiff_t>(feature + f) * e.cols + col;
    if (y != nullptr) {
      y[col] += e.filter[at] * moment[f];
    }
    if (dw != nullptr) {
      dw[at] += e.x[static_cast<std::ptrdiff_t>(group) * e.cols + col] * moment[f];
    }
  }
}

/// The same for a panel of tile_cols columns on the host: the moments fill the registers as a tile
/// of gemm does, with rows gathered by the edges in place of a packed panel.
template <int chunk, class R>
inline void add_moment_panel(MomentEdges<R> const& e, int group, int feature, int col, R* y,
                             R* dw) {
  using V = backend::HostVector<R>;
  constexpr int vectors = backend::tile_vectors;
  constexpr int lanes = backend::lanes<R>;
  V moment[chunk][vectors];
  for (int f = 0; f < chunk; ++f) {
    for (int v = 0; v < vectors; ++v) {
      moment[f][v] = V{};
    }
  }
  for (int p = e.offsets[group]; p < e.offsets[group + 1]; ++p) {
    int const edge = e.edges == nullptr ? p : e.edges[p];
    R const* const in = e.a + static_cast<std::ptrdiff_t>(e.rows[edge]) * e.cols + col;
    R const* const factor = e.features + static_cast<std::ptrdiff_t>(edge) * e.count + feature;
    V row[vectors];
    M2U_UNROLL(4)
    for (int v = 0; v < vectors; ++v) {
      row[v] = backend::load_vector(in + v * lanes);
    }
    M2U_UNROLL(16)
    for (int f = 0; f < chunk; ++f) {
      M2U_UNROLL(4)
      for (int v = 0; v < vectors; ++v) {
        moment[f][v] += factor[f] * row[v];
      }
    }
  }
  std::ptrdiff_t const cols = e.cols;
  std::ptrdiff_t const first = feature * cols + col;
  M2U_UNROLL(4)
  for (int v = 0; v < vectors; ++v) {
    int const c = v * lanes;
    if (y != nullptr) {
      V sum = backend::load_vector(y + col + c);
      M2U_UNROLL(16)
      for (int f = 0; f < chunk; ++f) {
        sum += backend::load_vector(e.filter + first + f * cols + c) * moment[f][v];
      }
      backend::store_vector(y + col + c, sum);
    }
    if (dw != nullptr) {
      V const x = backend::load_vector(e.x + group * cols + col + c);
      M2U_UNROLL(16)
      for (int f = 0; f < chunk; ++f) {
        R* const to = dw + first + f * cols + c;
        backend::store_vector(to, backend::load_vector(to) + x * moment[f][v]);
      }
    }
  }
}

/// One column, or with `panel` tile_cols columns.
M2U_HOST_BRANCH
template <bool panel, int chunk, class R>
KOKKOS_INLINE_FUNCTION void add_chunk(MomentEdges<R> const& e, int group, int feature, int col,
                                      R* y, R* dw) {
  if constexpr (panel) {
    add_moment_panel<chunk>(e, group, feature, col, y, dw);
  } else {
    add_moments<chunk>(e, group, feature, col, y, dw);
  }
}

/// The same for all features.
template <bool panel, class R>
KOKKOS_INLINE_FUNCTION void add_all_moments(MomentEdges<R> const& e, int group, int col, R* y,
                                            R* dw) {
  int f = 0;
  if constexpr (panel && backend::tile_rows == 12) {
    for (; f + 12 <= e.count; f += 12) {
      add_chunk<panel, 12>(e, group, f, col, y, dw);
    }
  }
  for (; f + 6 <= e.count; f += 6) {
    add_chunk<panel, 6>(e, group, f, col, y, dw);
  }
  for (; f + 2 <= e.count; f += 2) {
    add_chunk<panel, 2>(e, group, f, col, y, dw);
  }
  if (f < e.count) {
    add_chunk<panel, 1>(e, group, f, col, y, dw);
  }
}

}  // namespace detail

/// y(i) = Σ over the edges of group i of a(row) ∘ (W · features(edge)); with dw also
/// dw(b, f · cols + c) = Σ over the groups i of block b of x(i, c) · M_f(i, c). Without data, y or
/// dw is left out.
template <ExecutionSpace S, class R>
void filtered_moments(S const& space, MomentEdges<R> const& edges, int groups,
                      Matrix<R, S> const& y, bool accumulate, Matrix<R, S> const& dw) {
  constexpr int width = on_host<S> ? backend::tile_cols<R> : 1;
  bool const sums = dw.data() != nullptr;
  int const per_block = sums ? moment_groups_per_block : 1;
  int const blocks = sums ? moment_blocks(groups) : groups;
  Kokkos::parallel_for(
      "m2u::kernels::filtered_moments", team_policy(space, blocks),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const cols = edges.cols;
        int const first = team.league_rank() * per_block;
        int const last = Kokkos::min(groups, first + per_block);
        std::ptrdiff_t const size = static_cast<std::ptrdiff_t>(edges.count) * cols;
        R* const block = sums ? dw.data() + team.league_rank() * size : nullptr;
        int const pieces = (cols + width - 1) / width;
        // On the host group by group: its edges' features stay in cache for all columns.
        int const at_once = on_host<S> ? 1 : per_block;
        for (int begin = first; begin < last; begin += at_once) {
          int const end = Kokkos::min(last, begin + at_once);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, pieces), [&](int piece) {
            int const from = piece * width;
            int const to = Kokkos::min(cols, from + width);
            for (int f = 0; f < edges.count && sums && begin == first; ++f) {
              for (int c = from; c < to; ++c) {
                block[static_cast<std::ptrdiff_t>(f) * cols + c] = R(0);
              }
            }
            for (int group = begin; group < end; ++group) {
              R* const out = y.data() == nullptr
                                 ? nullptr
                                 : y.data() + static_cast<std::ptrdiff_t>(group) * cols;
              for (int c = from; c < to && out != nullptr && !accumulate; ++c) {
                out[c] = R(0);
              }
              if (on_host<S> && to - from == width) {
                detail::add_all_moments<on_host<S>>(edges, group, from, out, block);
                continue;
              }
              for (int c = from; c < to; ++c) {
                detail::add_all_moments<false>(edges, group, c, out, block);
              }
            }
          });
        }
      });
}

}  // namespace m2u::kernels
