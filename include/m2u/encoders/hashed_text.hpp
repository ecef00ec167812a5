// SPDX-License-Identifier: Apache-2.0
/// @file
/// Text as a bag of hashed word n-grams (Weinberger et al. 2009; as fastText's classifier).
#pragma once

#include "m2u/nn/mlp.hpp"
#include "m2u/ops/sparse_linear.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

struct HashedTextOptions {
  int buckets = 32768;  ///< as the text was hashed
  int width = 128;      ///< of the n-grams' embeddings
  int out = 128;
};

/// An embedding per bucket, their weighted sum, and a small MLP. The embeddings start near zero:
/// what a text says then comes from training, not from the buckets' random directions, which
/// would drown it.
class HashedText {
 public:
  template <ExecutionSpace S>
  using Batch = SparseBatch<S>;

  explicit HashedText(Scope const& scope, HashedTextOptions const& options = {})
      : table_(
            scope.matrix("embedding", options.buckets, options.width, Initialiser::normal(0.01F))),
        mlp_(scope.scope("mlp"), options.width, options.width, options.out) {}

  int out() const { return mlp_.out(); }

  /// @return [rows, out]  @throws Error if the batch was hashed to another number of buckets.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, SparseBatch<S> const& batch) const;

 private:
  Slice table_;
  Mlp mlp_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> HashedText::operator()(Tape<S, R>& tape, SparseBatch<S> const& batch) const {
  expects(batch.vocabularies.size() == 1, "HashedText: takes one vocabulary, but the batch has ",
          batch.vocabularies.size());
  return mlp_(tape, sparse_dense(tape, batch.vocabularies[0], tape.parameter(table_)));
}

}  // namespace m2u
