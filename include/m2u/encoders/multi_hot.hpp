// SPDX-License-Identifier: Apache-2.0
/// @file
/// Multi-hot features in one or more vocabularies: targets, enzymes, categories.
#pragma once

#include <vector>

#include "m2u/nn/linear.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/scale.hpp"
#include "m2u/ops/sparse_linear.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

struct MultiHotOptions {
  std::vector<int> vocabularies;  ///< sizes
  int out = 128;
};

/// M2UMol's bio encoder: a linear layer per vocabulary, their mean, and a linear layer after it.
/// The layers are gathered sums, never products with a dense multi-hot matrix.
class MultiHot {
 public:
  template <ExecutionSpace S>
  using Batch = SparseBatch<S>;

  /// @throws Error without a vocabulary.
  MultiHot(Scope const& scope, MultiHotOptions const& options)
      : last_(scope.scope("linear"), options.out, options.out) {
    expects(!options.vocabularies.empty(), "MultiHot: needs at least one vocabulary");
    for (std::size_t v = 0; v < options.vocabularies.size(); ++v) {
      int const size = options.vocabularies[v];
      auto const inner = scope.scope("vocabulary", static_cast<int>(v));
      auto const start = Initialiser::linear_default(size);
      weights_.push_back(inner.matrix("weight", size, options.out, start));
      biases_.push_back(inner.vector("bias", options.out, start));
    }
  }

  int out() const { return last_.out(); }

  /// @return [rows, out]  @throws Error if the batch has other vocabularies.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, SparseBatch<S> const& batch) const;

 private:
  std::vector<Slice> weights_;
  std::vector<Slice> biases_;
  Linear last_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> MultiHot::operator()(Tape<S, R>& tape, SparseBatch<S> const& batch) const {
  expects(batch.vocabularies.size() == weights_.size(), "MultiHot: the batch has ",
          batch.vocabularies.size(), " vocabularies, but the encoder ", weights_.size());
  Tensor<S, R> sum;
  for (std::size_t v = 0; v < weights_.size(); ++v) {
    auto const part = sparse_linear(tape, batch.vocabularies[v], tape.parameter(weights_[v]),
                                    tape.parameter(biases_[v]));
    sum = v == 0 ? part : add(tape, sum, part);
  }
  return last_(tape, scale(tape, sum, R(1) / static_cast<R>(weights_.size())));
}

}  // namespace m2u
