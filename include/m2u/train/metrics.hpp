// SPDX-License-Identifier: Apache-2.0
/// @file
/// Measures of predictions, computed in double on the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// Area under the receiver operating characteristic: the chance that a positive scores above a
/// negative, equal scores counting one half. Empty if there are not both classes.
/// @param labels 0 or 1. @throws Error if sizes differ, a label is another number or a score not
/// finite.
inline std::optional<double> roc_auc(std::span<float const> scores, std::span<int const> labels) {
  expects(scores.size() == labels.size(), "roc_auc: ", scores.size(), " scores, but ",
          labels.size(), " labels");
  double positives = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    expects(std::isfinite(scores[i]), "roc_auc: score ", i, " is not finite");
    expects(labels[i] == 0 || labels[i] == 1, "roc_auc: label ", i, " is ", labels[i],
            "; labels are 0 or 1");
    positives += labels[i];
  }
  double const negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0.0 || negatives == 0.0) {
    return std::nullopt;
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double won = 0.0;  // pairs of a positive above a negative
  double below = 0.0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    double tied_positives = 0.0;
    for (; last < order.size() && scores[order[last]] == scores[order[first]]; ++last) {
      tied_positives += labels[order[last]];
    }
    double const tied_negatives = static_cast<double>(last - first) - tied_positives;
    won += tied_positives * (below + 0.5 * tied_negatives);
    below += tied_negatives;
    first = last;
  }
  return won / (positives * negatives);
}

/// Area under the precision-recall curve as average precision: the mean, over the positives, of the
/// precision at their score, where equal scores are one step (scikit-learn's
/// average_precision_score). Empty if there are not both classes.
/// @param labels 0 or 1. @throws Error as roc_auc.
inline std::optional<double> average_precision(std::span<float const> scores,
                                               std::span<int const> labels) {
  if (!roc_auc(scores, labels)) {  // which checks them too
    return std::nullopt;
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  double sum = 0.0;
  double found = 0.0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    double positives = 0.0;
    for (; last < order.size() && scores[order[last]] == scores[order[first]]; ++last) {
      positives += labels[order[last]];
    }
    found += positives;
    sum += positives * found / static_cast<double>(last);
    first = last;
  }
  return sum / found;
}

/// ROC-AUC over several tasks with missing labels, as MoleculeNet is measured.
struct TaskAuc {
  double mean = 0.0;  ///< over the tasks that have both classes; 0 if none has
  int tasks = 0;      ///< how many those are
  int skipped = 0;    ///< tasks with one class or no labels
  std::vector<std::optional<double>> each;  ///< per task
};

/// @param scores, labels [samples, tasks], row-major; labels 0, 1 or -1 for missing.
/// @throws Error as roc_auc.
inline TaskAuc mean_roc_auc(std::span<float const> scores, std::span<int const> labels, int tasks) {
  expects(tasks > 0 && scores.size() == labels.size() &&
              scores.size() % static_cast<std::size_t>(tasks) == 0,
          "mean_roc_auc: ", scores.size(), " scores and ", labels.size(),
          " labels are not rows of ", tasks, " tasks");
  auto const columns = static_cast<std::size_t>(tasks);
  TaskAuc result;
  for (std::size_t task = 0; task < columns; ++task) {
    std::vector<float> task_scores;
    std::vector<int> task_labels;
    for (std::size_t i = task; i < scores.size(); i += columns) {
      if (labels[i] != -1) {
        task_scores.push_back(scores[i]);
        task_labels.push_back(labels[i]);
      }
    }
    result.each.push_back(roc_auc(task_scores, task_labels));
    result.mean += result.each.back().value_or(0.0);
    ++(result.each.back() ? result.tasks : result.skipped);
  }
  result.mean /= std::max(1, result.tasks);
  return result;
}

/// Root of the mean squared difference. @throws Error if sizes differ or there is nothing to
/// compare.
inline double rmse(std::span<float const> predictions, std::span<float const> truth) {
  expects(predictions.size() == truth.size() && !truth.empty(), "rmse: ", predictions.size(),
          " predictions, but ", truth.size(),
          " true values; both need the same number, at least 1");
  double squares = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double const difference = static_cast<double>(predictions[i]) - static_cast<double>(truth[i]);
    squares += difference * difference;
  }
  return std::sqrt(squares / static_cast<double>(truth.size()));
}

/// Mean absolute difference. @throws Error as rmse.
inline double mean_absolute_error(std::span<float const> predictions,
                                  std::span<float const> truth) {
  expects(predictions.size() == truth.size() && !truth.empty(),
          "mean_absolute_error: ", predictions.size(), " predictions, but ", truth.size(),
          " true values; both need the same number, at least 1");
  double sum = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    sum += std::abs(static_cast<double>(predictions[i]) - static_cast<double>(truth[i]));
  }
  return sum / static_cast<double>(truth.size());
}

/// R²: 1 - squared error / squared deviation of the true values from their mean. Empty if all true
/// values are the same. @throws Error as rmse.
inline std::optional<double> r_squared(std::span<float const> predictions,
                                       std::span<float const> truth) {
  double const error = rmse(predictions, truth);
  double mean = 0.0;
  for (float const x : truth) {
    mean += static_cast<double>(x) / static_cast<double>(truth.size());
  }
  double deviation = 0.0;
  for (float const x : truth) {
    deviation += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
  }
  if (deviation == 0.0) {
    return std::nullopt;
  }
  return 1.0 - error * error * static_cast<double>(truth.size()) / deviation;
}

}  // namespace m2u
