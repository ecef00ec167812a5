// SPDX-License-Identifier: Apache-2.0
#include "m2u/train/logistic_regression.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/core/random.hpp"
#include "m2u/train/metrics.hpp"

namespace {

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

struct Problem {
  m2u::FeatureRows x;
  std::vector<int> labels;
};

/// Correlated features of several lengths; the odds of label 1 depend on the first two.
Problem noisy(int rows, int cols) {
  m2u::RandomStream const random{3, 4};
  Problem problem{{rows, cols, {}}, {}};
  std::uint64_t at = 0;
  for (int i = 0; i < rows; ++i) {
    double const common = random.uniform(at++) - 0.5;
    auto const first = problem.x.values.size();
    for (int j = 0; j < cols; ++j) {
      problem.x.values.push_back((1 + j % 3) * (common + random.uniform(at++) - 0.5));
    }
    double const odds = 3.0 * problem.x.values[first] - 2.0 * problem.x.values[first + 1] - 0.5;
    problem.labels.push_back(random.uniform(at++) < 1.0 / (1.0 + std::exp(-odds)) ? 1 : 0);
  }
  return problem;
}

/// The gradient of c · Σ log loss + |w|² / 2, written out.
std::vector<double> gradient_of(Problem const& problem, m2u::LinearModel const& model, double c) {
  std::vector<double> gradient = model.weights;
  gradient.push_back(0.0);
  for (int i = 0; i < problem.x.rows; ++i) {
    double m = model.intercept;
    for (std::size_t j = 0; j < model.weights.size(); ++j) {
      m += model.weights[j] * problem.x.row(i)[j];
    }
    double const error = 1.0 / (1.0 + std::exp(-m)) - problem.labels[static_cast<std::size_t>(i)];
    for (std::size_t j = 0; j < model.weights.size(); ++j) {
      gradient[j] += c * error * problem.x.row(i)[j];
    }
    gradient.back() += c * error;
  }
  return gradient;
}

}  // namespace

TEST_CASE("logistic regression of one symmetric feature has its known solution",
          "[logistic_regression]") {
  // At x = 1 are 7 ones and 2 zeros, at x = -1 the other way round: the intercept is 0 and w solves
  // w = c (14 s(-w) - 4 s(w)) with s the logistic function.
  m2u::FeatureRows x{18, 1, {}};
  std::vector<int> labels;
  for (int i = 0; i < 9; ++i) {
    x.values.insert(x.values.end(), {1.0, -1.0});
    labels.insert(labels.end(), {i < 7 ? 1 : 0, i < 7 ? 0 : 1});
  }
  for (double const c : {0.01, 1.0, 100.0}) {
    double low = 0.0;
    double high = 10.0;
    for (int i = 0; i < 200; ++i) {
      double const w = 0.5 * (low + high);
      double const right = c * (14.0 / (1.0 + std::exp(w)) - 4.0 / (1.0 + std::exp(-w)));
      (w < right ? low : high) = w;
    }
    auto const model = m2u::logistic_regression(x, labels, c, {}, {.tolerance = 1e-11});
    INFO("c " << c);
    CHECK(model.weights.at(0) == Approx(low).epsilon(1e-8));
    CHECK(model.intercept == Approx(0.0).margin(1e-8));
  }
  // Without a penalty worth mentioning the odds are those of the data.
  auto const free = m2u::logistic_regression(x, labels, 1e9, {}, {.tolerance = 1e-12});
  CHECK(free.weights.at(0) == Approx(std::log(3.5)).epsilon(1e-6));
}

TEST_CASE("the gradient is zero at the solution, wherever the search starts",
          "[logistic_regression]") {
  auto const problem = noisy(300, 12);
  m2u::LinearModel warm;
  for (double const c : {1e-3, 0.1, 10.0}) {
    INFO("c " << c);
    m2u::LbfgsOptions const options{.tolerance = 1e-10};
    auto const cold = m2u::logistic_regression(problem.x, problem.labels, c, {}, options);
    for (double const slope : gradient_of(problem, cold, c)) {
      CHECK(std::abs(slope) < 1e-9 * c * 300 + 1e-12);
    }
    warm = m2u::logistic_regression(problem.x, problem.labels, c, warm, options);
    for (std::size_t j = 0; j < warm.weights.size(); ++j) {
      CHECK(warm.weights[j] == Approx(cold.weights[j]).margin(1e-6 * std::max(1.0, c)));
    }
  }
  CHECK(warm.weights[0] > 1.0);
  CHECK(warm.weights[1] < -1.0);
  auto const once = m2u::logistic_regression(problem.x, problem.labels, 1.0);
  auto const again = m2u::logistic_regression(problem.x, problem.labels, 1.0);
  CHECK(once.weights == again.weights);
}

TEST_CASE("classes that can be separated are, with finite weights", "[logistic_regression]") {
  auto problem = noisy(64, 100);  // more features than rows
  for (int i = 0; i < problem.x.rows; ++i) {
    problem.labels[static_cast<std::size_t>(i)] = problem.x.row(i)[5] > 0.0 ? 1 : 0;
  }
  auto const model = m2u::logistic_regression(problem.x, problem.labels, 10.0);
  auto const scores = model(problem.x);
  CHECK(m2u::roc_auc(std::vector<float>(scores.begin(), scores.end()), problem.labels) == 1.0);
  CHECK(std::abs(model.weights[5]) < 1e3);
}

TEST_CASE("features are standardised by the chosen rows", "[logistic_regression]") {
  // columns: 1 3 5 (and a row that does not count), a constant, a constant with rounding
  std::vector<float> const values{1, 7, 1e6F, 900, 8, 0, 3, 7, 1e6F, 5, 7, 1e6F};
  std::vector<int> const rows{0, 2, 3};
  m2u::Standardisation const standard(values, 3, rows);
  auto const x = standard(values, std::vector<int>{3, 1});
  CHECK(x.rows == 2);
  CHECK(x.cols == 3);
  CHECK(x.row(0)[0] == Approx(std::sqrt(1.5)));
  CHECK(x.row(1)[0] == Approx(897.0 * std::sqrt(0.375)));
  CHECK(x.row(1)[1] == 0.0);
  CHECK(x.row(1)[2] == 0.0);
  CHECK_THROWS_AS(m2u::Standardisation(values, 3, std::vector<int>{}), m2u::Error);
  CHECK_THROWS_AS(m2u::Standardisation(values, 3, std::vector<int>{4}), m2u::Error);
  CHECK_THROWS_AS(standard(values, std::vector<int>{-1}), m2u::Error);
  std::vector<float> const broken{std::numeric_limits<float>::infinity()};
  CHECK_THROWS_AS(m2u::Standardisation(broken, 1, std::vector<int>{0}), m2u::Error);
}

TEST_CASE("ridge regression has its known solution", "[logistic_regression]") {
  // x = -1, 0, 1; y = 1, 2, 6: intercept 3, slope c·5 / (c·2 + 1).
  m2u::FeatureRows const x{3, 1, {-1.0, 0.0, 1.0}};
  std::vector<double> const y{1.0, 2.0, 6.0};
  for (double const c : {0.1, 1.0, 1000.0}) {
    auto const model = m2u::ridge_regression(x, y, c, {}, {.tolerance = 1e-12});
    CHECK(model.intercept == Approx(3.0));
    CHECK(model.weights.at(0) == Approx(5.0 * c / (2.0 * c + 1.0)));
  }
  CHECK_THROWS_AS(m2u::ridge_regression(x, std::vector<double>{1.0}, 1.0), m2u::Error);
  CHECK_THROWS_AS(m2u::ridge_regression(x, std::vector<double>{1.0, NAN, 1.0}, 1.0), m2u::Error);
}

TEST_CASE("logistic regression refuses what it can't fit", "[logistic_regression]") {
  m2u::FeatureRows const x{2, 1, {0.0, 1.0}};
  auto const fit = [&](std::vector<int> const& labels, double c) {
    m2u::logistic_regression(x, labels, c);
  };
  CHECK_THROWS_MATCHES(fit({1, 1}, 1.0), m2u::Error,
                       MessageMatches(ContainsSubstring("all 2 training labels are 1")));
  CHECK_THROWS_MATCHES(fit({0, 0}, 1.0), m2u::Error,
                       MessageMatches(ContainsSubstring("both classes")));
  CHECK_THROWS_AS(fit({0, 2}, 1.0), m2u::Error);
  CHECK_THROWS_AS(fit({0}, 1.0), m2u::Error);
  CHECK_THROWS_AS(fit({0, 1}, 0.0), m2u::Error);
  CHECK_THROWS_AS(fit({0, 1}, NAN), m2u::Error);
  CHECK_THROWS_MATCHES(m2u::logistic_regression(x, std::vector<int>{0, 1}, 1.0, {},
                                                {.tolerance = 0.0, .max_iterations = 2}),
                       m2u::Error, MessageMatches(ContainsSubstring("after 2 iterations")));
  m2u::LinearModel const model{{1.0, 2.0}, 0.0};
  CHECK_THROWS_AS(model(x), m2u::Error);
}
