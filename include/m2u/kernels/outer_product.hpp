// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: outer products of rows.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i, j · n + k) = a(i, j) b(i, k), n the columns of b.
template <ExecutionSpace S, class R>
void outer_product(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b,
                   Matrix<R, S> const& y) {
  int const cols = b.extent_int(1);
  int const all = y.extent_int(1);
  int const rows = y.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::outer_product", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, all),
                               [&](int c) { y(i, c) = a(i, c / cols) * b(i, c % cols); });
        });
      });
}

/// da(i, j) = Σ_k dy(i, j · n + k) b(i, k), n the columns of b.
template <ExecutionSpace S, class R>
void outer_product_left(S const& space, Matrix<R, S> const& b, Matrix<R, S> const& dy,
                        Matrix<R, S> const& da, bool accumulate) {
  int const cols = b.extent_int(1);
  int const all = da.extent_int(1);
  int const rows = da.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::outer_product_left", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, all), [&](int j) {
            R sum = 0;
            for (int k = 0; k < cols; ++k) {
              sum += dy(i, j * cols + k) * b(i, k);
            }
            store(da(i, j), sum, accumulate);
          });
        });
      });
}

/// db(i, k) = Σ_j dy(i, j · n + k) a(i, j), n the columns of db.
template <ExecutionSpace S, class R>
void outer_product_right(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& dy,
                         Matrix<R, S> const& db, bool accumulate) {
  int const cols = db.extent_int(1);
  int const others = a.extent_int(1);
  int const rows = db.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::outer_product_right", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int k) {
            R sum = 0;
            for (int j = 0; j < others; ++j) {
              sum += dy(i, j * cols + k) * a(i, j);
            }
            store(db(i, k), sum, accumulate);
          });
        });
      });
}

}  // namespace m2u::kernels
