// SPDX-License-Identifier: Apache-2.0
/// @file
/// Keeping the parameters of the best epoch, and stopping when there are no better ones.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "m2u/core/error.hpp"
#include "m2u/train/info.hpp"

namespace m2u {

struct BestEpochOptions {
  bool highest = true;              ///< the best score is the highest; else the lowest
  int patience = 0;                 ///< stop after so many epochs without a better score; 0: never
  int first = 1;                    ///< earlier epochs are measured, but none of them is the best
  std::string name = "validation";  ///< under which the score is in EpochInfo::extra
};

/// A callback that measures every epoch and remembers parameters and state of the best one; of
/// equal scores the first counts. Give it to the trainer by std::ref.
template <ExecutionSpace S>
class BestEpoch {
 public:
  /// @param measure the score of the parameters as they are now, for example on validation samples
  BestEpoch(Parameters<S> const& theta, std::function<double()> measure,
            BestEpochOptions options = {})
      : theta_(theta), measure_(std::move(measure)), options_(std::move(options)) {}

  /// @throws Error if the score is not a number.
  void on_epoch(EpochInfo& info) {
    double const score = measure_();
    expects(!std::isnan(score), "BestEpoch: the score of epoch ", info.epoch, " is not a number");
    info.extra[options_.name] = score;
    if (info.epoch < options_.first) {
      return;
    }
    if (epoch_ == 0 || (options_.highest ? score > score_ : score < score_)) {
      epoch_ = info.epoch;
      score_ = score;
      values_ = copy(theta_.values());
      state_ = copy(theta_.state());
    } else if (options_.patience > 0 && info.epoch - epoch_ >= options_.patience) {
      info.stop = true;
    }
  }

  int epoch() const { return epoch_; }     ///< the best so far, from 1; 0 before the first
  double score() const { return score_; }  ///< of that epoch

  /// Puts the best epoch's values back. @throws Error if there was no epoch.
  void restore(S const& space) const {
    expects(epoch_ > 0, "BestEpoch: there was no epoch to go back to");
    Kokkos::deep_copy(space, theta_.values(), values_);
    Kokkos::deep_copy(space, theta_.state(), state_);
    space.fence("m2u::train::best_epoch");
  }

 private:
  static Vector<float, S> copy(Vector<float, S> const& from) {
    S const space;
    auto const to = make_vector<float>(space, "m2u::train::best_epoch", from.extent(0));
    Kokkos::deep_copy(space, to, from);
    space.fence("m2u::train::best_epoch");
    return to;
  }

  Parameters<S> theta_;
  std::function<double()> measure_;
  BestEpochOptions options_;
  int epoch_ = 0;
  double score_ = 0.0;
  Vector<float, S> values_;
  Vector<float, S> state_;
};

}  // namespace m2u
