// SPDX-License-Identifier: Apache-2.0
/// @file
/// L-BFGS for smooth convex functions of many variables (Liu and Nocedal, Math. Program. 1989), in
/// double on the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace m2u {

struct LbfgsOptions {
  double tolerance = 1e-7;  ///< of the largest component of the gradient
  int max_iterations = 5000;
  int memory = 20;  ///< steps that the curvature is estimated from
};

struct LbfgsResult {
  std::vector<double> x;
  double value = 0.0;
  double gradient = 0.0;  ///< its largest component
  int iterations = 0;
  bool converged = false;
};

namespace detail {

inline double dot(std::span<double const> a, std::span<double const> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

inline double largest(std::span<double const> a) {
  double result = 0.0;
  for (double const value : a) {
    result = std::max(result, std::abs(value));
  }
  return result;
}

/// A point with the function's value and gradient there.
struct LbfgsPoint {
  std::vector<double> x;
  std::vector<double> gradient;
  double value = 0.0;
};

/// Differences of points and gradients; they stand for the inverse of the Hessian.
class LbfgsMemory {
 public:
  explicit LbfgsMemory(int steps) : steps_(static_cast<std::size_t>(steps)) {}

  void clear() { pairs_.clear(); }
  bool empty() const { return pairs_.empty(); }

  void add(LbfgsPoint const& from, LbfgsPoint const& to) {
    Pair pair{to.x, to.gradient, 0.0};
    for (std::size_t i = 0; i < from.x.size(); ++i) {
      pair.s[i] -= from.x[i];
      pair.y[i] -= from.gradient[i];
    }
    double const curvature = dot(pair.s, pair.y);
    if (curvature <= std::numeric_limits<double>::epsilon() * dot(pair.y, pair.y)) {
      return;  // rounding: it would not be positive definite
    }
    pair.inverse = 1.0 / curvature;
    pairs_.push_back(std::move(pair));
    if (pairs_.size() > steps_) {
      pairs_.pop_front();
    }
  }

  /// Minus the inverse Hessian times the gradient.
  std::vector<double> direction(std::vector<double> gradient) const {
    std::vector<double> factors(pairs_.size());
    for (auto i = pairs_.size(); i-- > 0;) {
      factors[i] = pairs_[i].inverse * dot(pairs_[i].s, gradient);
      add_scaled(gradient, -factors[i], pairs_[i].y);
    }
    double scale = 1.0 / std::max(1.0, std::sqrt(dot(gradient, gradient)));
    if (!pairs_.empty()) {
      scale = 1.0 / (pairs_.back().inverse * dot(pairs_.back().y, pairs_.back().y));
    }
    for (double& value : gradient) {
      value *= scale;
    }
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      double const factor = pairs_[i].inverse * dot(pairs_[i].y, gradient);
      add_scaled(gradient, factors[i] - factor, pairs_[i].s);
    }
    for (double& value : gradient) {
      value = -value;
    }
    return gradient;
  }

 private:
  struct Pair {
    std::vector<double> s;
    std::vector<double> y;
    double inverse;  // of s · y
  };
  static void add_scaled(std::vector<double>& to, double factor, std::vector<double> const& more) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] += factor * more[i];
    }
  }

  std::size_t steps_;
  std::deque<Pair> pairs_;
};

/// Finds a step that satisfies the weak Wolfe conditions by bisection (Lewis and Overton, Math.
/// Program. 2013). False if rounding hides any decrease.
template <class Function>
bool wolfe_step(Function const& function, LbfgsPoint const& from,
                std::vector<double> const& direction, LbfgsPoint& to) {
  constexpr double decrease = 1e-4;
  constexpr double curvature = 0.9;
  double const slope = dot(from.gradient, direction);
  double const rounding = 1e-15 * (1.0 + std::abs(from.value));
  double step = 1.0;
  double low = 0.0;
  double high = std::numeric_limits<double>::infinity();
  for (int trial = 0; slope < 0.0 && trial < 60; ++trial) {
    for (std::size_t i = 0; i < from.x.size(); ++i) {
      to.x[i] = from.x[i] + step * direction[i];
    }
    to.value = function(std::span<double const>(to.x), std::span<double>(to.gradient));
    if (!(to.value <= from.value + decrease * step * slope + rounding)) {
      high = step;
    } else if (dot(to.gradient, direction) < curvature * slope) {
      low = step;
    } else {
      return true;
    }
    step = std::isfinite(high) ? 0.5 * (low + high) : 2.0 * low;
  }
  return false;
}

}  // namespace detail

/// Minimises a smooth convex function.
/// @param function double(std::span<double const> x, std::span<double> gradient): its value at x;
///   writes all of the gradient
/// @param start where to begin; warm starts save most of the work
/// @return also if the tolerance was not reached: see `converged`
template <class Function>
LbfgsResult minimise_lbfgs(Function const& function, std::vector<double> start,
                           LbfgsOptions const& options = {}) {
  detail::LbfgsPoint at{std::move(start), {}, 0.0};
  at.gradient.resize(at.x.size());
  at.value = function(std::span<double const>(at.x), std::span<double>(at.gradient));
  auto next = at;
  detail::LbfgsMemory memory(options.memory);
  LbfgsResult result;
  while (true) {
    result.gradient = detail::largest(at.gradient);
    result.converged = result.gradient <= options.tolerance;
    if (result.converged || result.iterations == options.max_iterations) {
      break;
    }
    ++result.iterations;
    if (detail::wolfe_step(function, at, memory.direction(at.gradient), next)) {
      memory.add(at, next);
      std::swap(at, next);
    } else if (!memory.empty()) {
      memory.clear();  // once more along the gradient alone
    } else {
      break;
    }
  }
  result.x = std::move(at.x);
  result.value = at.value;
  return result;
}

}  // namespace m2u
