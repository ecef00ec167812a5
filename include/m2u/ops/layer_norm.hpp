// SPDX-License-Identifier: Apache-2.0
/// @file
/// Layer normalisation (Ba, Kiros and Hinton 2016).
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/columns.hpp"
#include "m2u/kernels/layer_norm.hpp"

namespace m2u {

/// Each row normalised to mean 0 and variance 1 (biased, as in PyTorch), then scaled and shifted:
/// y = (x - mean) / √(variance + eps) · gamma + beta.
/// @param x [rows, cols]  @param gamma [1, cols]  @param beta [1, cols]
/// @return [rows, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> layer_norm(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& gamma,
                        Tensor<S, R> const& beta, float eps = 1e-5F) {
  Shape const row{1, x.cols()};
  expects(shape(gamma) == row && shape(beta) == row, "layer_norm: gamma ", shape(gamma),
          " and beta ", shape(beta), " do not fit the input ", shape(x), "; both must be ", row);
  auto const y = tape.result(x.rows(), x.cols(), x, gamma, beta);
  auto const statistics = tape.matrix(x.rows(), 2);
  kernels::layer_norm(tape.space(), x.value, gamma.value, beta.value, static_cast<R>(eps), y.value,
                      statistics);
  tape.record("layer_norm", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (x.differentiable()) {
      auto const [dx, accumulate] = back.gradient(x);
      kernels::layer_norm_backward(back.space(), x.value, gamma.value, statistics, dy, dx,
                                   accumulate);
    }
    if (gamma.differentiable() || beta.differentiable()) {
      auto const scaled = back.matrix(row_blocks(x.rows()), x.cols());
      auto const plain = back.matrix(row_blocks(x.rows()), x.cols());
      kernels::layer_norm_parameter_blocks(back.space(), x.value, statistics, dy, scaled, plain);
      if (gamma.differentiable()) {
        auto const [dgamma, accumulate] = back.gradient(gamma);
        kernels::combine_blocks(back.space(), scaled, dgamma, accumulate);
      }
      if (beta.differentiable()) {
        auto const [dbeta, accumulate] = back.gradient(beta);
        kernels::combine_blocks(back.space(), plain, dbeta, accumulate);
      }
    }
  });
  return y;
}

}  // namespace m2u
