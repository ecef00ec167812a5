// SPDX-License-Identifier: Apache-2.0
/// @file
/// A data set with labels beside it, for fine-tuning.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/data/labels.hpp"
#include "m2u/transfer/label_head.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// Adds the modality "labels" (a LabelBatch) to a data set's batches. Copies share the labels.
template <Dataset D>
class LabelledDataset {
 public:
  /// @param labels of as many samples as the data set has
  /// @throws Error if their number differs.
  LabelledDataset(D dataset, Labels labels, std::string name = "labels")
      : dataset_(std::move(dataset)),
        labels_(std::make_shared<Labels const>(std::move(labels))),
        name_(std::move(name)) {
    auto const wanted =
        static_cast<std::size_t>(dataset_.size()) * static_cast<std::size_t>(labels_->tasks);
    expects(labels_->tasks > 0 && labels_->values.size() == wanted &&
                (labels_->weights.empty() || labels_->weights.size() == wanted),
            "LabelledDataset: ", labels_->values.size(), " labels and ", labels_->weights.size(),
            " weights are not ", dataset_.size(), " samples of ", labels_->tasks, " tasks");
  }

  int size() const { return dataset_.size(); }

  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    auto batch = dataset_.template collate<S>(ids);
    std::vector<int> rows;
    std::vector<int> lengths;
    std::vector<int> columns;
    std::vector<float> values;
    std::vector<float> weights;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      rows.push_back(static_cast<int>(i));
      auto const before = columns.size();
      for (int task = 0; task < labels_->tasks; ++task) {
        auto const at =
            static_cast<std::size_t>(ids[i]) * static_cast<std::size_t>(labels_->tasks) +
            static_cast<std::size_t>(task);
        if (!std::isnan(labels_->values[at])) {
          columns.push_back(task);
          values.push_back(labels_->values[at]);
          if (!labels_->weights.empty()) {
            weights.push_back(labels_->weights[at]);
          }
        }
      }
      lengths.push_back(static_cast<int>(columns.size() - before));
    }
    batch.add(name_, rows,
              LabelBatch<Host>{make_sparse_rows(lengths, columns, values, labels_->tasks),
                               host_vector("m2u::data::label_weights", weights)});
    return batch;
  }

 private:
  D dataset_;
  std::shared_ptr<Labels const> labels_;
  std::string name_;
};

}  // namespace m2u
