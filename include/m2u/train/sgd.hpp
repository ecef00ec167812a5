// SPDX-License-Identifier: Apache-2.0
/// @file
/// Stochastic gradient descent with momentum, as PyTorch has it (dampening 0).
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "m2u/train/optimiser.hpp"
#include "m2u/train/parameter_groups.hpp"

namespace m2u {

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0.0;
  double weight_decay = 0.0;                ///< added to the gradient (L2)
  std::vector<ParameterGroup> groups = {};  ///< other rates for parts of the model
};

/// velocity = momentum · velocity + gradient; weight -= learning rate · velocity. Shares the
/// parameters' memory.
template <ExecutionSpace S>
class Sgd {
 public:
  /// @throws Error if an option or a parameter group is wrong.
  explicit Sgd(Parameters<S> const& theta, SgdOptions options = {}, S const& space = S{})
      : theta_(theta),
        options_(std::move(options)),
        table_(make_group_table(space, theta.layout(),
                                {options_.learning_rate, options_.weight_decay}, options_.groups)),
        guard_(space, theta.values().extent(0)),
        velocity_(zero_vector<float>(space, "m2u::train::velocity", theta.values().extent(0))),
        state_{"sgd", 0, {{"velocity", velocity_}}} {
    expects(options_.momentum >= 0.0 && options_.momentum < 1.0, "sgd: the momentum ",
            options_.momentum, " must be in [0, 1)");
    space.fence("m2u::train::sgd");
  }

  /// One update from the gradients, on `space`, without waiting. No update if a gradient is not
  /// finite.
  /// @param factor multiplies every learning rate: the schedule.
  void step(S const& space, double factor = 1.0, StepOptions const& options = {});

  SgdOptions const& options() const { return options_; }
  GradientGuard<S> const& guard() const { return guard_; }
  OptimiserState<S>& state() { return state_; }

 private:
  Parameters<S> theta_;
  SgdOptions options_;
  GroupTable<S> table_;
  GradientGuard<S> guard_;
  Vector<float, S> velocity_;
  OptimiserState<S> state_;
};

template <ExecutionSpace S>
void Sgd<S>::step(S const& space, double factor, StepOptions const& options) {
  expects(std::isfinite(factor) && factor >= 0.0, "sgd: the learning-rate factor is ", factor,
          "; it must be a non-negative number");
  guard_.measure(space, theta_.gradients(), options);
  ++state_.steps;
  kernels::sgd_update(space, static_cast<float>(options_.momentum), factor, guard_.state(),
                      table_.groups, table_.rates, theta_.gradients(), velocity_, theta_.values());
}

}  // namespace m2u
