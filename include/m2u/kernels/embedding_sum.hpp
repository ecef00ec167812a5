// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sums of embedding rows chosen by integer features.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/vocabularies.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = Σ_f table(offset(f) + features(i, f)).
template <ExecutionSpace S, class R>
void embedding_sum(S const& space, Matrix<R, S> const& table, Vocabularies const& vocabularies,
                   Matrix<int, S> const& features, Matrix<R, S> const& y) {
  int const count = features.extent_int(1);
  int const cols = table.extent_int(1);
  auto const offsets = vocabularies.offsets();
  R const* const from = table.data();
  R* const to = y.data();
  int const* const values = features.data();
  int const rows = features.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::embedding_sum", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
          int const* const chosen = values + static_cast<std::ptrdiff_t>(i) * count;
          for (int f = 0; f < count; ++f) {
            KOKKOS_ASSERT(chosen[f] >= 0 && chosen[f] < offsets[f + 1] - offsets[f]);
            R const* const in = from + static_cast<std::ptrdiff_t>(offsets[f] + chosen[f]) * cols;
            bool const further = f > 0;
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                                 [&](int j) { store(out[j], in[j], further); });
          }
        });
      });
}

/// kinds(i) = the number of the combination of features that row i has, among all combinations.
template <ExecutionSpace S>
void feature_kinds(S const& space, Vocabularies const& vocabularies, Matrix<int, S> const& features,
                   Vector<int, S> const& kinds) {
  int const count = features.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::feature_kinds", Kokkos::RangePolicy<S>(space, 0, features.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        int kind = 0;
        for (int f = 0; f < count; ++f) {
          kind = kind * vocabularies.size(f) + features(i, f);
        }
        kinds(i) = kind;
      });
}

/// The features of every combination, in the order of feature_kinds.
template <ExecutionSpace S>
void features_of_kinds(S const& space, Vocabularies const& vocabularies,
                       Matrix<int, S> const& features) {
  Kokkos::parallel_for(
      "m2u::kernels::features_of_kinds", Kokkos::RangePolicy<S>(space, 0, features.extent_int(0)),
      KOKKOS_LAMBDA(int kind) {
        int rest = kind;
        for (int f = features.extent_int(1) - 1; f >= 0; --f) {
          features(kind, f) = rest % vocabularies.size(f);
          rest /= vocabularies.size(f);
        }
      });
}

/// partial(b, row of the table) = Σ dy(i) over the rows i of block b that chose it. One team per
/// block and feature: features own disjoint rows of the table. partial: [blocks, rows of table ·
/// cols].
template <ExecutionSpace S, class R>
void embedding_sum_blocks(S const& space, Matrix<R, S> const& dy, Vocabularies const& vocabularies,
                          Matrix<int, S> const& features, int block_rows,
                          Matrix<R, S> const& partial) {
  int const rows = features.extent_int(0);
  int const count = features.extent_int(1);
  int const cols = dy.extent_int(1);
  auto const offsets = vocabularies.offsets();
  R const* const from = dy.data();
  R* const to = partial.data();
  std::ptrdiff_t const size = partial.extent_int(1);
  int const* const values = features.data();
  Kokkos::parallel_for(
      "m2u::kernels::embedding_sum_blocks", team_policy(space, partial.extent_int(0) * count),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const block = team.league_rank() / count;
        int const f = team.league_rank() % count;
        R* const sums = to + block * size + static_cast<std::ptrdiff_t>(offsets[f]) * cols;
        for (int v = 0; v < offsets[f + 1] - offsets[f]; ++v) {
          R* const out = sums + static_cast<std::ptrdiff_t>(v) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { out[j] = R(0); });
        }
        int const first = block * block_rows;
        int const last = Kokkos::min(rows, first + block_rows);
        for (int i = first; i < last; ++i) {
          R const* const in = from + static_cast<std::ptrdiff_t>(i) * cols;
          int const chosen = values[static_cast<std::ptrdiff_t>(i) * count + f];
          R* const out = sums + static_cast<std::ptrdiff_t>(chosen) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += in[j]; });
        }
      });
}

}  // namespace m2u::kernels
