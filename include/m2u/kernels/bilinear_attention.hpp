// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: bilinear attention between the rows of pairs of groups. A team owns a pair.
#pragma once

#include <cstdint>

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/team_gemm.hpp"
#include "m2u/kernels/team_reduce.hpp"

namespace m2u::kernels {

/// Columns of a pair's attention map in memory: its left rows, padded so that products need no
/// remainders.
KOKKOS_INLINE_FUNCTION int padded_left(int rows) { return (rows + 15) / 16 * 16; }

/// Where a pair's rows and maps are.
template <class R>
struct BilinearPair {
  int left;    ///< rows on the left
  int right;   ///< rows on the right
  int padded;  ///< of `left`
  R const* v;  ///< [left, width]
  R const* q;  ///< [right, width]
  std::ptrdiff_t first_left;
  std::ptrdiff_t first_right;
};

/// All pairs, by pointers: functors above 512 bytes, with views for example, wait for each other on
/// a GPU.
template <class R>
struct BilinearPairs {
  R const* v;
  R const* q;
  int const* left;  ///< offsets of the pairs' rows
  int const* right;
  std::int64_t const* cells;  ///< where their maps begin
  int const* slots;           ///< where their padded rows begin
  int width;

  KOKKOS_INLINE_FUNCTION BilinearPair<R> operator()(int pair) const {
    std::ptrdiff_t const l = left[pair];
    std::ptrdiff_t const r = right[pair];
    int const rows = left[pair + 1] - left[pair];
    return {rows, right[pair + 1] - right[pair], padded_left(rows), v + l * width, q + r * width, l,
            r};
  }
};
template <ExecutionSpace S, class R>
BilinearPairs<R> bilinear_pairs(Matrix<R, S> const& v, Matrix<R, S> const& q, Ragged<S> const& left,
                                Ragged<S> const& right, Vector<std::int64_t, S> const& cells,
                                Vector<int, S> const& slots) {
  return {v.data(),     q.data(),     left.offsets.data(), right.offsets.data(),
          cells.data(), slots.data(), v.extent_int(1)};
}

/// matrix(i, j) = 1 where i / group == j, else 0: a product with it adds neighbouring columns.
template <ExecutionSpace S, class R>
void column_groups(S const& space, int group, Matrix<R, S> const& matrix) {
  int const cols = matrix.extent_int(1);
  R* const out = matrix.data();
  Kokkos::parallel_for(
      "m2u::kernels::column_groups", Kokkos::RangePolicy<S>(space, 0, matrix.extent_int(0) * cols),
      KOKKOS_LAMBDA(int i) { out[i] = i / cols / group == i % cols ? R(1) : R(0); });
}

/// transposed(k, i) = v(i, k) · factor[k], zeros in the padding: [width, padded].
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void scaled_transpose(Team const& team, BilinearPair<R> const& at, int width,
                                             R const* factor, R* transposed) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, width), [&](int k) {
    R* const out = transposed + static_cast<std::ptrdiff_t>(k) * at.padded;
    for (int i = 0; i < at.padded; ++i) {
      out[i] = i < at.left ? at.v[static_cast<std::ptrdiff_t>(i) * width + k] * factor[k] : R(0);
    }
  });
}

/// rows(i, k) = v(i, k) · factor[k].
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void scale_rows(Team const& team, BilinearPair<R> const& at, int width,
                                       R const* factor, R* rows) {
  for (int i = 0; i < at.left; ++i) {
    auto const row = static_cast<std::ptrdiff_t>(i) * width;
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, width),
                         [&](int k) { rows[row + k] = at.v[row + k] * factor[k]; });
  }
}

/// map(j, i) = Σ_k w_k v(i, k) q(j, k) + bias, padded columns 0; u(i) = Σ_j map(j, i) q(j);
/// out(pair, k) = Σ_i v(i, k) u(i, k). transposed: workspace [padded left rows in total, width].
template <ExecutionSpace S, class R>
void bilinear_attention(S const& space, Matrix<R, S> const& v, Matrix<R, S> const& q,
                        Ragged<S> const& left, Ragged<S> const& right,
                        Vector<std::int64_t, S> const& cells, Vector<int, S> const& slots,
                        Matrix<R, S> const& weight, Matrix<R, S> const& bias,
                        Matrix<R, S> const& transposed, Vector<R, S> const& maps,
                        Matrix<R, S> const& u, Matrix<R, S> const& out) {
  int const width = v.extent_int(1);
  auto const pairs = bilinear_pairs(v, q, left, right, cells, slots);
  R const* const factors = weight.data();
  R const* const added = bias.data();
  R* const all_turned = transposed.data();
  R* const all_maps = maps.data();
  R* const all_rows = u.data();
  R* const results = out.data();
  Kokkos::parallel_for(
      "m2u::kernels::bilinear_attention", team_policy(space, left.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const pair = team.league_rank();
        auto const at = pairs(pair);
        R* const turned = all_turned + static_cast<std::ptrdiff_t>(pairs.slots[pair]) * width;
        R* const map = all_maps + pairs.cells[pair];
        R* const rows = all_rows + at.first_left * width;
        scaled_transpose(team, at, width, factors, turned);
        team.team_barrier();
        team_gemm(team, at.right, at.padded, width, TeamFactor<R>{at.q, width, 1},
                  TeamFactor<R>{turned, at.padded, 1}, TeamProduct<R>{map, at.padded});
        team.team_barrier();
        R const shift = added[0];
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, at.right * at.padded), [&](int cell) {
          map[cell] += cell % at.padded < at.left ? shift : R(0);
        });
        team.team_barrier();
        team_gemm(team, at.left, width, at.right, TeamFactor<R>{map, 1, at.padded},
                  TeamFactor<R>{at.q, width, 1}, TeamProduct<R>{rows, width});
        team.team_barrier();
        R* const result = results + static_cast<std::ptrdiff_t>(pair) * width;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, width), [&](int k) {
          R sum = 0;
          for (int i = 0; i < at.left; ++i) {
            auto const place = static_cast<std::ptrdiff_t>(i) * width + k;
            sum += at.v[place] * rows[place];
          }
          result[k] = sum;
        });
      });
}

/// What the backward pass writes; gradients that are not wanted have null data.
template <ExecutionSpace S, class R>
struct BilinearGradients {
  Matrix<R, S> dv;  ///< [left rows, width]
  Matrix<R, S> dq;  ///< [right rows, width]
  bool accumulate_v = false;
  bool accumulate_q = false;
  Matrix<R, S> dweight;  ///< [pairs, width], before their sum
  Matrix<R, S> dbias;    ///< [pairs, 1], before their sum
};

/// Gradients of all inputs from g = dout. Workspaces: transposed as above, dmaps as maps, rows
/// [left rows, width].
template <ExecutionSpace S, class R>
void bilinear_attention_backward(S const& space, Matrix<R, S> const& v, Matrix<R, S> const& q,
                                 Ragged<S> const& left, Ragged<S> const& right,
                                 Vector<std::int64_t, S> const& cells, Vector<int, S> const& slots,
                                 Matrix<R, S> const& weight, Vector<R, S> const& maps,
                                 Matrix<R, S> const& u, Matrix<R, S> const& dout,
                                 Matrix<R, S> const& transposed, Vector<R, S> const& dmaps,
                                 Matrix<R, S> const& scaled, Matrix<R, S> const& products,
                                 BilinearGradients<S, R> const& to) {
  int const width = v.extent_int(1);
  auto const pairs = bilinear_pairs(v, q, left, right, cells, slots);
  R const* const w = weight.data();
  R const* const all_maps = maps.data();
  R const* const all_u = u.data();
  R const* const all_g = dout.data();
  R* const all_turned = transposed.data();
  R* const all_dmaps = dmaps.data();
  R* const all_scaled = scaled.data();
  R* const all_products = products.data();
  R* const all_dv = to.dv.data();
  R* const all_dq = to.dq.data();
  R* const all_dweight = to.dweight.data();
  R* const all_dbias = to.dbias.data();
  bool const accumulate_v = to.accumulate_v;
  bool const accumulate_q = to.accumulate_q;
  Kokkos::parallel_for(
      "m2u::kernels::bilinear_attention_backward", team_policy(space, left.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const pair = team.league_rank();
        auto const at = pairs(pair);
        std::ptrdiff_t const base = at.first_left * width;
        R* const turned = all_turned + static_cast<std::ptrdiff_t>(pairs.slots[pair]) * width;
        R const* const map = all_maps + pairs.cells[pair];
        R* const dmap = all_dmaps + pairs.cells[pair];
        R const* const g = all_g + static_cast<std::ptrdiff_t>(pair) * width;
        R* const rows = all_scaled + base;
        R* const product = all_products + base;
        scaled_transpose(team, at, width, g, turned);
        team.team_barrier();
        team_gemm(team, at.right, at.padded, width, TeamFactor<R>{at.q, width, 1},
                  TeamFactor<R>{turned, at.padded, 1}, TeamProduct<R>{dmap, at.padded});
        team.team_barrier();
        team_gemm(team, at.left, width, at.right, TeamFactor<R>{dmap, 1, at.padded},
                  TeamFactor<R>{at.q, width, 1}, TeamProduct<R>{product, width});
        team.team_barrier();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, width), [&](int k) {
          R sum = 0;
          for (int i = 0; i < at.left; ++i) {
            auto const place = static_cast<std::ptrdiff_t>(i) * width + k;
            sum += at.v[place] * product[place];
            if (all_dv != nullptr) {
              store(all_dv[base + place], g[k] * all_u[base + place] + w[k] * product[place],
                    accumulate_v);
            }
          }
          all_dweight[static_cast<std::ptrdiff_t>(pair) * width + k] = sum;
        });
        // The padding of dmap is 0, as that of `turned` is.
        R const shift =
            team_sum<R>(team, at.right * at.padded, [&](int cell) { return dmap[cell]; });
        Kokkos::single(Kokkos::PerTeam(team), [&] { all_dbias[pair] = shift; });
        if (all_dq == nullptr) {
          return;
        }
        R* const dq = all_dq + at.first_right * width;
        scale_rows(team, at, width, g, rows);
        team.team_barrier();
        team_gemm(team, at.right, width, at.left, TeamFactor<R>{map, at.padded, 1},
                  TeamFactor<R>{rows, width, 1}, TeamProduct<R>{dq, width, R(1), accumulate_q});
        team.team_barrier();
        scale_rows(team, at, width, w, rows);
        team.team_barrier();
        team_gemm(team, at.right, width, at.left, TeamFactor<R>{dmap, at.padded, 1},
                  TeamFactor<R>{rows, width, 1}, TeamProduct<R>{dq, width, R(1), true});
      });
}

}  // namespace m2u::kernels
