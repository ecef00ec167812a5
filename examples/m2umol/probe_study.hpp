// SPDX-License-Identifier: Apache-2.0
// The linear probe: how well a linear model of frozen vectors predicts labels, over many splits.
#pragma once

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/chem/scaffold.hpp"
#include "m2u/train/logistic_regression.hpp"
#include "m2u/train/metrics.hpp"

#include "m2umol/labelled.hpp"

namespace m2umol {

/// The weights of the data from which the validation part chooses.
inline constexpr double probe_grid[] = {1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0};

struct ProbeData {
  std::vector<std::string> scaffolds;
  std::vector<LabelTask> tasks;
  std::vector<bool> seen;  ///< whether a molecule was trained on; empty: unknown
  bool regression = false;
  std::vector<double> grid{std::begin(probe_grid), std::end(probe_grid)};
};

/// One vector per molecule.
struct ProbeVectors {
  int cols = 0;
  std::vector<float> values;  ///< [molecules, cols]
  bool standardise = true;    ///< by the training rows
};

/// Something to compare: one set of vectors, or several (of random initialisations) whose scores
/// are averaged.
struct ProbeMethod {
  std::string name;
  std::string vectors;
  std::vector<ProbeVectors> runs;
};

/// One regression's result on one split.
struct TaskScore {
  std::optional<double> all;     ///< ROC-AUC or RMSE on the test part; empty: one class, no labels
  std::optional<double> unseen;  ///< the same on its molecules that were not trained on
  double c = 0.0;                ///< what the validation part chose
};

namespace detail {

inline std::vector<int> labelled(std::vector<int> const& rows, std::vector<double> const& labels) {
  std::vector<int> result;
  for (int const row : rows) {
    if (!std::isnan(labels[static_cast<std::size_t>(row)])) {
      result.push_back(row);
    }
  }
  return result;
}

/// The labels of one part and its predictions' score.
struct ProbePart {
  std::vector<int> rows;
  m2u::FeatureRows x;
  std::vector<double> labels;

  ProbePart(std::vector<int> chosen, ProbeVectors const& vectors,
            m2u::Standardisation const* standardisation, std::vector<double> const& all_labels)
      : rows(std::move(chosen)) {
    auto const cols = static_cast<std::size_t>(vectors.cols);
    if (standardisation != nullptr) {
      x = (*standardisation)(vectors.values, rows);
    } else {
      x = {static_cast<int>(rows.size()), vectors.cols, {}};
      for (int const row : rows) {
        auto const values =
            std::span(vectors.values).subspan(static_cast<std::size_t>(row) * cols, cols);
        x.values.insert(x.values.end(), values.begin(), values.end());
      }
    }
    for (int const row : rows) {
      labels.push_back(all_labels[static_cast<std::size_t>(row)]);
    }
  }

  std::vector<int> classes() const { return {labels.begin(), labels.end()}; }
  bool both_classes() const {
    return std::find(labels.begin(), labels.end(), 0.0) != labels.end() &&
           std::find(labels.begin(), labels.end(), 1.0) != labels.end();
  }
};

/// ROC-AUC or RMSE of those predictions whose row is wanted.
template <class Wanted>
std::optional<double> probe_metric(ProbePart const& part, std::vector<double> const& predictions,
                                   bool regression, Wanted const& wanted) {
  std::vector<float> scores;
  std::vector<float> truth;
  for (std::size_t i = 0; i < part.rows.size(); ++i) {
    if (wanted(part.rows[i])) {
      scores.push_back(static_cast<float>(predictions[i]));
      truth.push_back(static_cast<float>(part.labels[i]));
    }
  }
  if (regression) {
    return scores.empty() ? std::nullopt : std::optional(m2u::rmse(scores, truth));
  }
  return m2u::roc_auc(scores, std::vector<int>(truth.begin(), truth.end()));
}

/// What the choice of c maximises: ROC-AUC; minus the mean log loss where the part has one class;
/// minus RMSE in regression. 0 for an empty part, so that the strongest penalty stays.
inline double validation_score(ProbePart const& part, std::vector<double> const& predictions,
                               bool regression) {
  if (auto const metric = probe_metric(part, predictions, regression, [](int) { return true; })) {
    return regression ? -*metric : *metric;
  }
  double loss = 0.0;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    double const m = predictions[i];
    loss += std::max(m, 0.0) + std::log1p(std::exp(-std::abs(m))) - part.labels[i] * m;
  }
  return predictions.empty() ? 0.0 : -loss / static_cast<double>(predictions.size());
}

}  // namespace detail

/// Fits one task on the training part of a split for every c, keeps the one that is best on the
/// validation part and measures it on the test part.
inline TaskScore probe_task(ProbeData const& data, LabelTask const& task,
                            ProbeVectors const& vectors, m2u::ScaffoldSplit const& split) {
  auto const train_rows = detail::labelled(split.train, task.labels);
  if (train_rows.empty()) {
    return {};
  }
  std::optional<m2u::Standardisation> standard;
  if (vectors.standardise) {
    standard.emplace(vectors.values, vectors.cols, train_rows);
  }
  auto const part = [&](std::vector<int> rows) {
    return detail::ProbePart(std::move(rows), vectors, standard ? &*standard : nullptr,
                             task.labels);
  };
  auto const train = part(train_rows);
  if (!data.regression && !train.both_classes()) {
    return {};
  }
  auto const validation = part(detail::labelled(split.validation, task.labels));
  m2u::LbfgsOptions const options{.tolerance = 1e-5};  // changes no score's fourth digit
  m2u::LinearModel model;
  m2u::LinearModel chosen;
  TaskScore score;
  double best = -std::numeric_limits<double>::infinity();
  for (double const c : data.grid) {  // from strong to weak penalties: each starts near the next
    model = data.regression
                ? m2u::ridge_regression(train.x, train.labels, c, std::move(model), options)
                : m2u::logistic_regression(train.x, train.classes(), c, std::move(model), options);
    double const reached =
        detail::validation_score(validation, model(validation.x), data.regression);
    if (reached > best) {
      best = reached;
      score.c = c;
      chosen = model;
    }
  }
  auto const test = part(detail::labelled(split.test, task.labels));
  auto const predictions = chosen(test.x);
  score.all = detail::probe_metric(test, predictions, data.regression, [](int) { return true; });
  if (!data.seen.empty()) {
    score.unseen = detail::probe_metric(test, predictions, data.regression, [&](int row) {
      return !data.seen[static_cast<std::size_t>(row)];
    });
  }
  return score;
}

/// Scores by [method][run][split][task].
using ProbeScores = std::vector<std::vector<std::vector<std::vector<TaskScore>>>>;

/// Every method, run and split, in parallel; the result does not depend on the threads.
/// @param progress called with how many of how many runs on splits are done, from any thread
inline ProbeScores probe_all(ProbeData const& data, std::vector<ProbeMethod> const& methods,
                             std::vector<m2u::ScaffoldSplit> const& splits, int threads,
                             std::function<void(std::size_t, std::size_t)> const& progress) {
  struct Job {
    ProbeVectors const* vectors;
    std::size_t split;
    std::vector<TaskScore>* scores;
  };
  ProbeScores scores(methods.size());
  std::vector<Job> jobs;
  for (std::size_t m = 0; m < methods.size(); ++m) {
    scores[m].resize(methods[m].runs.size(), std::vector<std::vector<TaskScore>>(splits.size()));
    for (std::size_t r = 0; r < methods[m].runs.size(); ++r) {
      for (std::size_t s = 0; s < splits.size(); ++s) {
        jobs.push_back({&methods[m].runs[r], s, &scores[m][r][s]});
      }
    }
  }
  std::atomic<std::size_t> done = 0;
  oneapi::tbb::task_arena arena(threads);
  arena.execute([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t j) {
      for (auto const& task : data.tasks) {
        jobs[j].scores->push_back(probe_task(data, task, *jobs[j].vectors, splits[jobs[j].split]));
      }
      progress(++done, jobs.size());
    });
  });
  return scores;
}

/// A method's score per split, the mean over runs and tasks; empty where no task could be scored.
inline std::vector<std::optional<double>> split_means(
    std::vector<std::vector<std::vector<TaskScore>>> const& runs,
    std::optional<double> TaskScore::* which) {
  std::vector<std::optional<double>> means;
  for (std::size_t s = 0; !runs.empty() && s < runs.front().size(); ++s) {
    double sum = 0.0;
    int count = 0;
    for (auto const& run : runs) {
      for (auto const& task : run[s]) {
        sum += (task.*which).value_or(0.0);
        count += (task.*which).has_value() ? 1 : 0;
      }
    }
    means.push_back(count == 0 ? std::nullopt : std::optional(sum / count));
  }
  return means;
}

/// Mean over splits and its standard error, which needs two of them.
struct SplitSummary {
  int splits = 0;
  std::optional<double> mean;
  std::optional<double> error;
};

inline SplitSummary summary_of(std::vector<std::optional<double>> const& values) {
  SplitSummary summary;
  double sum = 0.0;
  for (auto const& value : values) {
    sum += value.value_or(0.0);
    summary.splits += value.has_value() ? 1 : 0;
  }
  if (summary.splits == 0) {
    return summary;
  }
  summary.mean = sum / summary.splits;
  double squares = 0.0;
  for (auto const& value : values) {
    squares += value ? (*value - *summary.mean) * (*value - *summary.mean) : 0.0;
  }
  if (summary.splits > 1) {
    summary.error = std::sqrt(squares / (summary.splits - 1.0) / summary.splits);
  }
  return summary;
}

/// Differences on the same splits.
inline std::vector<std::optional<double>> paired_difference(
    std::vector<std::optional<double>> const& a, std::vector<std::optional<double>> const& b) {
  std::vector<std::optional<double>> result;
  for (std::size_t s = 0; s < a.size(); ++s) {
    result.push_back(a[s] && b[s] ? std::optional(*a[s] - *b[s]) : std::nullopt);
  }
  return result;
}

}  // namespace m2umol
