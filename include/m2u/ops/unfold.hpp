// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows of rows side by side: a linear layer on them is a convolution over sequences.
#pragma once

#include <cstdint>
#include <limits>

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/unfold.hpp"

namespace m2u {

/// y(i) = [x(i - before) … x(i - before + window - 1)], zeros where a row lies outside i's group,
/// with before = (window - 1) / 2, rounded down: PyTorch's Conv1d with padding "same" is linear of
/// it, where column k · cols + j of the weight is element (·, j, k) of PyTorch's.
/// @param x [groups.total, cols]  @param groups of rows: the sequences
/// @return [groups.total, window · cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> unfold(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups, int window) {
  expects(window > 0, "unfold: the window is ", window, "; it must be positive");
  expects(x.rows() == groups.total, "unfold: the input ", shape(x), " does not fit groups of ",
          groups.total, " rows in total");
  expects(static_cast<std::int64_t>(window) * x.cols() <= std::numeric_limits<int>::max(),
          "unfold: ", window, " windows of ", x.cols(), " columns are too many");
  int const before = (window - 1) / 2;
  auto const y = tape.result(x.rows(), window * x.cols(), x);
  kernels::unfold(tape.space(), x.value, groups, window, before, y.value);
  tape.record("unfold", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::unfold_backward(back.space(), dy, groups, window, before, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
