// SPDX-License-Identifier: Apache-2.0
/// @file
/// The norm of all gradients: clips them, and stops updates when it is not finite.
#pragma once

#include <span>

#include "m2u/kernels/optimiser.hpp"
#include "m2u/parameters/parameters.hpp"

namespace m2u {

/// What a step is told besides its learning rate.
struct StepOptions {
  double clip_norm = 0.0;       ///< the largest Euclidean norm of all gradients; 0 for no limit
  float const* loss = nullptr;  ///< one number in the space's memory that must be finite, or null
  long long number = 0;         ///< the step's number, kept if it is the one that stops training
};

/// Measures gradients without making the host wait. Once a norm (or the given loss) was not finite,
/// the guard stays stopped and the optimisers leave the parameters as they are.
template <ExecutionSpace S>
class GradientGuard {
 public:
  explicit GradientGuard(S const& space, std::size_t parameters)
      : partial_(make_vector<double>(space, "m2u::train::norm_parts", parts(parameters))),
        state_(make_vector<StepGuard>(space, "m2u::train::guard", 1)) {
    reset(space);
  }

  /// Launches the measurement of a flat gradient buffer. The norm is the same for any number of
  /// threads.
  void measure(S const& space, Vector<float, S> const& gradients, StepOptions const& options) const;

  /// Where update kernels read what was decided.
  Vector<StepGuard, S> const& state() const { return state_; }
  /// The same on the host. Waits for `space`.
  StepGuard read(S const& space) const { return to_host(space, state_).front(); }
  /// Forgets a stop.
  void reset(S const& space) const;

 private:
  static std::size_t parts(std::size_t parameters) {
    constexpr std::size_t part =
        static_cast<std::size_t>(kernels::parameter_block) * kernels::blocks_per_team;
    return (parameters + part - 1) / part;
  }
  Vector<double, S> partial_;
  Vector<StepGuard, S> state_;
};

/// Scales the gradients so that their Euclidean norm is at most `norm`, as PyTorch's
/// clip_grad_norm_. For loops without an optimiser of this library: those clip by themselves
/// (StepOptions).
template <ExecutionSpace S>
void clip_gradients(S const& space, Parameters<S> const& theta, double norm) {
  GradientGuard<S> const guard(space, theta.gradients().extent(0));
  guard.measure(space, theta.gradients(), {.clip_norm = norm});
  kernels::scale_gradients(space, guard.state(), theta.gradients());
  space.fence("m2u::train::clip_gradients");  // the guard's memory ends here
}

template <ExecutionSpace S>
void GradientGuard<S>::measure(S const& space, Vector<float, S> const& gradients,
                               StepOptions const& options) const {
  expects(partial_.extent(0) == parts(gradients.extent(0)),
          "GradientGuard: made for another model");
  expects(options.clip_norm >= 0.0, "clip_norm must not be negative, but is ", options.clip_norm);
  kernels::sum_of_squares(space, gradients, partial_);
  kernels::update_guard(space, partial_, options.loss, options.clip_norm, options.number, state_);
}

template <ExecutionSpace S>
void GradientGuard<S>::reset(S const& space) const {
  StepGuard const start;
  from_host(space, std::span<StepGuard const>(&start, 1), state_);
}

}  // namespace m2u
