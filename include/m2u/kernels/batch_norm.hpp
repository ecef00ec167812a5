// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: normalisation of each column.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/columns.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/row_blocks.hpp"

namespace m2u::kernels {

/// Mean and sum of squared deviations of each column in each block of rows: [row_blocks(rows),
/// cols] each. Two passes over a block that stays in cache.
template <ExecutionSpace S, class R>
void batch_moment_blocks(S const& space, Matrix<R, S> const& x, Matrix<R, S> const& means,
                         Matrix<R, S> const& squares) {
  int const rows = x.extent_int(0);
  int const cols = x.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::batch_moment_blocks", team_policy(space, row_blocks(rows)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = team.league_rank() * rows_per_block;
        int const last = Kokkos::min(rows, first + rows_per_block);
        R const share = R(1) / static_cast<R>(last - first);
        R* const mean = means.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R* const square = squares.data() + static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R const* const all = x.data();
        auto const value = [=](int i, int j) {
          return all[static_cast<std::ptrdiff_t>(i) * cols + j];
        };
        sum_block_rows(team, first, last, cols, share, value, mean);
        team.team_barrier();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) { square[j] = R(0); });
        for (int i = first; i < last; ++i) {
          R const* const in = x.data() + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { square[j] += (in[j] - mean[j]) * (in[j] - mean[j]); });
        }
      });
}

/// Mean and sum of squared deviations of some rows, joined as Chan, Golub and LeVeque (1979) do.
template <class R>
struct Moments {
  R mean = 0;
  R square = 0;
  int rows = 0;

  KOKKOS_INLINE_FUNCTION void join(Moments const& other) {
    if (rows == 0 || other.rows == 0) {
      *this = rows == 0 ? other : *this;
      return;
    }
    R const share = static_cast<R>(other.rows) / static_cast<R>(rows + other.rows);
    R const apart = other.mean - mean;
    mean += apart * share;
    square += other.square + apart * apart * share * static_cast<R>(rows);
    rows += other.rows;
  }
};

/// A block's moments of a column.
template <class R>
struct LoadMoments {
  R const* means;    ///< [blocks, cols]
  R const* squares;  ///< [blocks, cols]
  int rows;
  int cols;

  KOKKOS_INLINE_FUNCTION Moments<R> operator()(int b, int j) const {
    auto const at = static_cast<std::ptrdiff_t>(b) * cols + j;
    int const before = b * rows_per_block;
    return {means[at], squares[at], Kokkos::min(rows, before + rows_per_block) - before};
  }
};

/// Stores a column's statistics and moves the running ones.
template <class R>
struct StoreMoments {
  R* statistics;  ///< [2, cols]
  R* running_mean;
  R* running_variance;
  int cols;
  R eps;
  R momentum;

  KOKKOS_INLINE_FUNCTION void operator()(int j, Moments<R> const& all) const {
    auto const rows = static_cast<R>(all.rows);
    statistics[j] = all.mean;
    statistics[cols + j] = R(1) / Kokkos::sqrt(all.square / rows + eps);
    running_mean[j] += momentum * (all.mean - running_mean[j]);
    running_variance[j] +=
        momentum * (all.square / static_cast<R>(all.rows - 1) - running_variance[j]);
  }
};

/// statistics(0, j) and (1, j): mean and reciprocal standard deviation of column j, from the blocks
/// in their order. The running statistics move by `momentum` towards the mean and the unbiased
/// variance. rows ≥ 2.
template <ExecutionSpace S, class R>
void batch_moments(S const& space, Matrix<R, S> const& means, Matrix<R, S> const& squares, int rows,
                   R eps, R momentum, Matrix<R, S> const& statistics,
                   Matrix<R, S> const& running_mean, Matrix<R, S> const& running_variance) {
  int const blocks = means.extent_int(0);
  int const cols = means.extent_int(1);
  LoadMoments<R> const load{means.data(), squares.data(), rows, cols};
  StoreMoments<R> const store_all{
      statistics.data(), running_mean.data(), running_variance.data(), cols, eps, momentum};
  if constexpr (on_host<S>) {
    Kokkos::parallel_for("m2u::kernels::batch_moments", Kokkos::RangePolicy<S>(space, 0, cols),
                         [=](int j) {
                           Moments<R> all;
                           for (int b = 0; b < blocks; ++b) {
                             all.join(load(b, j));
                           }
                           store_all(j, all);
                         });
  } else {
    join_blocks<Moments<R>>(space, "m2u::kernels::batch_moments", blocks, cols, load, store_all);
  }
}

/// The same statistics from the running ones.
template <ExecutionSpace S, class R>
void running_moments(S const& space, Matrix<R, S> const& running_mean,
                     Matrix<R, S> const& running_variance, R eps, Matrix<R, S> const& statistics) {
  Kokkos::parallel_for(
      "m2u::kernels::running_moments", Kokkos::RangePolicy<S>(space, 0, running_mean.extent_int(1)),
      KOKKOS_LAMBDA(int j) {
        statistics(0, j) = running_mean(0, j);
        statistics(1, j) = R(1) / Kokkos::sqrt(running_variance(0, j) + eps);
      });
}

/// What is normalised, and by what. All [1, cols] but x; statistics: means, then reciprocal
/// standard deviations.
template <class R>
struct NormTerm {
  R const* x = nullptr;  ///< [rows, cols]
  R const* gamma = nullptr;
  R const* beta = nullptr;
  R const* statistics = nullptr;
};
template <class R, int terms>
using NormTerms = Kokkos::Array<NormTerm<R>, static_cast<std::size_t>(terms)>;

/// y = Σ over the terms of (x - mean) · rstd · gamma + beta.
template <int terms, ExecutionSpace S, class R>
void batch_norm(S const& space, NormTerms<R, terms> const& all, Matrix<R, S> const& y) {
  int const cols = y.extent_int(1);
  int const rows = y.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::batch_norm", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          auto const row = static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = y.data() + row;
          for (int t = 0; t < terms; ++t) {
            R const* const in = all[t].x + row;
            R const* const mean = all[t].statistics;
            R const* const rstd = mean + cols;
            R const* const scale = all[t].gamma;
            R const* const shift = all[t].beta;
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
              store(out[j], (in[j] - mean[j]) * rstd[j] * scale[j] + shift[j], t > 0);
            });
          }
        });
      });
}

/// For each block of rows the sums of dy · x̂ for each term and of dy for all of them:
/// [row_blocks(rows), cols] each.
template <int terms, ExecutionSpace S, class R>
void batch_norm_parameter_blocks(S const& space, NormTerms<R, terms> const& all,
                                 Matrix<R, S> const& dy,
                                 Kokkos::Array<R*, static_cast<std::size_t>(terms)> const& dgamma,
                                 Matrix<R, S> const& dbeta) {
  int const rows = dy.extent_int(0);
  int const cols = dy.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::batch_norm_parameter_blocks", team_policy(space, row_blocks(rows)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = team.league_rank() * rows_per_block;
        int const last = Kokkos::min(rows, first + rows_per_block);
        auto const offset = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        R const* const gradient = dy.data();
        auto const plain = [=](int i, int j) {
          return gradient[static_cast<std::ptrdiff_t>(i) * cols + j];
        };
        sum_block_rows(team, first, last, cols, R(1), plain, dbeta.data() + offset);
        for (int t = 0; t < terms; ++t) {
          R const* const in = all[t].x;
          R const* const mean = all[t].statistics;
          R const* const rstd = mean + cols;
          auto const scaled = [=](int i, int j) {
            auto const at = static_cast<std::ptrdiff_t>(i) * cols + j;
            return gradient[at] * (in[at] - mean[j]) * rstd[j];
          };
          sum_block_rows(team, first, last, cols, R(1), scaled, dgamma[t] + offset);
        }
      });
}

/// Where a term's gradient goes, and the sums over all rows that it takes.
template <class R>
struct NormGradient {
  R* dx = nullptr;            ///< [rows, cols], or nullptr: not asked for
  R const* dgamma = nullptr;  ///< [1, cols]
  bool accumulate = false;
};

/// For each term dx = gamma · rstd · (dy - share · (dbeta + x̂ · dgamma)); share: 1 / rows where the
/// statistics are those of the batch, 0 where they are constants (dgamma and dbeta are then not
/// read).
template <int terms, ExecutionSpace S, class R>
void batch_norm_backward(
    S const& space, NormTerms<R, terms> const& all,
    Kokkos::Array<NormGradient<R>, static_cast<std::size_t>(terms)> const& gradients,
    Matrix<R, S> const& dy, Matrix<R, S> const& dbeta, R share) {
  int const cols = dy.extent_int(1);
  int const rows = dy.extent_int(0);
  Kokkos::parallel_for(
      "m2u::kernels::batch_norm_backward", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          auto const row = static_cast<std::ptrdiff_t>(i) * cols;
          R const* const gradient = dy.data() + row;
          R const* const plain = dbeta.data();
          for (int t = 0; t < terms; ++t) {
            if (gradients[t].dx == nullptr) {
              continue;
            }
            R const* const in = all[t].x + row;
            R const* const mean = all[t].statistics;
            R const* const rstd = mean + cols;
            R const* const scale = all[t].gamma;
            R const* const scaled = gradients[t].dgamma;
            R* const out = gradients[t].dx + row;
            bool const accumulate = gradients[t].accumulate;
            auto const columns = Kokkos::TeamVectorRange(team, cols);
            if (share == R(0)) {
              Kokkos::parallel_for(columns, [&](int j) {
                store(out[j], scale[j] * rstd[j] * gradient[j], accumulate);
              });
              continue;
            }
            Kokkos::parallel_for(columns, [&](int j) {
              R const normalised = (in[j] - mean[j]) * rstd[j];
              store(
                  out[j],
                  scale[j] * rstd[j] * (gradient[j] - share * (plain[j] + normalised * scaled[j])),
                  accumulate);
            });
          }
        });
      });
}

}  // namespace m2u::kernels
