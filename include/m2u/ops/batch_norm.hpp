// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batch normalisation (Ioffe and Szegedy 2015).
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/batch_norm.hpp"
#include "m2u/kernels/columns.hpp"

namespace m2u {

/// Options of batch_norm; the defaults are PyTorch's.
struct BatchNormOptions {
  float eps = 1e-5F;
  float momentum = 0.1F;  ///< how far the running statistics move towards those of a batch
};

namespace detail {

/// The backward pass of batch_norm. @param of_batch whether the statistics are those of x itself.
template <ExecutionSpace S, class R>
void batch_norm_backward(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& gamma,
                         Tensor<S, R> const& beta, Matrix<R, S> const& statistics, bool of_batch,
                         Matrix<R, S> const& dy) {
  int const cols = x.cols();
  auto const scaled = tape.matrix(row_blocks(x.rows()), cols);
  auto const plain = tape.matrix(row_blocks(x.rows()), cols);
  kernels::batch_norm_parameter_blocks(tape.space(), x.value, statistics, dy, scaled, plain);
  if (x.differentiable()) {
    auto const scaled_sum = tape.matrix(1, cols);
    auto const plain_sum = tape.matrix(1, cols);
    kernels::combine_blocks(tape.space(), scaled, scaled_sum, false);
    kernels::combine_blocks(tape.space(), plain, plain_sum, false);
    R const share = of_batch ? R(1) / static_cast<R>(x.rows()) : R(0);
    auto const [dx, accumulate] = tape.gradient(x);
    kernels::batch_norm_backward(tape.space(), x.value, gamma.value, statistics, dy, scaled_sum,
                                 plain_sum, share, dx, accumulate);
  }
  if (gamma.differentiable()) {
    auto const [dgamma, accumulate] = tape.gradient(gamma);
    kernels::combine_blocks(tape.space(), scaled, dgamma, accumulate);
  }
  if (beta.differentiable()) {
    auto const [dbeta, accumulate] = tape.gradient(beta);
    kernels::combine_blocks(tape.space(), plain, dbeta, accumulate);
  }
}

}  // namespace detail

/// Each column normalised to mean 0 and variance 1, then scaled and shifted:
/// y = (x - mean) / √(variance + eps) · gamma + beta.
///
/// In training the statistics are those of the rows (biased variance), and the running statistics
/// move towards them (unbiased variance), as in PyTorch. In evaluation the running statistics are
/// used. They are also used, and left alone, in training with fewer than two rows, where PyTorch
/// raises: a batch with one molecule must not stop a run.
/// @param x [rows, cols]  @param gamma [1, cols]  @param beta [1, cols]
/// @param running_mean, running_variance state of [1, cols]
/// @return [rows, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> batch_norm(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& gamma,
                        Tensor<S, R> const& beta, StateSlice const& running_mean,
                        StateSlice const& running_variance, BatchNormOptions options = {}) {
  Shape const row{1, x.cols()};
  expects(shape(gamma) == row && shape(beta) == row, "batch_norm: gamma ", shape(gamma),
          " and beta ", shape(beta), " do not fit the input ", shape(x), "; both must be ", row);
  auto const mean = tape.state(running_mean);
  auto const variance = tape.state(running_variance);
  expects(shape(mean) == row && shape(variance) == row, "batch_norm: the running mean ",
          shape(mean), " and variance ", shape(variance), " do not fit the input ", shape(x),
          "; both must be ", row);
  auto const y = tape.result(x.rows(), x.cols(), x, gamma, beta);
  // A copy: the running statistics may have moved on before the backward pass.
  auto const statistics = tape.matrix(2, x.cols());
  auto const eps = static_cast<R>(options.eps);
  bool const of_batch = tape.training() && x.rows() >= 2;
  if (of_batch) {
    auto const means = tape.matrix(row_blocks(x.rows()), x.cols());
    auto const squares = tape.matrix(row_blocks(x.rows()), x.cols());
    kernels::batch_moment_blocks(tape.space(), x.value, means, squares);
    kernels::batch_moments(tape.space(), means, squares, x.rows(), eps,
                           static_cast<R>(options.momentum), statistics, mean, variance);
  } else {
    kernels::running_moments(tape.space(), mean, variance, eps, statistics);
  }
  kernels::batch_norm(tape.space(), x.value, gamma.value, beta.value, statistics, y.value);
  tape.record("batch_norm", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    detail::batch_norm_backward(back, x, gamma, beta, statistics, of_batch, dy);
  });
  return y;
}

}  // namespace m2u
