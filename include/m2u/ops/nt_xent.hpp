// SPDX-License-Identifier: Apache-2.0
/// @file
/// The normalised temperature-scaled cross entropy of two views (Chen et al. 2020, "A simple
/// framework for contrastive learning of visual representations").
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/contrastive.hpp"
#include "m2u/kernels/cross_entropy.hpp"
#include "m2u/kernels/normalise_rows.hpp"
#include "m2u/linalg/gemm.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

namespace detail {

/// Two matrices of n rows, scaled to length one and stacked.
template <ExecutionSpace S, class R>
struct StackedRows {
  Matrix<R, S> rows;  ///< [2n, cols]
  Vector<R, S> lengths;

  Matrix<R, S> half(int which) const { return half_of(rows, which); }
  Vector<R, S> half_lengths(int which) const {
    auto const n = lengths.extent(0) / 2;
    return Vector<R, S>(lengths.data() + static_cast<std::size_t>(which) * n, n);
  }
  static Matrix<R, S> half_of(Matrix<R, S> const& all, int which) {
    auto const n = all.extent(0) / 2;
    return Matrix<R, S>(all.data() + static_cast<std::size_t>(which) * n * all.extent(1), n,
                        all.extent(1));
  }
};

template <ExecutionSpace S, class R>
StackedRows<S, R> stack_normalised(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  StackedRows<S, R> const z{tape.matrix(2 * a.rows(), a.cols()), tape.vector(2 * a.rows())};
  auto const eps = static_cast<R>(1e-12);
  kernels::l2_normalise_rows(tape.space(), a.value, eps, z.half(0), z.half_lengths(0));
  kernels::l2_normalise_rows(tape.space(), b.value, eps, z.half(1), z.half_lengths(1));
  return z;
}

/// From the gradient of the stacked, normalised rows to those of a and b.
template <ExecutionSpace S, class R>
void stack_normalised_backward(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                               StackedRows<S, R> const& z, Matrix<R, S> const& dz) {
  Tensor<S, R> const inputs[] = {a, b};
  for (int which = 0; which < 2; ++which) {
    if (inputs[which].differentiable()) {
      auto const [dx, accumulate] = tape.gradient(inputs[which]);
      kernels::l2_normalise_rows_backward(tape.space(), StackedRows<S, R>::half_of(dz, which),
                                          z.half(which), z.half_lengths(which), dx, accumulate);
    }
  }
}

template <ExecutionSpace S, class R>
void check_views(char const* op, Tensor<S, R> const& a, Tensor<S, R> const& b, R temperature) {
  expects(shape(a) == shape(b), op, ": the views ", shape(a), " and ", shape(b),
          " must have the same shape; row i of one belongs to row i of the other");
  expects(temperature > R(0), op, ": the temperature ", temperature, " must be positive");
}

}  // namespace detail

/// Rows i of a and b are two views of the same thing and are scaled to length one. For row i of a
/// the logits are a(i)·b(j) for all j and a(i)·a(j) for j ≠ i, over the temperature, and the target
/// is b(i); likewise for b against a. The result is the sum (not the half) of the two means of the
/// cross entropies; 0 for no rows and for one.
/// @param a [rows, cols]  @param b [rows, cols]  @param temperature positive
/// @return [1, 1]  @throws Error if the shapes do not fit or the temperature is not positive.
/// A row of zeros has similarity 0 with everything.
template <ExecutionSpace S, class R>
Scalar<S, R> nt_xent(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                     std::type_identity_t<R> temperature) {
  detail::check_views("nt_xent", a, b, temperature);
  int const rows = a.rows();
  double const sharpness = 1.0 / static_cast<double>(temperature);
  R const share = R(1) / static_cast<R>(rows > 0 ? rows : 1);
  auto const loss = tape.result(1, 1, a, b);
  auto const z = detail::stack_normalised(tape, a, b);
  auto const logits = tape.matrix(2 * rows, 2 * rows);
  auto const log_sums = tape.vector(2 * rows);
  auto const losses = tape.matrix(2 * rows, 1);
  gemm(tape.space(), z.rows, z.rows, logits, {.transpose_b = true, .scale = sharpness});
  kernels::log_sum_exp_rows(tape.space(), logits, true, log_sums);
  kernels::pair_losses(tape.space(), logits, log_sums, rows, share, losses);
  ops::column_sum(tape, losses, loss.value, false);
  tape.record("nt_xent", loss, [=](Tape<S, R>& back, Matrix<R, S> const& dloss) {
    auto const w = back.matrix(2 * rows, 2 * rows);
    auto const dz = back.matrix(2 * rows, a.cols());
    kernels::nt_xent_logit_gradient(back.space(), logits, log_sums, share, dloss, w);
    gemm(back.space(), w, z.rows, dz, {.scale = sharpness});
    detail::stack_normalised_backward(back, a, b, z, dz);
  });
  return loss;
}

}  // namespace m2u
