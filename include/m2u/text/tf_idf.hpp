// SPDX-License-Identifier: Apache-2.0
/// @file
/// Weights of words by how rare they are (Spärck Jones 1972), as scikit-learn's TfidfVectorizer has
/// them with smooth_idf and sublinear_tf.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/data/sparse_row.hpp"

namespace m2u {

/// Counts in how many texts each bucket occurs, then turns counts into weights:
/// (1 + ln count) · (1 + ln((1 + texts) / (1 + texts with the bucket))), each row of length 1.
/// Buckets of fewer than `min_texts` texts are left out: what only one text says can be learnt by
/// heart, not from.
class TfIdf {
 public:
  explicit TfIdf(int buckets, int min_texts = 1)
      : min_texts_(min_texts), texts_with_(static_cast<std::size_t>(buckets), 0) {}
  /// From what `texts` and `texts_with` gave before.
  TfIdf(int texts, std::vector<int> texts_with, int min_texts = 1)
      : min_texts_(min_texts), texts_(texts), texts_with_(std::move(texts_with)) {}

  /// Counts one text, given its bucket counts; an empty row does not count.
  void add(SparseRow const& counts) {
    texts_ += counts.columns.empty() ? 0 : 1;
    for (int const column : counts.columns) {
      ++texts_with_.at(static_cast<std::size_t>(column));
    }
  }

  int texts() const { return texts_; }
  int min_texts() const { return min_texts_; }
  std::vector<int> const& texts_with() const { return texts_with_; }

  /// @throws Error if a column is outside the buckets.
  SparseRow weigh(SparseRow const& counts) const {
    SparseRow row;
    double square = 0.0;
    for (std::size_t i = 0; i < counts.columns.size(); ++i) {
      auto const column = static_cast<std::size_t>(counts.columns[i]);
      expects(column < texts_with_.size(), "TfIdf: bucket ", counts.columns[i], " of ",
              texts_with_.size());
      if (texts_with_[column] < min_texts_) {
        continue;
      }
      double const rarity = std::log((1.0 + texts_) / (1.0 + texts_with_[column])) + 1.0;
      double const weight = (1.0 + std::log(static_cast<double>(counts.weights[i]))) * rarity;
      row.columns.push_back(counts.columns[i]);
      row.weights.push_back(static_cast<float>(weight));
      square += weight * weight;
    }
    for (float& weight : row.weights) {
      weight = static_cast<float>(weight / std::sqrt(square));
    }
    return row;
  }

 private:
  int min_texts_ = 1;
  int texts_ = 0;
  std::vector<int> texts_with_;
};

}  // namespace m2u
