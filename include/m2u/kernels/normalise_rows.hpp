// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: rows scaled to Euclidean length one.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// length(i) = max(|x(i)|, eps), negative where eps was the larger; y(i) = x(i) / that maximum.
template <ExecutionSpace S, class R>
void l2_normalise_rows(S const& space, Matrix<R, S> const& x, R eps, Matrix<R, S> const& y,
                       Vector<R, S> const& length) {
  int const cols = x.extent_int(1);
  R const* const from = x.data();
  R* const to = y.data();
  R* const lengths = length.data();
  Kokkos::parallel_for(
      "m2u::kernels::l2_normalise_rows", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const in = from + static_cast<std::ptrdiff_t>(i) * cols;
        R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
        R squares = 0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, cols), [&](int j, R& sum) { sum += in[j] * in[j]; },
            squares);
        R const norm = Kokkos::sqrt(squares);
        R const inverse = R(1) / (norm < eps ? eps : norm);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { out[j] = inverse * in[j]; });
        Kokkos::single(Kokkos::PerTeam(team), [&] { lengths[i] = norm < eps ? -eps : norm; });
      });
}

/// dx = (dy - y · (y·dy)) / |x|, and dy / eps for rows shorter than eps, which eps scaled.
template <ExecutionSpace S, class R>
void l2_normalise_rows_backward(S const& space, Matrix<R, S> const& dy, Matrix<R, S> const& y,
                                Vector<R, S> const& length, Matrix<R, S> const& dx,
                                bool accumulate) {
  int const cols = dy.extent_int(1);
  R const* const gradients = dy.data();
  R const* const values = y.data();
  R const* const lengths = length.data();
  R* const to = dx.data();
  Kokkos::parallel_for(
      "m2u::kernels::l2_normalise_rows_backward", team_policy(space, dy.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const gradient = gradients + static_cast<std::ptrdiff_t>(i) * cols;
        R const* const value = values + static_cast<std::ptrdiff_t>(i) * cols;
        R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
        R dot = 0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, cols),
            [&](int j, R& sum) { sum += value[j] * gradient[j]; }, dot);
        R const along = lengths[i] > R(0) ? dot : R(0);
        R const inverse = R(1) / Kokkos::abs(lengths[i]);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          store(out[j], inverse * (gradient[j] - along * value[j]), accumulate);
        });
      });
}

}  // namespace m2u::kernels
