// SPDX-License-Identifier: Apache-2.0
/// @file
/// The symmetric contrastive loss of two views with negatives across the views only.
#pragma once

#include "m2u/ops/nt_xent.hpp"

namespace m2u {

/// Rows of a and b are scaled to length one; the logits are a bᵀ / temperature. The result is half
/// the sum of the mean cross entropies of its rows and of its columns, row i belonging to column i
/// (Radford et al. 2021, CLIP); 0 for no rows and for one.
/// @param a [rows, cols]  @param b [rows, cols]  @param temperature positive
/// @return [1, 1]  @throws Error if the shapes do not fit or the temperature is not positive.
template <ExecutionSpace S, class R>
Scalar<S, R> symmetric_info_nce(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                                std::type_identity_t<R> temperature) {
  detail::check_views("symmetric_info_nce", a, b, temperature);
  int const rows = a.rows();
  double const sharpness = 1.0 / static_cast<double>(temperature);
  R const share = R(0.5) / static_cast<R>(rows > 0 ? rows : 1);
  auto const loss = tape.result(1, 1, a, b);
  auto const z = detail::stack_normalised(tape, a, b);
  auto const logits = tape.matrix(rows, rows);
  auto const mirrored =
      tape.matrix(rows, rows);  // the transpose: cheaper to multiply than to reduce
  auto const row_log_sums = tape.vector(rows);
  auto const col_log_sums = tape.vector(rows);
  auto const losses = tape.matrix(2 * rows, 1);
  auto const half = [](Matrix<R, S> const& all, int which) {
    return detail::StackedRows<S, R>::half_of(all, which);
  };
  gemm(tape.space(), z.half(0), z.half(1), logits, {.transpose_b = true, .scale = sharpness});
  gemm(tape.space(), z.half(1), z.half(0), mirrored, {.transpose_b = true, .scale = sharpness});
  kernels::log_sum_exp_rows(tape.space(), logits, false, row_log_sums);
  kernels::log_sum_exp_rows(tape.space(), mirrored, false, col_log_sums);
  kernels::pair_losses(tape.space(), logits, row_log_sums, 0, share, half(losses, 0));
  kernels::pair_losses(tape.space(), mirrored, col_log_sums, 0, share, half(losses, 1));
  ops::column_sum(tape, losses, loss.value, false);
  tape.record("symmetric_info_nce", loss, [=](Tape<S, R>& back, Matrix<R, S> const& dloss) {
    auto const w = back.matrix(rows, rows);
    auto const dz = back.matrix(2 * rows, a.cols());
    kernels::info_nce_logit_gradient(back.space(), logits, row_log_sums, col_log_sums, share, dloss,
                                     w);
    gemm(back.space(), w, z.half(1), half(dz, 0), {.scale = sharpness});
    gemm(back.space(), w, z.half(0), half(dz, 1), {.transpose_a = true, .scale = sharpness});
    detail::stack_normalised_backward(back, a, b, z, dz);
  });
  return loss;
}

}  // namespace m2u
