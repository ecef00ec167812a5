// SPDX-License-Identifier: Apache-2.0
/// @file
/// Linear map with bias and activation in one op.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/linalg/gemm.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

namespace detail {

/// dx = delta · weight, dweight = deltaᵀ · x, for whichever is differentiable.
template <ExecutionSpace S, class R>
void linear_backward(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight,
                     Matrix<R, S> const& delta) {
  if (x.differentiable()) {
    auto const [dx, accumulate] = tape.gradient(x);
    gemm(tape.space(), delta, weight.value, dx, {.accumulate = accumulate});
  }
  if (weight.differentiable()) {
    auto const [dw, accumulate] = tape.gradient(weight);
    gemm(tape.space(), delta, x.value, dw, {.transpose_a = true, .accumulate = accumulate});
  }
}

}  // namespace detail

/// y = activation(x · weightᵀ + bias).
/// @param x [rows, in]  @param weight [out, in], as in PyTorch  @param bias [1, out]
/// @return [rows, out]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> linear(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight,
                    Tensor<S, R> const& bias, Activation activation = Activation::none) {
  expects(x.cols() == weight.cols(), "linear: input ", shape(x), " does not fit weight ",
          shape(weight), " ([out, in]); the input needs ", weight.cols(), " columns");
  expects(shape(bias) == Shape{1, weight.rows()}, "linear: bias ", shape(bias),
          " does not fit weight ", shape(weight), "; it must be ", Shape{1, weight.rows()});
  auto const y = tape.result(x.rows(), weight.rows(), x, weight, bias);
  // Derivatives need the value before the activation, but for ReLU's, which shows in y.
  bool const keep = activation != Activation::none && activation != Activation::relu;
  auto const before = keep ? tape.matrix(y.rows(), y.cols()) : y.value;
  gemm(tape.space(), x.value, weight.value, before, {.transpose_b = true});
  with_activation(activation, [&]<Activation kind>() {
    kernels::bias_activation<kind>(tape.space(), before, bias.value, y.value);
  });
  tape.record("linear", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto delta = dy;
    if (activation != Activation::none) {
      delta = back.matrix(dy.extent_int(0), dy.extent_int(1));
      with_activation(activation, [&]<Activation kind>() {
        kernels::activation_backward<kind>(back.space(), before, dy, delta, false);
      });
    }
    detail::linear_backward(back, x, weight, delta);
    if (bias.differentiable()) {
      auto const [db, accumulate] = back.gradient(bias);
      ops::column_sum(back, delta, db, accumulate);
    }
  });
  return y;
}

/// y = x · weightᵀ, without a bias. Shapes as above.
template <ExecutionSpace S, class R>
Tensor<S, R> linear(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight) {
  expects(x.cols() == weight.cols(), "linear: input ", shape(x), " does not fit weight ",
          shape(weight), " ([out, in]); the input needs ", weight.cols(), " columns");
  auto const y = tape.result(x.rows(), weight.rows(), x, weight);
  gemm(tape.space(), x.value, weight.value, y.value, {.transpose_b = true});
  tape.record("linear", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    detail::linear_backward(back, x, weight, dy);
  });
  return y;
}

}  // namespace m2u
