// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: sparse rows (CSR) times a dense table, and the gradient of the table.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = start + Σ weight · table(column) over the entries of row i.
/// @param start [1, cols], or an empty matrix for 0
template <ExecutionSpace S, class R>
void sparse_dense(S const& space, SparseRows<S> const& a, Matrix<R, S> const& table,
                  Matrix<R, S> const& start, Matrix<R, S> const& y) {
  int const cols = y.extent_int(1);
  bool const started = start.size() > 0;
  R const* const initial = start.data();
  R const* const from = table.data();
  R* const to = y.data();
  int const* const offsets = a.rows.offsets.data();
  int const* const columns = a.columns.data();
  float const* const weights = a.weights.data();
  Kokkos::parallel_for(
      "m2u::kernels::sparse_dense", team_policy(space, a.rows.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { out[j] = started ? initial[j] : R(0); });
        for (int k = offsets[i]; k < offsets[i + 1]; ++k) {
          R const* const in = from + static_cast<std::ptrdiff_t>(columns[k]) * cols;
          R const weight = static_cast<R>(weights[k]);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += weight * in[j]; });
        }
      });
}

/// dtable(column) += Σ weight · dy(i) over the entries of the column, for the columns in use.
template <ExecutionSpace S, class R>
void sparse_dense_backward(S const& space, SparseRows<S> const& a, Matrix<R, S> const& dy,
                           Matrix<R, S> const& dtable) {
  int const cols = dy.extent_int(1);
  R const* const from = dy.data();
  R* const to = dtable.data();
  int const* const used = a.used.data();
  int const* const offsets = a.uses.offsets.data();
  int const* const rows = a.use_rows.data();
  float const* const weights = a.use_weights.data();
  Kokkos::parallel_for(
      "m2u::kernels::sparse_dense_backward", team_policy(space, a.uses.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const u = team.league_rank();
        R* const out = to + static_cast<std::ptrdiff_t>(used[u]) * cols;
        for (int k = offsets[u]; k < offsets[u + 1]; ++k) {
          R const* const in = from + static_cast<std::ptrdiff_t>(rows[k]) * cols;
          R const weight = static_cast<R>(weights[k]);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] += weight * in[j]; });
        }
      });
}

}  // namespace m2u::kernels
