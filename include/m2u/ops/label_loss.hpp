// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses of many tasks at once, where not every sample has every label.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/label_loss.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

/// Mean over the labels that there are: Σ weight · loss divided by their number; 0 for none.
/// @param predictions [rows, tasks]: logits for binary_cross_entropy
/// @param labels the row's labels: columns are tasks, weights the labels (for binary_cross_entropy
/// in [0, 1])
/// @param weights [labels] of each label's loss, or empty for ones
/// @return [1, 1]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Scalar<S, R> label_loss(Tape<S, R>& tape, Tensor<S, R> const& predictions,
                        SparseRows<S> const& labels, LabelLoss kind,
                        Vector<float, S> const& weights = {}) {
  expects(labels.rows.groups == predictions.rows() && labels.width == predictions.cols(),
          "label_loss: labels of ", labels.rows.groups, " rows and ", labels.width,
          " tasks do not fit predictions ", shape(predictions));
  expects(weights.extent(0) == 0 || weights.extent_int(0) == labels.rows.total,
          "label_loss: ", weights.extent(0), " weights, but ", labels.rows.total, " labels");
  R const share = R(1) / static_cast<R>(labels.rows.total > 0 ? labels.rows.total : 1);
  auto const loss = tape.result(1, 1, predictions);
  auto const losses = tape.matrix(predictions.rows(), 1);
  kernels::row_label_losses(tape.space(), kind, predictions.value, labels, weights, share, losses);
  ops::column_sum(tape, losses, loss.value, false);
  tape.record("label_loss", loss, [=](Tape<S, R>& back, Matrix<R, S> const& dloss) {
    auto const [dx, accumulate] = back.gradient(predictions);
    kernels::row_label_losses_backward(back.space(), kind, predictions.value, labels, weights,
                                       share, dloss, dx, accumulate);
  });
  return loss;
}

}  // namespace m2u
