// SPDX-License-Identifier: Apache-2.0
/// @file
/// Graph normalisation (Cai et al., ICML 2021).
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/graph_norm.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

/// Each column normalised over the rows of each group: with h = x - mean_scale · mean,
/// y = weight · h / √(mean of h² + eps) + bias. The same in training and evaluation.
/// @param x [groups.total, cols]  @param weight, bias, mean_scale [1, cols]
/// @return [groups.total, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> graph_norm(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups,
                        Tensor<S, R> const& weight, Tensor<S, R> const& bias,
                        Tensor<S, R> const& mean_scale, float eps = 1e-5F) {
  Shape const row{1, x.cols()};
  expects(shape(weight) == row && shape(bias) == row && shape(mean_scale) == row,
          "graph_norm: weight ", shape(weight), ", bias ", shape(bias), " and mean_scale ",
          shape(mean_scale), " do not fit the input ", shape(x), "; all must be ", row);
  expects(groups.total == x.rows(), "graph_norm: the groups cover ", groups.total,
          " rows, but the input is ", shape(x), "; the numbers of rows must be equal");
  auto const y = tape.result(x.rows(), x.cols(), x, weight, bias, mean_scale);
  auto const mean = tape.matrix(groups.groups, x.cols());
  auto const scale = tape.matrix(groups.groups, x.cols());
  kernels::graph_norm(tape.space(), x.value, groups, weight.value, bias.value, mean_scale.value,
                      static_cast<R>(eps), y.value, mean, scale);
  tape.record("graph_norm", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const scaled = back.matrix(groups.groups, x.cols());
    auto const plain = back.matrix(groups.groups, x.cols());
    auto const shift = back.matrix(groups.groups, x.cols());
    kernels::graph_norm_sums(back.space(), x.value, groups, weight.value, mean_scale.value, mean,
                             scale, dy, scaled, plain, shift);
    if (x.differentiable()) {
      auto const [dx, accumulate] = back.gradient(x);
      kernels::graph_norm_backward(back.space(), x.value, groups, weight.value, mean_scale.value,
                                   mean, scale, dy, scaled, plain, dx, accumulate);
    }
    auto const sum = [&](Tensor<S, R> const& parameter, Matrix<R, S> const& parts) {
      if (parameter.differentiable()) {
        auto const [gradient, accumulate] = back.gradient(parameter);
        ops::column_sum(back, parts, gradient, accumulate);
      }
    };
    sum(weight, scaled);
    sum(bias, plain);
    sum(mean_scale, shift);
  });
  return y;
}

}  // namespace m2u
