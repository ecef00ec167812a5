// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: normalisation of each row.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/team_reduce.hpp"

namespace m2u::kernels {

/// y = (x - mean) · rstd · gamma + beta with each row's mean and reciprocal standard deviation,
/// which are stored: statistics(i, 0) and statistics(i, 1).
template <ExecutionSpace S, class R>
void layer_norm(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& gamma,
                Matrix<R, S> const& beta, R eps, Matrix<R, S> const& y,
                Matrix<R, S> const& statistics) {
  int const cols = x.extent_int(1);
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::layer_norm", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = y.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R const* const scale = gamma.data();
          R const* const shift = beta.data();
          R const share = R(1) / static_cast<R>(cols);
          R const mean = share * team_sum<R>(team, cols, [=](int j) { return in[j]; });
          R const variance = share * team_sum<R>(team, cols, [=](int j) {
                               return (in[j] - mean) * (in[j] - mean);
                             });
          R const rstd = R(1) / Kokkos::sqrt(variance + eps);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            out[j] = (in[j] - mean) * rstd * scale[j] + shift[j];
          });
          Kokkos::single(Kokkos::PerTeam(team), [&] {
            statistics(i, 0) = mean;
            statistics(i, 1) = rstd;
          });
        });
      });
}

/// dx = rstd · (g - mean(g) - x̂ · mean(g · x̂)) with g = dy · gamma and x̂ the normalised row.
template <ExecutionSpace S, class R>
void layer_norm_backward(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& gamma,
                         Matrix<R, S> const& statistics, Matrix<R, S> const& dy,
                         Matrix<R, S> const& dx, bool accumulate) {
  int const cols = x.extent_int(1);
  int const rows = x.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::layer_norm_backward", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = dx.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R const* const scale = gamma.data();
          R const mean = statistics(i, 0);
          R const rstd = statistics(i, 1);
          R const share = R(1) / static_cast<R>(cols);
          R const along_one =
              share * team_sum<R>(team, cols, [=](int j) { return gradient[j] * scale[j]; });
          R const along_x = share * team_sum<R>(team, cols, [=](int j) {
                              return gradient[j] * scale[j] * (in[j] - mean) * rstd;
                            });
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            R const normalised = (in[j] - mean) * rstd;
            store(out[j], rstd * (gradient[j] * scale[j] - along_one - normalised * along_x),
                  accumulate);
          });
        });
      });
}

/// For each block of rows the sums of dy · x̂ and of dy: [row_blocks(rows), cols] each.
template <ExecutionSpace S, class R>
void layer_norm_parameter_blocks(S const& space, Matrix<R, S> const& x,
                                 Matrix<R, S> const& statistics, Matrix<R, S> const& dy,
                                 Matrix<R, S> const& dgamma, Matrix<R, S> const& dbeta) {
  int const rows = x.extent_int(0);
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::layer_norm_parameter_blocks", team_policy(space, row_blocks(rows)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = team.league_rank() * rows_per_block;
        int const last = Kokkos::min(rows, first + rows_per_block);
        R* const scaled = dgamma.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R* const plain = dbeta.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          scaled[j] = R(0);
          plain[j] = R(0);
        });
        for (int i = first; i < last; ++i) {
          R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(i) * cols;
          R const mean = statistics(i, 0);
          R const rstd = statistics(i, 1);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            scaled[j] += gradient[j] * (in[j] - mean) * rstd;
            plain[j] += gradient[j];
          });
        }
      });
}

}  // namespace m2u::kernels
