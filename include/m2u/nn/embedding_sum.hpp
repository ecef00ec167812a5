// SPDX-License-Identifier: Apache-2.0
/// @file
/// Integer features as a sum of embeddings, one table each.
#pragma once

#include <numeric>
#include <utility>
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
  Tensor<S, R> operator()(Tape<S, R>& tape, Matrix<int, S> const& features) const;

  /// Whether there are so few combinations of the features' values that by_kind pays.
  bool few_kinds() const { return vocabularies_.combinations(most_kinds) <= most_kinds; }

  /// The same for rows that repeat: a row for each combination of the features' values, and for
  /// each row the number of its combination.
  /// @param features as above  @return [combinations, width] and [rows]
  template <ExecutionSpace S, class R>
  std::pair<Tensor<S, R>, Vector<int, S>> by_kind(Tape<S, R>& tape,
                                                  Matrix<int, S> const& features) const;

 private:
  static constexpr int most_kinds = 256;

  Vocabularies vocabularies_;
  Slice weight_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> EmbeddingSum::operator()(Tape<S, R>& tape, Matrix<int, S> const& features) const {
  return embedding_sum(tape, tape.parameter(weight_), vocabularies_, features);
}

template <ExecutionSpace S, class R>
std::pair<Tensor<S, R>, Vector<int, S>> EmbeddingSum::by_kind(
    Tape<S, R>& tape, Matrix<int, S> const& features) const {
  auto const kinds = tape.template vector<int>(features.extent_int(0));
  kernels::feature_kinds(tape.space(), vocabularies_, features, kinds);
  auto const weight = tape.parameter(weight_);
  Shape const size{vocabularies_.combinations(most_kinds), weight.cols()};
  auto const combinations = [&] {
    auto const all = tape.template matrix<int>(size.rows, vocabularies_.features());
    kernels::features_of_kinds(tape.space(), vocabularies_, all);
    return all;
  };
  if (auto* const cache = tape.inference_cache()) {
    auto const fill = [&](Matrix<R, S> const& to) {
      kernels::embedding_sum(tape.space(), weight.value, vocabularies_, combinations(), to);
    };
    return {
        tape.constant(cache->find(tape.space(), weight.value.data(), nullptr, R(0), size, fill)),
        kinds};
  }
  return {embedding_sum(tape, weight, vocabularies_, combinations()), kinds};
}

}  // namespace m2u
