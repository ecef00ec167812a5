// SPDX-License-Identifier: Apache-2.0
// How good predictions of labels are: per label and on average.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/train/class_metrics.hpp"
#include "m2u/transfer/embeddings.hpp"

#include "m2umol/labelled.hpp"

namespace m2umol {

/// Measures of some rows: roc_auc, pr_auc, accuracy, sensitivity and specificity at a chance of
/// one half; or rmse, mae and r2.
struct LabelScores {
  struct Each {
    std::string label;
    int labelled = 0;                      ///< rows that have the label
    std::map<std::string, double> values;  ///< empty: one class, or no labels
  };
  std::vector<Each> each;
  std::map<std::string, double> mean;  ///< over the labels that have the measure
  int rows = 0;
  int skipped = 0;  ///< labels without values

  std::optional<double> value(std::string const& measure) const {
    auto const found = mean.find(measure);
    return found == mean.end() ? std::nullopt : std::optional(found->second);
  }
};
nlohmann::json to_json(LabelScores const& scores);

/// The measure that tells which epoch is best.
inline char const* main_measure(bool regression) { return regression ? "rmse" : "roc_auc"; }

/// @param predictions a row for each of `rows`, in their order  @param tasks labels by row
LabelScores score(m2u::HostRows const& predictions, std::vector<LabelTask> const& tasks,
                  std::vector<int> const& rows, bool regression);

/// Measures of classes by name.
std::map<std::string, double> class_measures(m2u::ClassMetrics const& metrics);

/// Minus the mean log loss or squared error: what is better where the main measure says nothing.
double negative_loss(m2u::HostRows const& predictions, std::vector<LabelTask> const& tasks,
                     std::vector<int> const& rows, bool regression);

}  // namespace m2umol
