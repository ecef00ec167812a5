// SPDX-License-Identifier: Apache-2.0
/// @file
/// Activation of every element. Where a linear map comes before it, `linear` does both in one op.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u {

/// y = activation(x), elementwise; x itself for Activation::none. Any shape.
template <ExecutionSpace S, class R>
Tensor<S, R> activation(Tape<S, R>& tape, Tensor<S, R> const& x, Activation kind) {
  if (kind == Activation::none) {
    return x;
  }
  auto const y = tape.result(x.rows(), x.cols(), x);
  auto const forward = [kind, space = tape.space(), x, y] {
    with_activation(kind, [&]<Activation known>() {
      kernels::activation_forward<known>(space, x.value, y.value);
    });
  };
  forward();
  tape.remember(y, forward);
  tape.record("activation", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    with_activation(kind, [&]<Activation known>() {
      kernels::activation_backward<known>(back.space(), x.value, dy, dx, accumulate);
    });
  });
  return y;
}

}  // namespace m2u
