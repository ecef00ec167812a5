// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sum of tensors of one shape: residual connections, sums of losses.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

#include <concepts>

namespace m2u {

/// y = a + b. @throws Error unless the shapes are equal.
template <ExecutionSpace S, class R>
Tensor<S, R> add(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b) {
  expects(shape(a) == shape(b), "add: the shapes ", shape(a), " and ", shape(b),
          " differ; they must be equal");
  auto const y = tape.result(a.rows(), a.cols(), a, b);
  kernels::add(tape.space(), a.value, b.value, y.value);
  tape.record("add", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    if (a.differentiable()) {
      if (!b.differentiable()) {
        return back.pass_gradient(a, dy);
      }
      auto const [da, accumulate] = back.gradient(a);
      kernels::scale(back.space(), dy, R(1), da, accumulate);
    }
    if (b.differentiable()) {
      back.pass_gradient(b, dy);
    }
  });
  return y;
}

/// y = a + b + c + …, from the left.
template <ExecutionSpace S, class R, class... More>
  requires(std::same_as<More, Tensor<S, R>> && ...)
Tensor<S, R> add(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                 Tensor<S, R> const& c, More const&... more) {
  return add(tape, add(tape, a, b), c, more...);
}

}  // namespace m2u
