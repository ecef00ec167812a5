// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batches of two domains side by side, for DomainAdapted.
#pragma once

#include <any>
#include <cstdint>
#include <optional>
#include <utility>

#include "m2u/train/batch_source.hpp"

namespace m2u {

/// A BatchSource: the batches of `source`, each with one of `target` as the modality "target" (a
/// MultiBatch). An epoch is one of the source; the target's batches go on from epoch to epoch and
/// begin again, in the order of a new epoch, when all were there. What comes is a function of the
/// epoch and the batch's number, as a resumed run needs it.
template <class Source, class Target>
class AdaptationBatches {
 public:
  /// @param first_epoch from 1: batches of earlier epochs come without a target
  /// @throws Error if the target has no batches or the epoch is not positive.
  AdaptationBatches(Source source, Target target, int first_epoch = 1)
      : source_(std::move(source)), target_(std::move(target)), first_epoch_(first_epoch) {
    expects(first_epoch > 0, "AdaptationBatches: the first epoch is ", first_epoch,
            "; epochs count from 1");
    expects(target_.batches_per_epoch() > 0, "AdaptationBatches: the target has no batches");
  }

  int batches_per_epoch() const { return source_.batches_per_epoch(); }
  int samples_per_epoch() const { return source_.samples_per_epoch(); }

  void start_epoch(int epoch, int first_batch = 0) {
    source_.start_epoch(epoch, first_batch);
    adapts_ = epoch + 1 >= first_epoch_;
    if (adapts_) {
      auto const before =
          std::int64_t{epoch + 1 - first_epoch_} * source_.batches_per_epoch() + first_batch;
      auto const round = target_.batches_per_epoch();
      round_ = static_cast<int>(before / round);
      target_.start_epoch(round_, static_cast<int>(before % round));
    }
  }

  /// @throws Error if no epoch was started.
  template <ExecutionSpace S>
  std::optional<MultiBatch<S>> next(S const& space) {
    auto batch = source_.next(space);
    if (batch && adapts_) {
      auto other = target_.next(space);
      if (!other) {
        target_.start_epoch(++round_);
        other = target_.next(space);
      }
      batch->add("target", all_rows(space, batch->size()), std::move(*other));
    }
    return batch;
  }

 private:
  /// An index of all rows of a batch, made anew for another size only: making one waits.
  template <ExecutionSpace S>
  RowIndex<S> all_rows(S const& space, int size) {
    auto const* const known = std::any_cast<RowIndex<S>>(&all_rows_);
    if (known != nullptr && known->sources() == size) {
      return *known;
    }
    auto index = to_space(space, make_row_index(all_ids(size), size));
    all_rows_ = index;
    return index;
  }

  std::any all_rows_;  // RowIndex<S>
  Source source_;
  Target target_;
  int first_epoch_;
  int round_ = 0;  // of the target's batches
  bool adapts_ = false;
};

}  // namespace m2u
