// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: log-softmax of rows, and the losses and gradients that are made of it.
#pragma once

#include "m2u/core/exponential.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/team_reduce.hpp"

namespace m2u::kernels {

/// log_sums(i) = log Σ_j exp(x(i, j)), without j = i if `skip_diagonal`.
template <ExecutionSpace S, class R>
void log_sum_exp_rows(S const& space, Matrix<R, S> const& x, bool skip_diagonal,
                      Vector<R, S> const& log_sums) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::log_sum_exp_rows", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
        int const skipped = skip_diagonal ? i : -1;
        R const lowest = -Kokkos::Experimental::finite_max_v<R>;
        auto const at = [=](int j) { return j == skipped ? lowest : in[j]; };
        R const largest = team_max<R>(team, cols, at);
        R const sum = team_sum<R>(team, cols, [=](int j) { return exponential(at(j) - largest); });
        Kokkos::single(Kokkos::PerTeam(team), [&] { log_sums(i) = largest + Kokkos::log(sum); });
      });
}

/// losses(i, 0) = share · (log_sums(i) - x(i, labels(i))), NaN for a label out of range.
template <ExecutionSpace S, class R>
void label_losses(S const& space, Matrix<R, S> const& x, Vector<int, S> const& labels,
                  Vector<R, S> const& log_sums, R share, Matrix<R, S> const& losses) {
  int const classes = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::label_losses", Kokkos::RangePolicy<S>(space, 0, x.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        int const label = labels(i);
        losses(i, 0) = label >= 0 && label < classes ? share * (log_sums(i) - x(i, label))
                                                     : Kokkos::Experimental::quiet_NaN_v<R>;
      });
}

/// dx = dloss · share · (softmax(x) - one-hot label).
template <ExecutionSpace S, class R>
void label_losses_backward(S const& space, Matrix<R, S> const& x, Vector<int, S> const& labels,
                           Vector<R, S> const& log_sums, R share, Matrix<R, S> const& dloss,
                           Matrix<R, S> const& dx, bool accumulate) {
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::label_losses_backward", team_policy(space, x.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R* const out = dx.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const factor = share * dloss(0, 0);
        R const log_sum = log_sums(i);
        int const label = labels(i);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          store(out[j], factor * exponential(in[j] - log_sum), accumulate);
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          if (label >= 0 && label < cols) {
            out[label] -= factor;
          }
        });
      });
}

}  // namespace m2u::kernels
