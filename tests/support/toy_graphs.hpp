// SPDX-License-Identifier: Apache-2.0
// Toy graphs as a data set, for what works on top of the hub alone.
#pragma once

#include <numeric>
#include <span>
#include <vector>

#include "support/toy.hpp"

namespace m2u::test {

/// The graphs of the first toy samples as a data set, as the modality "2d".
template <int samples>
struct ToyGraphs {
  int size() const { return samples; }
  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    HostBatch<S> batch(std::vector<int>(ids.begin(), ids.end()));
    std::vector<GraphRecord> records;
    std::vector<GraphView> views;
    for (int const id : ids) {
      records.push_back(toy_graph(id));
    }
    for (auto const& record : records) {
      views.push_back(record.view());
    }
    std::vector<int> rows(ids.size());
    std::iota(rows.begin(), rows.end(), 0);
    batch.add("2d", rows, make_graph_batch(views, {2, 1, 4}));
    return batch;
  }
};

}  // namespace m2u::test
