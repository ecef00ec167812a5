// SPDX-License-Identifier: Apache-2.0
/// @file
/// Predicting numbers or classes of samples from their representation.
#pragma once

#include <optional>

#include "m2u/nn/mlp.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/dropout.hpp"
#include "m2u/ops/label_loss.hpp"

namespace m2u {

/// Labels of samples in one or more tasks; not every sample has every label.
template <ExecutionSpace S>
struct LabelBatch {
  SparseRows<S> labels;        ///< rows are samples, columns tasks, weights the labels
  Vector<float, S> weights{};  ///< [labels] of each one's loss, or empty for ones
};
template <ExecutionSpace S>
LabelBatch<S> to_space(CopyTo<S> const& to, LabelBatch<Host> const& batch) {
  return {to_space(to, batch.labels), to_space(to, batch.weights)};
}

struct LabelHeadOptions {
  int in = 128;      ///< columns of the representation
  int hidden = 128;  ///< units between
  int tasks = 1;
  float dropout = 0.1F;    ///< before each linear layer
  bool normalise = false;  ///< batch norm first, for representations that come without one
  LabelLoss loss = LabelLoss::binary_cross_entropy;
};

/// [batch norm –] dropout – Linear – ReLU – dropout – Linear: a number per sample and task, for
/// binary_cross_entropy a logit.
class LabelHead {
 public:
  template <ExecutionSpace S>
  using Batch = LabelBatch<S>;

  explicit LabelHead(Scope const& scope, LabelHeadOptions const& options = {})
      : mlp_(scope, options.in, options.hidden, options.tasks, {.dropout = options.dropout}),
        options_(options) {
    if (options.normalise) {
      norm_.emplace(scope.scope("norm"), options.in);
    }
  }

  LabelHeadOptions const& options() const { return options_; }

  /// @param rows [samples, in]  @return [samples, tasks]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& rows) const {
    auto const x = norm_ ? (*norm_)(tape, rows) : rows;
    return mlp_(tape, dropout(tape, x, options_.dropout));
  }
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& rows,
                          LabelBatch<S> const& /*labels*/) const {
    return (*this)(tape, rows);
  }

  /// Mean over the labels that there are: see label_loss.
  template <ExecutionSpace S, class R>
  Scalar<S, R> loss(Tape<S, R>& tape, Tensor<S, R> const& predictions,
                    LabelBatch<S> const& batch) const {
    return label_loss(tape, predictions, batch.labels, options_.loss, batch.weights);
  }

 private:
  Mlp mlp_;
  std::optional<BatchNorm> norm_;
  LabelHeadOptions options_;
};

}  // namespace m2u
