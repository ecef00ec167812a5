// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: losses over matrices of similarities between two views.
#pragma once

#include "m2u/core/exponential.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/team_reduce.hpp"

namespace m2u::kernels {

/// losses(i, 0) = share · (log_sums(i) - logits(i, i + shift)), columns modulo their number.
template <ExecutionSpace S, class R>
void pair_losses(S const& space, Matrix<R, S> const& logits, Vector<R, S> const& log_sums,
                 int shift, R share, Matrix<R, S> const& losses) {
  int const cols = logits.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::pair_losses", Kokkos::RangePolicy<S>(space, 0, logits.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        losses(i, 0) = share * (log_sums(i) - logits(i, (i + shift) % cols));
      });
}

/// NT-Xent's gradient for the symmetric logits z zᵀ of 2n rows, already added to its transpose, so
/// that dz = w z: w(i, j) = dloss · share · (p(i, j) + p(j, i) - 2 [j is i's pair]), 0 on the
/// diagonal, with p(i, j) = exp(logits(i, j) - log_sums(i)).
template <ExecutionSpace S, class R>
void nt_xent_logit_gradient(S const& space, Matrix<R, S> const& logits,
                            Vector<R, S> const& log_sums, R share, Matrix<R, S> const& dloss,
                            Matrix<R, S> const& w) {
  int const rows = logits.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::nt_xent_logit_gradient", team_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        int const pair = (i + rows / 2) % rows;
        R const* const in = logits.data() + static_cast<std::ptrdiff_t>(i) * rows;
        R const* const others = log_sums.data();
        R* const out = w.data() + static_cast<std::ptrdiff_t>(i) * rows;
        R const factor = share * dloss(0, 0);
        R const own = log_sums(i);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rows), [&](int j) {
          out[j] = factor * (exponential(in[j] - own) + exponential(in[j] - others[j]));
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] {  // apart, so that the loop above vectorises
          out[pair] -= R(2) * factor;
          out[i] = R(0);
        });
      });
}

/// w(i, j) = dloss · share · (softmax over row i + softmax over column j - 2 [i = j]) at (i, j).
template <ExecutionSpace S, class R>
void info_nce_logit_gradient(S const& space, Matrix<R, S> const& logits,
                             Vector<R, S> const& row_log_sums, Vector<R, S> const& col_log_sums,
                             R share, Matrix<R, S> const& dloss, Matrix<R, S> const& w) {
  int const cols = logits.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::info_nce_logit_gradient", team_policy(space, logits.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const in = logits.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const* const others = col_log_sums.data();
        R* const out = w.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const factor = share * dloss(0, 0);
        R const own = row_log_sums(i);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          out[j] = factor * (exponential(in[j] - own) + exponential(in[j] - others[j]));
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] { out[i] -= R(2) * factor; });
      });
}

/// losses(i, 0) = share · (1 - cos(a(i), b(i))). moments(i, ·) = cosine, length of a(i) and of
/// b(i), each length at least eps; a length that eps replaced is stored negative.
template <ExecutionSpace S, class R>
void cosine_losses(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, R eps, R share,
                   Matrix<R, S> const& moments, Matrix<R, S> const& losses) {
  int const cols = a.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::cosine_losses", team_policy(space, a.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const x = a.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const* const y = b.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const xx = Kokkos::sqrt(team_sum<R>(team, cols, [=](int j) { return x[j] * x[j]; }));
        R const yy = Kokkos::sqrt(team_sum<R>(team, cols, [=](int j) { return y[j] * y[j]; }));
        R const xy = team_sum<R>(team, cols, [=](int j) { return x[j] * y[j]; });
        R const cosine = xy / Kokkos::max(xx, eps) / Kokkos::max(yy, eps);
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          losses(i, 0) = share * (R(1) - cosine);
          moments(i, 0) = cosine;
          moments(i, 1) = xx < eps ? -eps : xx;
          moments(i, 2) = yy < eps ? -eps : yy;
        });
      });
}

/// da = -dloss · share · (b / (|a| |b|) - cosine · a / |a|²), 0 for an a without a direction.
/// `own` and `other` are the columns of `moments` with |a| and |b|.
template <ExecutionSpace S, class R>
void cosine_losses_backward(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b,
                            Matrix<R, S> const& moments, int own, int other, R share,
                            Matrix<R, S> const& dloss, Matrix<R, S> const& da, bool accumulate) {
  int const cols = a.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::cosine_losses_backward", team_policy(space, a.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const i = team.league_rank();
        R const* const x = a.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const* const y = b.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R* const out = da.data() + static_cast<std::ptrdiff_t>(i) * cols;
        R const length = moments(i, own);
        R const factor = length > R(0) ? -share * dloss(0, 0) / length : R(0);
        R const along_y = factor / Kokkos::abs(moments(i, other));
        R const along_x = factor * moments(i, 0) / length;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          store(out[j], along_y * y[j] - along_x * x[j], accumulate);
        });
      });
}

}  // namespace m2u::kernels
