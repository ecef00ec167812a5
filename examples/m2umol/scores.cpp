// SPDX-License-Identifier: Apache-2.0
#include "m2umol/scores.hpp"

#include <algorithm>
#include <cmath>

namespace m2umol {

namespace {

/// Predictions and labels of one task, of the rows that have the label.
struct Labelled {
  std::vector<float> predictions;
  std::vector<float> labels;

  Labelled(m2u::HostRows const& rows_of_predictions, LabelTask const& task, int column,
           std::vector<int> const& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const label = task.labels[static_cast<std::size_t>(rows[i])];
      auto const at =
          i * static_cast<std::size_t>(rows_of_predictions.cols) + static_cast<std::size_t>(column);
      if (!std::isnan(label) && !std::isnan(rows_of_predictions.values[at])) {
        predictions.push_back(rows_of_predictions.values[at]);
        labels.push_back(static_cast<float>(label));
      }
    }
  }
  std::vector<int> classes() const { return {labels.begin(), labels.end()}; }
};

std::map<std::string, double> measures(Labelled const& data, bool regression) {
  std::map<std::string, double> values;
  if (data.labels.empty()) {
    return values;
  }
  if (regression) {
    values["rmse"] = m2u::rmse(data.predictions, data.labels);
    values["mae"] = m2u::mean_absolute_error(data.predictions, data.labels);
    if (auto const r2 = m2u::r_squared(data.predictions, data.labels)) {
      values["r2"] = *r2;
    }
    return values;
  }
  auto const classes = data.classes();
  if (auto const area = m2u::roc_auc(data.predictions, classes)) {
    auto const at_half = m2u::binary_metrics(data.predictions, classes, 0.5F);
    values = {{"roc_auc", *area},
              {"pr_auc", *m2u::average_precision(data.predictions, classes)},
              {"accuracy", at_half.accuracy},
              {"sensitivity", *at_half.sensitivity},
              {"specificity", *at_half.specificity}};
  }
  return values;
}

}  // namespace

LabelScores score(m2u::HostRows const& predictions, std::vector<LabelTask> const& tasks,
                  std::vector<int> const& rows, bool regression) {
  LabelScores scores;
  scores.rows = static_cast<int>(rows.size());
  std::map<std::string, int> counts;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    Labelled const data(predictions, tasks[t], static_cast<int>(t), rows);
    scores.each.push_back(
        {tasks[t].name, static_cast<int>(data.labels.size()), measures(data, regression)});
    scores.skipped += scores.each.back().values.empty() ? 1 : 0;
    for (auto const& [name, value] : scores.each.back().values) {
      scores.mean[name] += value;
      ++counts[name];
    }
  }
  for (auto& [name, value] : scores.mean) {
    value /= counts[name];
  }
  return scores;
}

std::map<std::string, double> class_measures(m2u::ClassMetrics const& metrics) {
  return {{"accuracy", metrics.accuracy},    {"macro_precision", metrics.precision},
          {"macro_recall", metrics.recall},  {"macro_f1", metrics.f1},
          {"roc_auc", metrics.roc_auc.mean}, {"pr_auc", metrics.pr_auc}};
}

double negative_loss(m2u::HostRows const& predictions, std::vector<LabelTask> const& tasks,
                     std::vector<int> const& rows, bool regression) {
  double sum = 0.0;
  double count = 0.0;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    Labelled const data(predictions, tasks[t], static_cast<int>(t), rows);
    for (std::size_t i = 0; i < data.labels.size(); ++i) {
      double const p = static_cast<double>(data.predictions[i]);
      double const label = static_cast<double>(data.labels[i]);
      double const right = std::clamp(label > 0.5 ? p : 1.0 - p, 1e-7, 1.0);
      sum += regression ? (p - label) * (p - label) : -std::log(right);
      count += 1.0;
    }
  }
  return count == 0.0 ? 0.0 : -sum / count;
}

nlohmann::json to_json(LabelScores const& scores) {
  nlohmann::json json{
      {"rows", scores.rows}, {"skipped_labels", scores.skipped}, {"mean", scores.mean}};
  auto& labels = json["labels"] = nlohmann::json::array();
  for (auto const& each : scores.each) {
    nlohmann::json entry{{"label", each.label}, {"rows", each.labelled}};
    if (each.values.empty()) {
      entry["skipped"] = each.labelled == 0 ? "no labels" : "one class";
    }
    entry.update(nlohmann::json(each.values));
    labels.push_back(std::move(entry));
  }
  return json;
}

}  // namespace m2umol
