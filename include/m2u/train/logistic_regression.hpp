// SPDX-License-Identifier: Apache-2.0
/// @file
/// Linear models of dense features, solved to convergence in double on the host: what a linear
/// probe of frozen vectors needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/linalg/cholesky.hpp"
#include "m2u/train/lbfgs.hpp"

namespace m2u {

/// Rows of features, ready for a linear model.
struct FeatureRows {
  int rows = 0;
  int cols = 0;
  std::vector<double> values;  ///< [rows, cols]

  std::span<double const> row(int i) const {
    auto const width = static_cast<std::size_t>(cols);
    return std::span(values).subspan(static_cast<std::size_t>(i) * width, width);
  }
};

/// Shifts and scales features so that they have mean 0 and deviation 1 on the rows that it was made
/// from. Features that are constant there become 0.
class Standardisation {
 public:
  /// @param values [any rows, cols], row-major. @param rows those to measure.
  /// @throws Error if there are none or one is out of range, or a value is not finite.
  Standardisation(std::span<float const> values, int cols, std::span<int const> rows)
      : means_(width(cols)), scales_(width(cols)) {
    expects(!rows.empty(), "Standardisation: there are no rows");
    auto const count = static_cast<double>(rows.size());
    for_each(values, rows, [&](std::size_t j, double x) { means_[j] += x / count; });
    for_each(values, rows, [&](std::size_t j, double x) {
      scales_[j] += (x - means_[j]) * (x - means_[j]) / count;
    });
    for (std::size_t j = 0; j < means_.size(); ++j) {
      expects(std::isfinite(scales_[j]), "Standardisation: feature ", j, " is not finite");
      double const deviation = std::sqrt(scales_[j]);
      // Rounding of a float feature that is constant is not worth scaling up.
      scales_[j] = deviation > 1e-6 * std::abs(means_[j]) ? 1.0 / deviation : 0.0;
    }
  }

  /// Those rows of the values, shifted and scaled.
  FeatureRows operator()(std::span<float const> values, std::span<int const> rows) const {
    FeatureRows result{static_cast<int>(rows.size()), static_cast<int>(means_.size()), {}};
    result.values.reserve(rows.size() * means_.size());
    for_each(values, rows, [&](std::size_t j, double x) {
      result.values.push_back((x - means_[j]) * scales_[j]);
    });
    return result;
  }

 private:
  static std::size_t width(int cols) {
    expects(cols > 0, "Standardisation: ", cols, " features");
    return static_cast<std::size_t>(cols);
  }

  template <class Use>
  void for_each(std::span<float const> values, std::span<int const> rows, Use const& use) const {
    auto const cols = means_.size();
    for (int const row : rows) {
      expects(row >= 0 && (static_cast<std::size_t>(row) + 1) * cols <= values.size(),
              "Standardisation: there is no row ", row, " in ", values.size() / cols);
      auto const first = static_cast<std::size_t>(row) * cols;
      for (std::size_t j = 0; j < cols; ++j) {
        use(j, static_cast<double>(values[first + j]));
      }
    }
  }

  std::vector<double> means_;
  std::vector<double> scales_;
};

/// A linear function of features.
struct LinearModel {
  std::vector<double> weights;
  double intercept = 0.0;

  /// One number per row; for logistic regression the log odds of label 1.
  std::vector<double> operator()(FeatureRows const& x) const;
};

namespace detail {

/// log(1 + exp(m)) − y·m and its derivative by m.
struct LogisticLoss {
  static std::pair<double, double> of(double m, double y) {
    double const small = std::exp(-std::abs(m));
    double const chance = m >= 0.0 ? 1.0 / (1.0 + small) : small / (1.0 + small);
    return {std::max(m, 0.0) + std::log1p(small) - y * m, chance - y};
  }
  /// The second derivative.
  static double curvature(double m) {
    double const small = std::exp(-std::abs(m));
    return small / ((1.0 + small) * (1.0 + small));
  }
};

/// Half the squared difference.
struct SquaredLoss {
  static std::pair<double, double> of(double m, double y) {
    return {0.5 * (m - y) * (m - y), m - y};
  }
  static double curvature(double /*m*/) { return 1.0; }
};

/// Mean loss + |weights|² / (2 c rows), of the weights followed by the intercept.
template <class Loss>
struct LinearObjective {
  FeatureRows const& x;
  std::span<double const> y;
  double c;

  double operator()(std::span<double const> theta, std::span<double> gradient) const {
    auto const cols = static_cast<std::size_t>(x.cols);
    double const share = 1.0 / static_cast<double>(x.rows);
    double* const slope = gradient.data();
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double value = 0.0;
    for (int i = 0; i < x.rows; ++i) {  // a row is read once for both directions
      double const* const row = x.row(i).data();
      auto const [loss, derivative] =
          Loss::of(wide_dot(row, theta.data(), cols) + theta[cols], y[static_cast<std::size_t>(i)]);
      value += loss;
      for (std::size_t j = 0; j < cols; ++j) {
        slope[j] += derivative * row[j];
      }
      slope[cols] += derivative;
    }
    double squares = 0.0;
    for (std::size_t j = 0; j < cols; ++j) {
      slope[j] = share * (slope[j] + theta[j] / c);
      squares += theta[j] * theta[j];
    }
    slope[cols] *= share;
    return share * (value + squares / (2.0 * c));
  }

  /// Its second derivatives at theta, the lower triangle of [cols + 1, cols + 1].
  std::vector<double> hessian(std::span<double const> theta) const {
    constexpr int block = 8;  // rows for which a part of the triangle is loaded once
    auto const cols = static_cast<std::size_t>(x.cols);
    auto const size = cols + 1;
    double const share = 1.0 / static_cast<double>(x.rows);
    std::vector<double> result(size * size);
    std::vector<double> rows(block * size);
    for (int first = 0; first < x.rows; first += block) {
      int const count = std::min(block, x.rows - first);
      std::fill(rows.begin(), rows.end(), 0.0);
      for (int i = 0; i < count; ++i) {
        auto const row = x.row(first + i);
        double const m = wide_dot(row.data(), theta.data(), cols) + theta[cols];
        double const root = std::sqrt(share * Loss::curvature(m));
        double* const scaled = rows.data() + static_cast<std::size_t>(i) * size;
        std::transform(row.begin(), row.end(), scaled, [&](double v) { return root * v; });
        scaled[cols] = root;
      }
      add_products(rows, size, result);
    }
    for (std::size_t j = 0; j < cols; ++j) {
      result[j * size + j] += share / c;
    }
    return result;
  }

 private:
  /// Adds the products of all pairs of columns of eight rows.
  static void add_products(std::vector<double> const& rows, std::size_t size,
                           std::vector<double>& triangle) {
    double const* const r = rows.data();
    for (std::size_t j = 0; j < size; ++j) {
      double* const to = triangle.data() + j * size;
      double const f0 = r[j], f1 = r[size + j], f2 = r[2 * size + j], f3 = r[3 * size + j];
      double const f4 = r[4 * size + j], f5 = r[5 * size + j], f6 = r[6 * size + j];
      double const f7 = r[7 * size + j];
      for (std::size_t k = 0; k <= j; ++k) {
        to[k] += f0 * r[k] + f1 * r[size + k] + f2 * r[2 * size + k] + f3 * r[3 * size + k] +
                 f4 * r[4 * size + k] + f5 * r[5 * size + k] + f6 * r[6 * size + k] +
                 f7 * r[7 * size + k];
      }
    }
  }
};

/// L-BFGS in coordinates in which the curvature at the start is 1 in every direction: weak
/// penalties on correlated features then need tens of iterations, not thousands.
template <class Objective>
LbfgsResult minimise_preconditioned(Objective const& objective, std::vector<double> theta,
                                    LbfgsOptions const& options) {
  Cholesky const root(objective.hessian(theta), theta.size());
  std::vector<double> point(theta.size());
  auto const function = [&](std::span<double const> u, std::span<double> gradient) {
    std::copy(u.begin(), u.end(), point.begin());
    root.solve_upper(point);
    double const value = objective(point, gradient);
    root.solve_lower(gradient);
    return value;
  };
  root.multiply_upper(theta);
  auto result = minimise_lbfgs(function, std::move(theta), options);
  root.solve_upper(result.x);
  return result;
}

template <class Loss>
LinearModel fit_linear(char const* name, FeatureRows const& x, std::span<double const> y, double c,
                       LinearModel start, LbfgsOptions const& options) {
  expects(c > 0.0 && std::isfinite(c), name, ": c is ", c, ", but must be above 0");
  auto theta = std::move(start.weights);
  theta.resize(static_cast<std::size_t>(x.cols), 0.0);
  theta.push_back(start.intercept);
  LinearObjective<Loss> const objective{x, y, c};
  constexpr int widest = 1024;  // beyond it the factor costs more than it saves
  auto const fit = x.cols <= widest ? minimise_preconditioned(objective, std::move(theta), options)
                                    : minimise_lbfgs(objective, std::move(theta), options);
  expects(fit.converged, name, ": no solution for ", x.rows, " rows of ", x.cols,
          " features with c ", c, " after ", fit.iterations, " iterations; the gradient is still ",
          fit.gradient);
  auto const cut = fit.x.begin() + x.cols;
  return {{fit.x.begin(), cut}, *cut};
}

}  // namespace detail

inline std::vector<double> LinearModel::operator()(FeatureRows const& x) const {
  expects(static_cast<std::size_t>(x.cols) == weights.size(), "LinearModel: rows of ", x.cols,
          " features, but ", weights.size(), " weights");
  std::vector<double> result;
  for (int i = 0; i < x.rows; ++i) {
    result.push_back(detail::wide_dot(x.row(i).data(), weights.data(), weights.size()) + intercept);
  }
  return result;
}

/// Binary logistic regression: the minimum of c · Σ log loss + |weights|² / 2; the intercept is
/// free.
/// @param labels 0 or 1, one per row. @param c weight of the data: the smaller, the smaller the
///   weights. @param start for example the solution for another c.
/// @param options the tolerance is of the objective divided by c · rows; up to 1024 features it is
///   of its gradient in units of the root of the curvature.
/// @throws Error unless both labels occur, or if it does not converge (features that are far from
///   standardised).
inline LinearModel logistic_regression(FeatureRows const& x, std::span<int const> labels, double c,
                                       LinearModel start = {}, LbfgsOptions const& options = {}) {
  expects(static_cast<int>(labels.size()) == x.rows, "logistic_regression: ", x.rows, " rows, but ",
          labels.size(), " labels");
  std::vector<double> y;
  double positives = 0.0;
  for (int const label : labels) {
    expects(label == 0 || label == 1, "logistic_regression: a label is ", label,
            "; labels are 0 or 1");
    y.push_back(label);
    positives += label;
  }
  auto const count = static_cast<double>(y.size());
  expects(positives > 0.0 && positives < count, "logistic_regression: all ", y.size(),
          " training labels are ", positives > 0.0 ? 1 : 0, "; it needs both classes");
  if (start.weights.empty()) {
    start.intercept = std::log(positives / (count - positives));
  }
  return detail::fit_linear<detail::LogisticLoss>("logistic_regression", x, y, c, std::move(start),
                                                  options);
}

/// Ridge regression: the minimum of c · Σ (prediction − target)² / 2 + |weights|² / 2; the
/// intercept is free. Parameters and errors as logistic_regression; targets are any finite numbers.
inline LinearModel ridge_regression(FeatureRows const& x, std::span<double const> targets, double c,
                                    LinearModel start = {}, LbfgsOptions const& options = {}) {
  expects(static_cast<int>(targets.size()) == x.rows && x.rows > 0, "ridge_regression: ", x.rows,
          " rows, but ", targets.size(), " targets; both need the same number, at least 1");
  double mean = 0.0;
  for (double const target : targets) {
    expects(std::isfinite(target), "ridge_regression: a target is not finite");
    mean += target / static_cast<double>(targets.size());
  }
  if (start.weights.empty()) {
    start.intercept = mean;
  }
  return detail::fit_linear<detail::SquaredLoss>("ridge_regression", x, targets, c,
                                                 std::move(start), options);
}

}  // namespace m2u
