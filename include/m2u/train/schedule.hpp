// SPDX-License-Identifier: Apache-2.0
/// @file
/// Learning-rate schedules: what multiplies the learning rates, as a function of the epoch.
#pragma once

#include <cmath>
#include <concepts>
#include <functional>
#include <numbers>
#include <type_traits>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// A function of the epochs done so far, fractions included (2.5: in the middle of the third), that
/// gives the factor of the learning rates. The structs below are such functions; a lambda is one
/// too.
using TrainSchedule = std::function<double(double epoch)>;

/// What converts to a TrainSchedule.
template <class F>
concept Schedule = std::is_invocable_r_v<double, F const&, double>;

/// Always 1.
struct Constant {
  double operator()(double) const { return 1.0; }
};

/// Multiplied by gamma at each milestone that has been reached.
struct MultiStep {
  std::vector<double> milestones;  ///< in epochs
  double gamma = 0.1;
  double operator()(double epoch) const {
    double factor = 1.0;
    for (double const milestone : milestones) {
      factor *= epoch >= milestone ? gamma : 1.0;
    }
    return factor;
  }
};

/// Rises linearly from 0 to 1 over `warmup` epochs, then falls to `floor` along half a cosine until
/// `total` epochs (Loshchilov and Hutter, ICLR 2017), and stays there.
struct CosineDecay {
  double total = 100.0;
  double warmup = 0.0;
  double floor = 0.0;
  /// @throws Error unless 0 ≤ warmup < total.
  double operator()(double epoch) const {
    expects(warmup >= 0.0 && warmup < total, "CosineDecay: a warm-up of ", warmup,
            " epochs does not fit in ", total, " epochs");
    if (epoch < warmup) {
      return epoch / warmup;
    }
    double const done = std::fmin(1.0, (epoch - warmup) / (total - warmup));
    return floor + (1.0 - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace m2u
