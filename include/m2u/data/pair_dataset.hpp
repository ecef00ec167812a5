// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pairs of a data set's samples as a data set of their own.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/data/labels.hpp"
#include "m2u/transfer/multi_batch.hpp"
#include "m2u/transfer/pair_head.hpp"

namespace m2u {

/// A data set whose ids are pairs. A batch holds the samples of its pairs, each once however often
/// it occurs, in rising order, and the pairs as the modality "pairs" (a PairBatch). Copies share
/// the pairs.
template <Dataset D>
class PairDataset {
 public:
  /// @throws Error if there are not as many samples and classes as pairs, or a sample is not in the
  /// data set.
  PairDataset(D samples, Pairs pairs, std::string name = "pairs")
      : PairDataset(std::move(samples), std::make_shared<Pairs const>(std::move(pairs)),
                    std::move(name)) {}
  /// The same of pairs that are shared with others.
  PairDataset(D samples, std::shared_ptr<Pairs const> pairs, std::string name = "pairs")
      : samples_(std::move(samples)), pairs_(std::move(pairs)), name_(std::move(name)) {
    auto const& all = *pairs_;
    expects(all.second.size() == all.first.size() && all.classes.size() == all.first.size(),
            "PairDataset: ", all.first.size(), " samples on the left, ", all.second.size(),
            " on the right and ", all.classes.size(), " classes; their numbers must be equal");
    for (std::size_t i = 0; i < all.first.size(); ++i) {
      for (int const sample : {all.first[i], all.second[i]}) {
        expects(sample >= 0 && sample < samples_.size(), "PairDataset: pair ", i,
                " has the sample ", sample, ", outside 0 … ", samples_.size() - 1);
      }
    }
  }

  int size() const { return pairs_->size(); }

  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    std::vector<int> samples;
    for (int const id : ids) {
      samples.push_back(pairs_->first[static_cast<std::size_t>(id)]);
      samples.push_back(pairs_->second[static_cast<std::size_t>(id)]);
    }
    std::sort(samples.begin(), samples.end());
    samples.erase(std::unique(samples.begin(), samples.end()), samples.end());
    auto const place = [&](int sample) {
      return static_cast<int>(std::lower_bound(samples.begin(), samples.end(), sample) -
                              samples.begin());
    };
    std::vector<int> first;
    std::vector<int> second;
    std::vector<int> classes;
    for (int const id : ids) {
      auto const pair = static_cast<std::size_t>(id);
      first.push_back(place(pairs_->first[pair]));
      second.push_back(place(pairs_->second[pair]));
      classes.push_back(pairs_->classes[pair]);
    }
    auto batch = samples_.template collate<S>(samples);
    std::vector<int> rows(samples.size());
    std::iota(rows.begin(), rows.end(), 0);
    auto const count = static_cast<int>(samples.size());
    batch.add(name_, rows,
              PairBatch<Host>{make_row_index(first, count), make_row_index(second, count),
                              host_vector("m2u::data::pair_classes", classes)});
    return batch;
  }

 private:
  D samples_;
  std::shared_ptr<Pairs const> pairs_;
  std::string name_;
};

}  // namespace m2u
