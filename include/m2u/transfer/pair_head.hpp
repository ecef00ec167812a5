// SPDX-License-Identifier: Apache-2.0
/// @file
/// Predicting what holds between two samples, for example drug-drug interactions.
#pragma once

#include <optional>

#include "m2u/nn/mlp.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/cross_entropy.hpp"
#include "m2u/ops/gather_rows.hpp"

namespace m2u {

/// Pairs of a batch's samples with their classes. Each distinct sample is in the batch once,
/// however many pairs it is part of.
template <ExecutionSpace S>
struct PairBatch {
  RowIndex<S> first;       ///< [pairs] the samples on the left; sources = samples of the batch
  RowIndex<S> second;      ///< [pairs] those on the right
  Vector<int, S> classes;  ///< [pairs]
};
template <ExecutionSpace S>
PairBatch<S> to_space(CopyTo<S> const& to, PairBatch<Host> const& batch) {
  return {to_space(to, batch.first), to_space(to, batch.second), to_space(to, batch.classes)};
}

struct PairHeadOptions {
  int in = 128;      ///< columns of a sample's representation
  int hidden = 256;  ///< units of the first layer
  int middle = 128;  ///< units of the second
  int classes = 86;
  float dropout = 0.1F;
  bool normalise = false;  ///< batch norm of the samples first, if they come without one
};

/// M2UMol's head for drug-drug interactions: [first second] – Linear – ReLU – Linear – ReLU –
/// Linear, dropout before the last two, cross-entropy (the published one has ELU for ReLU).
class PairHead {
 public:
  template <ExecutionSpace S>
  using Batch = PairBatch<S>;

  explicit PairHead(Scope const& scope, PairHeadOptions const& options = {})
      : input_(scope.scope("linear0"), 2 * options.in, options.hidden),
        mlp_(scope, options.hidden, options.middle, options.classes,
             {.activation = Activation::relu, .dropout = options.dropout}),
        options_(options) {
    if (options.normalise) {
      norm_.emplace(scope.scope("norm"), options.in);
    }
  }

  PairHeadOptions const& options() const { return options_; }

  /// @param rows [samples, in]  @return [pairs, classes]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& rows,
                          PairBatch<S> const& pairs) const {
    auto const x = norm_ ? (*norm_)(tape, rows) : rows;
    auto const hidden =
        input_(tape, gather_rows(tape, x, pairs.first), gather_rows(tape, x, pairs.second),
               {.activation = Activation::relu, .dropout = options_.dropout});
    return mlp_(tape, hidden);
  }

  template <ExecutionSpace S, class R>
  Scalar<S, R> loss(Tape<S, R>& tape, Tensor<S, R> const& predictions,
                    PairBatch<S> const& pairs) const {
    return cross_entropy(tape, predictions, pairs.classes);
  }

 private:
  Linear input_;
  Mlp mlp_;
  std::optional<BatchNorm> norm_;
  PairHeadOptions options_;
};

}  // namespace m2u
