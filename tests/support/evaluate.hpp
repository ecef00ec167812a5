// SPDX-License-Identifier: Apache-2.0
// Runs a function of tensors on given values, for comparison with plain reference code.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <vector>

#include "m2u/autodiff/gradient_check.hpp"

namespace m2u::test {

/// What a function of a tape and tensors gave, widened to double (exactly).
struct Evaluation {
  int rows = 0;
  int cols = 0;
  std::vector<double> values;
  std::vector<std::vector<double>>
      gradients;              ///< of Σ weight · value with fixed weights, per input
  std::vector<double> state;  ///< the flat state afterwards
  bool operator==(Evaluation const&) const = default;
};

/// f(tape, inputs) in float at the inputs, step 3.
template <class S, class F>
Evaluation evaluate(S const& space, ParameterLayout const& layout,
                    std::vector<CheckInput> const& inputs, F const& f, Mode mode = Mode::training) {
  Parameters<S> const theta(space, layout, Seed{11});
  Tape<S> tape(space, theta, mode, Seed{5});
  tape.reset(3);
  std::vector<Tensor<S>> tensors;
  for (auto const& input : inputs) {
    std::vector<float> const converted(input.values.begin(), input.values.end());
    auto const matrix = tape.matrix(input.rows, input.cols);
    from_host(space, std::span<float const>(converted), matrix);
    tensors.push_back(tape.variable(matrix));
  }
  auto const widen = [&](auto const& view) {
    auto const values = to_host(space, view);
    return std::vector<double>(values.begin(), values.end());
  };
  Tensor<S> const output = f(tape, tensors);
  Evaluation result{output.rows(), output.cols(), widen(output.value), {}, widen(theta.state())};
  auto const weights = random_input(output.rows(), output.cols(), Seed{77}).values;
  tape.backward_from(output, std::vector<float>(weights.begin(), weights.end()));
  for (auto const& tensor : tensors) {
    result.gradients.push_back(widen(tape.gradient(tensor).matrix));
  }
  return result;
}

/// The largest |a - b| / max(1, |b|); infinite if the sizes differ or something is not finite.
inline double largest_error(std::vector<double> const& a, std::vector<double> const& b) {
  double worst = a.size() == b.size() ? 0.0 : HUGE_VAL;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    double const error = std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i]));
    worst = std::isfinite(error) ? std::max(worst, error) : HUGE_VAL;
  }
  return worst;
}

/// An instance of one thread, if the space has such instances and its default one has more threads.
template <class S>
std::optional<S> fewer_threads() {
#if defined(KOKKOS_ENABLE_OPENMP)
  if constexpr (std::is_same_v<S, Kokkos::OpenMP>) {
    if (S{}.concurrency() > 1) {
      return S(1);
    }
  }
#endif
  return std::nullopt;
}

}  // namespace m2u::test
