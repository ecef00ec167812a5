// SPDX-License-Identifier: Apache-2.0
/// @file
/// Integer features as a sum of embeddings, one table each.
#pragma once

#include <numeric>
#include <vector>

#include "m2u/ops/embedding_sum.hpp"
#include "m2u/parameters/initialise.hpp"

namespace m2u {

/// Σ over the feature columns of the row that the feature picks in the column's table. The tables
/// are stacked in one parameter "weight" [Σ vocabularies, width], each Glorot-uniform by its own
/// size.
class EmbeddingSum {
 public:
  EmbeddingSum(Scope const& scope, std::vector<int> const& vocabularies, int width)
      : vocabularies_(vocabularies),
        weight_(scope.matrix("weight", std::accumulate(vocabularies.begin(), vocabularies.end(), 0),
                             width, Initialiser::xavier_tables(vocabularies))) {}

  /// @param features [rows, columns], column f in 0 … vocabulary f - 1  @return [rows, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Matrix<int, S> const& features) const {
    return embedding_sum(tape, tape.parameter(weight_), vocabularies_, features);
  }

 private:
  Vocabularies vocabularies_;
  Slice weight_;
};

}  // namespace m2u
