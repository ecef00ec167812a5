// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cross entropy of logits with integer labels.
#pragma once

#include <span>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/cross_entropy.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

/// Checks labels on the host, before they are copied to a space.
/// @throws Error if a label is outside 0 … classes - 1.
inline void check_labels(std::span<int const> labels, int classes) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    expects(labels[i] >= 0 && labels[i] < classes, "check_labels: label ", labels[i],
            " at position ", i, " is outside 0 … ", classes - 1);
  }
}

/// Mean over the rows of -log softmax(logits)(label); 0 for no rows.
/// @param logits [rows, classes]  @param labels [rows], each in 0 … classes - 1 (see check_labels;
/// a label outside makes the loss NaN)
/// @return [1, 1]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Scalar<S, R> cross_entropy(Tape<S, R>& tape, Tensor<S, R> const& logits,
                           Vector<int, S> const& labels) {
  int const rows = logits.rows();
  expects(labels.extent_int(0) == rows, "cross_entropy: ", labels.extent_int(0),
          " labels do not fit logits ", shape(logits), "; give one label per row");
  expects(rows == 0 || logits.cols() > 0, "cross_entropy: logits ", shape(logits),
          " have no classes");
  R const share = R(1) / static_cast<R>(rows > 0 ? rows : 1);
  auto const loss = tape.result(1, 1, logits);
  auto const log_sums = tape.vector(rows);
  auto const losses = tape.matrix(rows, 1);
  kernels::log_sum_exp_rows(tape.space(), logits.value, false, log_sums);
  kernels::label_losses(tape.space(), logits.value, labels, log_sums, share, losses);
  ops::column_sum(tape, losses, loss.value, false);
  tape.record("cross_entropy", loss, [=](Tape<S, R>& back, Matrix<R, S> const& dloss) {
    auto const [dx, accumulate] = back.gradient(logits);
    kernels::label_losses_backward(back.space(), logits.value, labels, log_sums, share, dloss, dx,
                                   accumulate);
  });
  return loss;
}

}  // namespace m2u
