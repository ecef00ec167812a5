// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where the trainer gets its batches from: the order of an epoch, and the simplest source.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/core/random.hpp"
#include "m2u/transfer/multi_batch.hpp"
#include "m2u/transfer/staging.hpp"

namespace m2u {

/// How samples are put into batches.
struct BatchOptions {
  int size = 256;          ///< samples per batch
  std::uint64_t seed = 1;  ///< of the order
  bool shuffle = true;     ///< another order each epoch; else the order of the ids
  bool drop_last = false;  ///< leave out a last batch that is not full
};

/// The samples of an epoch in order: a function of ids, seed and epoch alone, so that a resumed run
/// goes on with the same batches.
inline std::vector<int> epoch_order(std::span<int const> ids, BatchOptions const& options,
                                    int epoch) {
  std::vector<int> order(ids.begin(), ids.end());
  if (options.shuffle) {
    auto const stream = stream_of("m2u::train::epoch_order") + static_cast<std::uint64_t>(epoch);
    auto const places =
        random_permutation(static_cast<int>(ids.size()), Seed{options.seed}, stream);
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = ids[static_cast<std::size_t>(places[i])];
    }
  }
  return order;
}

/// Gives the batches of an epoch in order, in the memory of S.
template <class B, class S>
concept BatchSource = requires(B& source, B const& constant, S const& space, int number) {
  source.start_epoch(number);          // epoch
  source.start_epoch(number, number);  // epoch, first batch: a resumed run skips those before
  { source.next(space) } -> std::same_as<std::optional<MultiBatch<S>>>;
  { constant.batches_per_epoch() } -> std::convertible_to<int>;
  { constant.samples_per_epoch() } -> std::convertible_to<int>;
};

/// The batches of an epoch as ids: what all sources share.
class BatchPlan {
 public:
  /// @throws Error if the batch size is not positive or an id is outside 0 … samples - 1.
  BatchPlan(std::vector<int> ids, BatchOptions const& options, int samples)
      : ids_(std::move(ids)), options_(options) {
    expects(options.size > 0, "BatchOptions: the batch size ", options.size, " is not positive");
    for (int const id : ids_) {
      expects(id >= 0 && id < samples, "batches: there is no sample ", id, " in a data set of ",
              samples);
    }
  }

  int batches() const {
    auto const all = static_cast<std::int64_t>(ids_.size());
    auto const rest = options_.drop_last ? 0 : options_.size - 1;
    return static_cast<int>((all + rest) / options_.size);
  }
  int samples() const {
    return options_.drop_last ? batches() * options_.size : static_cast<int>(ids_.size());
  }

  /// Makes the order of an epoch. @throws Error if first_batch is outside 0 … batches().
  void start(int epoch, int first_batch) {
    expects(first_batch >= 0 && first_batch <= batches(), "start_epoch: there is no batch ",
            first_batch, " in an epoch of ", batches());
    order_ = epoch_order(ids_, options_, epoch);
  }

  /// Ids of a batch of the epoch that was started.
  std::span<int const> batch(int number) const {
    auto const first = static_cast<std::size_t>(number) * static_cast<std::size_t>(options_.size);
    return std::span(order_).subspan(
        first, std::min(static_cast<std::size_t>(options_.size), order_.size() - first));
  }

 private:
  std::vector<int> ids_;
  BatchOptions options_;
  std::vector<int> order_;
};

/// All samples of a data set.
inline std::vector<int> all_ids(int size) {
  std::vector<int> ids(static_cast<std::size_t>(size));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// A source that collates in the calling thread, with nothing beside it. The data set is copied:
/// make copies cheap, as TableDataset does.
template <ExecutionSpace S, Dataset D>
class SequentialBatches {
 public:
  explicit SequentialBatches(D dataset, BatchOptions const& options = {})
      : SequentialBatches(dataset, options, all_ids(static_cast<int>(dataset.size()))) {}
  /// @param ids the samples to use.
  SequentialBatches(D dataset, BatchOptions const& options, std::vector<int> ids)
      : dataset_(std::move(dataset)),
        plan_(std::move(ids), options, static_cast<int>(dataset_.size())) {}

  int batches_per_epoch() const { return plan_.batches(); }
  int samples_per_epoch() const { return plan_.samples(); }

  void start_epoch(int epoch, int first_batch = 0) {
    plan_.start(epoch, first_batch);
    next_ = first_batch;
    started_ = true;
  }

  /// The next batch; none at the end of the epoch. @throws Error if no epoch was started.
  std::optional<MultiBatch<S>> next(S const& space) {
    expects(started_, "SequentialBatches: call start_epoch before next");
    if (next_ == plan_.batches()) {
      return std::nullopt;
    }
    staging_.start(space, dataset_.template collate<S>(plan_.batch(next_++)));
    return staging_.take(space);
  }

 private:
  D dataset_;
  BatchPlan plan_;
  Staging<S> staging_;
  int next_ = 0;
  bool started_ = false;
};

}  // namespace m2u
