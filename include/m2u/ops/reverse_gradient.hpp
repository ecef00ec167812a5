// SPDX-License-Identifier: Apache-2.0
/// @file
/// Gradient reversal: what follows learns one thing, and what comes before learns the opposite.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

#include <type_traits>

namespace m2u {

/// y = x, which is not copied, but the gradient that goes back is -factor times the one that came
/// (Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016). Any shape.
template <ExecutionSpace S, class R>
Tensor<S, R> reverse_gradient(Tape<S, R>& tape, Tensor<S, R> const& x,
                              std::type_identity_t<R> factor = R(1)) {
  if (!x.differentiable()) {
    return x;
  }
  auto const y = tape.variable(x.value);
  tape.record("reverse_gradient", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::scale(back.space(), dy, -factor, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
