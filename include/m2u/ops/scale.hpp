// SPDX-License-Identifier: Apache-2.0
/// @file
/// A tensor times a fixed number.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

#include <type_traits>

namespace m2u {

/// y = factor · x. Any shape.
template <ExecutionSpace S, class R>
Tensor<S, R> scale(Tape<S, R>& tape, Tensor<S, R> const& x, std::type_identity_t<R> factor) {
  auto const y = tape.result(x.rows(), x.cols(), x);
  kernels::scale(tape.space(), x.value, factor, y.value, false);
  tape.record("scale", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::scale(back.space(), dy, factor, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
