// SPDX-License-Identifier: Apache-2.0
/// @file
/// The cosine distance of paired rows.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/contrastive.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

/// Mean over the rows of 1 - cos(a(i), b(i)); 0 for no rows. A row shorter than 1e-8 has no
/// direction: its length counts as 1e-8 and its gradient is 0.
/// @param a [rows, cols]  @param b [rows, cols]
/// @return [1, 1]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Scalar<S, R> cosine_loss(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  expects(shape(a) == shape(b), "cosine_loss: ", shape(a), " and ", shape(b),
          " must have the same shape; row i of one belongs to row i of the other");
  R const share = R(1) / static_cast<R>(a.rows() > 0 ? a.rows() : 1);
  auto const loss = tape.result(1, 1, a, b);
  auto const moments = tape.matrix(a.rows(), 3);
  auto const losses = tape.matrix(a.rows(), 1);
  kernels::cosine_losses(tape.space(), a.value, b.value, R(1e-8), share, moments, losses);
  ops::column_sum(tape, losses, loss.value, false);
  tape.record("cosine_loss", loss, [=](Tape<S, R>& back, Matrix<R, S> const& dloss) {
    if (a.differentiable()) {
      auto const [da, accumulate] = back.gradient(a);
      kernels::cosine_losses_backward(back.space(), a.value, b.value, moments, 1, 2, share, dloss,
                                      da, accumulate);
    }
    if (b.differentiable()) {
      auto const [db, accumulate] = back.gradient(b);
      kernels::cosine_losses_backward(back.space(), b.value, a.value, moments, 2, 1, share, dloss,
                                      db, accumulate);
    }
  });
  return loss;
}

}  // namespace m2u
