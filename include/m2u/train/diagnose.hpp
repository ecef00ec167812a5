// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where a number that is not finite came from.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "m2u/transfer/losses.hpp"

namespace m2u::detail {

/// The first parameter whose part of a flat buffer is not finite, or an empty string.
template <ExecutionSpace S>
std::string first_non_finite_parameter(S const& space, ParameterLayout const& layout,
                                       Vector<float, S> const& buffer) {
  auto const values = to_host(space, buffer);
  for (auto const& entry : layout.parameters()) {
    for (std::size_t i = 0; i < entry.slice.size(); ++i) {
      if (!std::isfinite(values[entry.slice.offset + i])) {
        return entry.name;
      }
    }
  }
  return {};
}

/// Runs a step again (its parameters have not been updated) and says in a sentence what went wrong.
template <ExecutionSpace S, class Model>
std::string diagnose(Tape<S>& tape, Model const& model, MultiBatch<S> const& batch,
                     std::uint64_t step) {
  auto const& theta = tape.parameters();
  auto const bad = first_non_finite_parameter(tape.space(), theta.layout(), theta.values());
  if (!bad.empty()) {
    return "The parameter \"" + bad + "\" was not finite before this step.";
  }
  tape.reset(step);
  tape.keep_values(true);
  theta.zero_gradients(tape.space());
  auto const losses = model.losses(tape, batch);
  tape.keep_values(false);
  if (auto const op = tape.first_non_finite_value(); !op.empty()) {
    return "The first op with such a value is \"" + op + "\".";
  }
  auto const op =
      losses.total.differentiable() ? tape.first_non_finite_gradient(losses.total) : std::string();
  auto const parameter =
      first_non_finite_parameter(tape.space(), theta.layout(), theta.gradients());
  auto const of_parameter = parameter.empty()
                                ? std::string()
                                : " The gradient of the parameter \"" + parameter + "\" is not.";
  if (!op.empty()) {
    return "All values are finite; going back from the loss, the first op whose output has such a "
           "gradient is \"" +
           op + "\"." + of_parameter;
  }
  return parameter.empty() ? "Run again, the batch gave finite numbers."
                           : "All values are finite." + of_parameter;
}

inline std::string list_ids(std::vector<int> const& ids) {
  std::string text;
  for (int const id : ids) {
    text += (text.empty() ? "" : ", ") + std::to_string(id);
  }
  return text;
}

}  // namespace m2u::detail
