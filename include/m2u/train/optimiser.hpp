// SPDX-License-Identifier: Apache-2.0
/// @file
/// What an optimiser is, and what it remembers between steps.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "m2u/parameters/parameters.hpp"
#include "m2u/train/clip.hpp"

namespace m2u {

/// What a checkpoint must hold to go on as if nothing had happened.
template <ExecutionSpace S>
struct OptimiserState {
  std::string name;                                               ///< the method, for messages
  std::int64_t steps = 0;                                         ///< updates so far
  std::vector<std::pair<std::string, Vector<float, S>>> buffers;  ///< flat, as the parameters
};

/// Something with `step(space, learning_rate_factor, options)`, a guard and a state.
template <class O, class S>
concept Optimiser = requires(O& optimiser, S const& space, StepOptions const& options) {
  optimiser.step(space, 1.0, options);
  { optimiser.guard() } -> std::same_as<GradientGuard<S> const&>;
  { optimiser.state() } -> std::same_as<OptimiserState<S>&>;
};

}  // namespace m2u
