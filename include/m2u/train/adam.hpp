// SPDX-License-Identifier: Apache-2.0
/// @file
/// Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019), as PyTorch has
/// them.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "m2u/train/optimiser.hpp"
#include "m2u/train/parameter_groups.hpp"

namespace m2u {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;                ///< Adam: added to the gradient (L2); AdamW: decoupled
  std::vector<ParameterGroup> groups = {};  ///< other rates for parts of the model
};

namespace detail {

template <ExecutionSpace S>
class AdamBase {
 public:
  AdamBase(char const* name, bool decoupled, Parameters<S> const& theta, AdamOptions options,
           S const& space);

  /// One update from the gradients, on `space`, without waiting. No update if a gradient is not
  /// finite.
  /// @param factor multiplies every learning rate: the schedule.
  void step(S const& space, double factor = 1.0, StepOptions const& options = {});

  AdamOptions const& options() const { return options_; }
  GradientGuard<S> const& guard() const { return guard_; }
  OptimiserState<S>& state() { return state_; }

 private:
  Parameters<S> theta_;
  AdamOptions options_;
  bool decoupled_;
  GroupTable<S> table_;
  GradientGuard<S> guard_;
  Vector<float, S> first_;
  Vector<float, S> second_;
  OptimiserState<S> state_;
};

template <ExecutionSpace S>
AdamBase<S>::AdamBase(char const* name, bool decoupled, Parameters<S> const& theta,
                      AdamOptions options, S const& space)
    : theta_(theta),
      options_(std::move(options)),
      decoupled_(decoupled),
      table_(make_group_table(space, theta.layout(),
                              {options_.learning_rate, options_.weight_decay}, options_.groups)),
      guard_(space, theta.values().extent(0)),
      first_(zero_vector<float>(space, "m2u::train::first_moment", theta.values().extent(0))),
      second_(zero_vector<float>(space, "m2u::train::second_moment", theta.values().extent(0))),
      state_{name, 0, {{"first_moment", first_}, {"second_moment", second_}}} {
  expects(options_.beta1 >= 0.0 && options_.beta1 < 1.0 && options_.beta2 >= 0.0 &&
              options_.beta2 < 1.0,
          name, ": the betas ", options_.beta1, " and ", options_.beta2, " must be in [0, 1)");
  expects(options_.epsilon >= 0.0, name, ": epsilon must not be negative, but is ",
          options_.epsilon);
  space.fence("m2u::train::adam");
}

template <ExecutionSpace S>
void AdamBase<S>::step(S const& space, double factor, StepOptions const& options) {
  expects(std::isfinite(factor) && factor >= 0.0, state_.name, ": the learning-rate factor is ",
          factor, "; it must be a non-negative number");
  guard_.measure(space, theta_.gradients(), options);
  auto const t = static_cast<double>(++state_.steps);
  kernels::AdamStep const numbers{
      .beta1 = static_cast<float>(options_.beta1),
      .beta2 = static_cast<float>(options_.beta2),
      .keep1 = static_cast<float>(1.0 - options_.beta1),
      .keep2 = static_cast<float>(1.0 - options_.beta2),
      .epsilon = static_cast<float>(options_.epsilon),
      .rate = factor / (1.0 - std::pow(options_.beta1, t)),
      .schedule = factor,
      .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t))),
      .decoupled = decoupled_};
  kernels::adam_update(space, numbers, guard_.state(), table_.groups, table_.rates,
                       theta_.gradients(), first_, second_, theta_.values());
}

}  // namespace detail

/// Adam. Weight decay is added to the gradient, after clipping. Shares the parameters' memory.
template <ExecutionSpace S>
class Adam : public detail::AdamBase<S> {
 public:
  /// @throws Error if an option or a parameter group is wrong.
  explicit Adam(Parameters<S> const& theta, AdamOptions options = {}, S const& space = S{})
      : detail::AdamBase<S>("adam", false, theta, std::move(options), space) {}
};

/// AdamW: each step first multiplies the weights by 1 - learning rate · weight decay.
template <ExecutionSpace S>
class AdamW : public detail::AdamBase<S> {
 public:
  /// @throws Error if an option or a parameter group is wrong.
  explicit AdamW(Parameters<S> const& theta, AdamOptions options = {}, S const& space = S{})
      : detail::AdamBase<S>("adamw", true, theta, std::move(options), space) {}
};

}  // namespace m2u
