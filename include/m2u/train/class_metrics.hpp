// SPDX-License-Identifier: Apache-2.0
/// @file
/// Measures of predicted classes, computed in double on the host.
#pragma once

#include "m2u/train/metrics.hpp"

namespace m2u {

/// Measures of two classes at a threshold.
struct BinaryMetrics {
  double accuracy = 0.0;
  std::optional<double> sensitivity;  ///< share of the positives that are found; empty without any
  std::optional<double> specificity;  ///< share of the negatives that are left; empty without any
};

/// @param scores above the threshold are taken as positive. @param labels 0 or 1.
/// @throws Error if sizes differ, a label is another number, or there is nothing to compare.
inline BinaryMetrics binary_metrics(std::span<float const> scores, std::span<int const> labels,
                                    float threshold) {
  expects(scores.size() == labels.size() && !scores.empty(), "binary_metrics: ", scores.size(),
          " scores, but ", labels.size(), " labels; both need the same number, at least 1");
  double count[2] = {0.0, 0.0};
  double right[2] = {0.0, 0.0};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    expects(labels[i] == 0 || labels[i] == 1, "binary_metrics: label ", i, " is ", labels[i],
            "; labels are 0 or 1");
    count[labels[i]] += 1.0;
    right[labels[i]] += (scores[i] > threshold) == (labels[i] == 1) ? 1.0 : 0.0;
  }
  auto const share = [&](int label) {
    return count[label] > 0.0 ? std::optional(right[label] / count[label]) : std::nullopt;
  };
  return {(right[0] + right[1]) / (count[0] + count[1]), share(1), share(0)};
}

/// Measures of several classes. Macro: the mean over the classes that occur, as true or as
/// predicted ones, where a precision or recall without a case counts as 0 (as scikit-learn's
/// macro averages do).
struct ClassMetrics {
  double accuracy = 0.0;
  double precision = 0.0;  ///< macro
  double recall = 0.0;     ///< macro
  double f1 = 0.0;         ///< macro: the mean of the classes' F1
  int classes = 0;         ///< that occur
  TaskAuc roc_auc;  ///< of each class against the others; skipped: without positives or negatives
  double pr_auc = 0.0;  ///< mean average precision over the classes that roc_auc counts
};

namespace detail {

inline void add_rank_measures(std::span<float const> scores, std::span<int const> labels,
                              std::size_t classes, ClassMetrics& result) {
  std::vector<float> column(labels.size());
  std::vector<int> positive(labels.size());
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      column[i] = scores[i * classes + c];
      positive[i] = labels[i] == static_cast<int>(c) ? 1 : 0;
    }
    auto const area = roc_auc(column, positive);
    result.roc_auc.each.push_back(area);
    result.roc_auc.mean += area.value_or(0.0);
    result.pr_auc += average_precision(column, positive).value_or(0.0);
    ++(area ? result.roc_auc.tasks : result.roc_auc.skipped);
  }
  result.roc_auc.mean /= std::max(1, result.roc_auc.tasks);
  result.pr_auc /= std::max(1, result.roc_auc.tasks);
}

}  // namespace detail

/// @param scores [samples, classes], row-major: the highest is the predicted class, of equal ones
/// the first  @param labels [samples], each in 0 … classes - 1
/// @throws Error if sizes do not fit or there is nothing to compare.
inline ClassMetrics class_metrics(std::span<float const> scores, std::span<int const> labels,
                                  int classes) {
  auto const width = static_cast<std::size_t>(std::max(classes, 0));
  expects(classes > 0 && !labels.empty() && scores.size() == labels.size() * width,
          "class_metrics: ", scores.size(), " scores are not ", labels.size(), " samples of ",
          classes, " classes; there must be one at least");
  std::vector<double> truth(width, 0.0);
  std::vector<double> guessed(width, 0.0);
  std::vector<double> both(width, 0.0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    expects(labels[i] >= 0 && labels[i] < classes, "class_metrics: label ", i, " is ", labels[i],
            ", outside 0 … ", classes - 1);
    auto const row = scores.subspan(i * width, width);
    auto const guess =
        static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    auto const label = static_cast<std::size_t>(labels[i]);
    truth[label] += 1.0;
    guessed[guess] += 1.0;
    both[guess] += guess == label ? 1.0 : 0.0;
  }
  ClassMetrics result;
  for (std::size_t c = 0; c < width; ++c) {
    if (truth[c] + guessed[c] == 0.0) {
      continue;
    }
    ++result.classes;
    result.accuracy += both[c] / static_cast<double>(labels.size());
    result.precision += guessed[c] > 0.0 ? both[c] / guessed[c] : 0.0;
    result.recall += truth[c] > 0.0 ? both[c] / truth[c] : 0.0;
    result.f1 += 2.0 * both[c] / (truth[c] + guessed[c]);
  }
  for (auto* const mean : {&result.precision, &result.recall, &result.f1}) {
    *mean /= result.classes;
  }
  detail::add_rank_measures(scores, labels, width, result);
  return result;
}

}  // namespace m2u
