// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dropout (Srivastava et al., JMLR 2014), inverted: nothing to do when evaluating.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/dropout.hpp"

namespace m2u {

/// In training, each element is 0 with probability p, else divided by 1 - p; in evaluation, or with
/// p = 0, x itself. The mask is drawn again on the way back instead of being stored, and is the
/// same on every execution space. Any shape.
/// @throws Error unless 0 ≤ p < 1.
template <ExecutionSpace S, class R>
Tensor<S, R> dropout(Tape<S, R>& tape, Tensor<S, R> const& x, float p) {
  expects(p >= 0.0F && p < 1.0F, "dropout: the probability ", p,
          " is outside [0, 1); with 1 nothing would be left");
  if (!tape.training() || p == 0.0F) {
    return x;
  }
  kernels::DropoutMask const mask(tape.random_stream(), p);
  auto const y = tape.result(x.rows(), x.cols(), x);
  kernels::dropout(tape.space(), x.value, mask, y.value, false);
  tape.record("dropout", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::dropout(back.space(), dy, mask, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
