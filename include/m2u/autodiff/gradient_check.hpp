// SPDX-License-Identifier: Apache-2.0
/// @file
/// Checks a differentiable function: analytic gradients in double against central differences, and
/// in float against double. For tests of ops and of users' own.
#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "m2u/autodiff/tape.hpp"

namespace m2u {

/// One input of a checked function.
struct CheckInput {
  int rows = 0;
  int cols = 0;
  std::vector<double> values;  ///< row-major
};

/// An input with normal values drawn from the seed.
inline CheckInput random_input(int rows, int cols, Seed seed) {
  CheckInput input{rows, cols, {}};
  input.values.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  LayoutEntry const entry{"input", {rows, cols}, {}, Initialiser::normal(1.0F)};
  initialise(entry, seed, std::span<double>(input.values));
  return input;
}

/// What gradient_check found: the worst relative error of any input or parameter,
/// |a - b| / max(|b|, floor) in the Euclidean norm.
struct GradientReport {
  double difference_error = 0.0;  ///< double analytic against central differences
  double float_error = 0.0;       ///< float analytic against double analytic
  std::string worst;              ///< the input or parameter that gave the larger of them
  friend std::ostream& operator<<(std::ostream& out, GradientReport const& report) {
    return out << "against differences " << report.difference_error << ", float against double "
               << report.float_error << " (worst: " << report.worst << ')';
  }
};

namespace detail {

/// The function under check as one number, Σ weight · output with fixed weights, and its gradients.
template <ExecutionSpace S, class R, class F>
class CheckedFunction {
 public:
  CheckedFunction(S const& space, ParameterLayout const& layout, F const& f, Mode mode)
      : space_(space), theta_(space, layout, Seed{11}), f_(f), mode_(mode) {}

  /// Parameter values and inputs, flat, one vector each.
  void set_parameters(std::vector<double> const& values) {
    std::vector<R> const converted(values.begin(), values.end());
    from_host(space_, std::span<R const>(converted), theta_.values());
  }
  std::vector<double> parameters() const { return widen(to_host(space_, theta_.values())); }

  double value(std::vector<CheckInput> const& inputs) { return run(inputs, false); }

  /// Gradients of the inputs, then of the flat parameters.
  std::vector<std::vector<double>> gradients(std::vector<CheckInput> const& inputs) {
    run(inputs, true);
    return gradients_;
  }

 private:
  static std::vector<double> widen(std::vector<R> const& values) {
    return {values.begin(), values.end()};
  }

  double run(std::vector<CheckInput> const& inputs, bool backward) {
    Tape<S, R> tape(space_, theta_, mode_, Seed{5});
    tape.reset(3);
    theta_.zero_gradients(space_);
    auto const state = to_host(space_, theta_.state());
    std::vector<Tensor<S, R>> tensors;
    for (auto const& input : inputs) {
      auto const matrix = tape.matrix(input.rows, input.cols);
      std::vector<R> const converted(input.values.begin(), input.values.end());
      from_host(space_, std::span<R const>(converted), matrix);
      tensors.push_back(tape.variable(matrix));
    }
    Tensor<S, R> const output = f_(tape, tensors);
    auto const weights = random_input(output.rows(), output.cols(), Seed{77});
    auto const values = to_host(space_, output.value);
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += static_cast<double>(values[i]) * weights.values[i];
    }
    if (backward && output.differentiable()) {
      std::vector<R> const seed(weights.values.begin(), weights.values.end());
      tape.backward_from(output, seed);
    }
    if (backward) {
      gradients_.clear();
      for (auto const& tensor : tensors) {
        gradients_.push_back(tape.has_gradient(tensor)
                                 ? widen(to_host(space_, tape.gradient(tensor).matrix))
                                 : std::vector<double>(tensor.value.size(), 0.0));
      }
      gradients_.push_back(widen(to_host(space_, theta_.gradients())));
    }
    from_host(space_, std::span<R const>(state),
              theta_.state());  // each run sees the same statistics
    return sum;
  }

  S space_;
  Parameters<S, R> theta_;
  F const& f_;
  Mode mode_;
  std::vector<std::vector<double>> gradients_;
};

inline double relative_error(std::vector<double> const& a, std::vector<double> const& b) {
  double difference = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-3);
}

}  // namespace detail

/// Differentiates `f(tape, inputs)` — a function of a tape of any scalar type and a vector of
/// tensors, returning a tensor — with respect to every input and every parameter of the layout.
/// Dropout draws the same mask in every evaluation.
template <ExecutionSpace S, class F>
GradientReport gradient_check(S const& space, ParameterLayout const& layout,
                              std::vector<CheckInput> inputs, F const& f,
                              Mode mode = Mode::training, double step = 1e-5) {
  detail::CheckedFunction<S, double, F> exact(space, layout, f, mode);
  detail::CheckedFunction<S, float, F> single(space, layout, f, mode);
  auto const analytic = exact.gradients(inputs);
  auto const analytic_float = single.gradients(inputs);
  GradientReport report;
  auto const compare = [&](std::size_t index, std::vector<double> const& numeric,
                           std::string const& name) {
    double const against = detail::relative_error(analytic[index], numeric);
    double const across = detail::relative_error(analytic_float[index], analytic[index]);
    if (std::max(against, across) >= std::max(report.difference_error, report.float_error)) {
      report.worst = name;
    }
    report.difference_error = std::max(report.difference_error, against);
    report.float_error = std::max(report.float_error, across);
  };
  auto const differences = [&](std::vector<double>& values, auto const& evaluate) {
    std::vector<double> numeric(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const original = values[i];
      values[i] = original + step;
      double const up = evaluate();
      values[i] = original - step;
      double const down = evaluate();
      values[i] = original;
      numeric[i] = (up - down) / (2.0 * step);
    }
    return numeric;
  };
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    auto const numeric = differences(inputs[k].values, [&] { return exact.value(inputs); });
    compare(k, numeric, "input " + std::to_string(k));
  }
  auto parameters = exact.parameters();
  auto const numeric = differences(parameters, [&] {
    exact.set_parameters(parameters);
    return exact.value(inputs);
  });
  compare(inputs.size(), numeric, "parameters");
  return report;
}

}  // namespace m2u
