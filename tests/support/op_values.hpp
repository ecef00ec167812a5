// SPDX-License-Identifier: Apache-2.0
// Values and gradients of ops as host vectors, to hold against plain loops.
#pragma once

#include "m2u/autodiff/gradient_check.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace m2u::test {

/// A tape without parameters.
template <ExecutionSpace S, class R = double>
struct OpTape : Tape<S, R> {
  explicit OpTape(Mode mode = Mode::training, Seed seed = {})
      : Tape<S, R>(S{}, Parameters<S, R>(S{}, {}, {}), mode, seed) {}

  /// A differentiable input with these values, row-major.
  Tensor<S, R> input(int rows, int cols, std::vector<R> const& values) {
    auto const matrix = this->matrix(rows, cols);
    from_host(this->space(), std::span<R const>(values), matrix);
    return this->variable(matrix);
  }
  Tensor<S, R> input(CheckInput const& source) {
    return input(source.rows, source.cols, {source.values.begin(), source.values.end()});
  }

  std::vector<R> values(Tensor<S, R> const& tensor) { return to_host(this->space(), tensor.value); }
  /// The gradient of `x` after the gradient `dy` reached `y`.
  std::vector<R> gradient_of(Tensor<S, R> const& x, Tensor<S, R> const& y,
                             std::vector<R> const& dy) {
    this->backward_from(y, dy);
    return to_host(this->space(), this->gradient(x).matrix);
  }
};

/// Largest |a - b|; infinite if the sizes differ.
template <class R>
double largest_difference(std::vector<R> const& a, std::vector<R> const& b) {
  if (a.size() != b.size()) {
    return std::numeric_limits<double>::infinity();
  }
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    largest = difference <= largest ? largest : difference;  // keeps what is not a number
  }
  return largest;
}

}  // namespace m2u::test
