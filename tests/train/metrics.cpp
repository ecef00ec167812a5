// SPDX-License-Identifier: Apache-2.0
#include "m2u/train/metrics.hpp"
#include "m2u/train/class_metrics.hpp"

#include <limits>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "m2u/core/random.hpp"

using Catch::Approx;
using Floats = std::vector<float>;
using Ints = std::vector<int>;

TEST_CASE("ROC-AUC counts pairs, ties as one half", "[metrics]") {
  CHECK(m2u::roc_auc(Floats{1, 2, 3, 4}, Ints{0, 0, 1, 1}) == 1.0);
  CHECK(m2u::roc_auc(Floats{1, 2, 3, 4}, Ints{1, 1, 0, 0}) == 0.0);
  CHECK(m2u::roc_auc(Floats{5, 5, 5}, Ints{0, 1, 1}) == 0.5);
  CHECK_FALSE(m2u::roc_auc(Floats{1, 2}, Ints{1, 1}).has_value());
  CHECK_FALSE(m2u::roc_auc(Floats{}, Ints{}).has_value());
  m2u::RandomStream const random{1, 2};
  Floats scores;
  Ints labels;
  for (std::uint64_t i = 0; i < 300; ++i) {
    scores.push_back(std::floor(40.0F * random.uniform(2 * i)));  // many ties
    labels.push_back(random.uniform(2 * i + 1) < 0.3F ? 1 : 0);
  }
  double won = 0.0;
  double pairs = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] == 1 && labels[j] == 0) {
        pairs += 1.0;
        won += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
      }
    }
  }
  CHECK(m2u::roc_auc(scores, labels).value() == Approx(won / pairs).epsilon(1e-14));
  CHECK_THROWS_AS(m2u::roc_auc(Floats{1}, Ints{0, 1}), m2u::Error);
  CHECK_THROWS_AS(m2u::roc_auc(Floats{1}, Ints{2}), m2u::Error);
  CHECK_THROWS_AS(m2u::roc_auc(Floats{std::numeric_limits<float>::quiet_NaN()}, Ints{1}),
                  m2u::Error);
}

TEST_CASE("ROC-AUC over tasks leaves out missing labels and tasks of one class", "[metrics]") {
  // columns: perfect, one class, wrong with a missing label
  Floats const scores{1, 1, 9, 2, 5, 3, 3, 2, 1};
  Ints const labels{0, 1, 0, 1, -1, -1, 1, 1, 1};
  auto const result = m2u::mean_roc_auc(scores, labels, 3);
  CHECK(result.mean == 0.5);
  CHECK(result.tasks == 2);
  CHECK(result.skipped == 1);
  CHECK(result.each[0] == 1.0);
  CHECK_FALSE(result.each[1].has_value());
  CHECK(result.each[2] == 0.0);
  CHECK_THROWS_AS(m2u::mean_roc_auc(scores, labels, 4), m2u::Error);
}

TEST_CASE("RMSE", "[metrics]") {
  CHECK(m2u::rmse(Floats{1, 2}, Floats{4, 6}) == Approx(std::sqrt(12.5)));
  CHECK(m2u::rmse(Floats{1}, Floats{1}) == 0.0);
  CHECK_THROWS_AS(m2u::rmse(Floats{}, Floats{}), m2u::Error);
  CHECK_THROWS_AS(m2u::rmse(Floats{1}, Floats{1, 2}), m2u::Error);
}

TEST_CASE("average precision is the precision at each positive, ties as one step", "[metrics]") {
  // positives at ranks 1 and 3: (1 + 2/3) / 2
  CHECK(m2u::average_precision(Floats{4, 3, 2, 1}, Ints{1, 0, 1, 0}).value() == Approx(5.0 / 6.0));
  // all tied: the share of positives
  CHECK(m2u::average_precision(Floats{1, 1, 1, 1}, Ints{1, 0, 0, 0}).value() == Approx(0.25));
  CHECK_FALSE(m2u::average_precision(Floats{1, 2}, Ints{0, 0}).has_value());
  CHECK_THROWS_AS(m2u::average_precision(Floats{1}, Ints{3}), m2u::Error);
}

TEST_CASE("mean absolute error and R squared", "[metrics]") {
  CHECK(m2u::mean_absolute_error(Floats{1, 2, 5}, Floats{2, 2, 3}) == Approx(1.0));
  CHECK(m2u::r_squared(Floats{1, 2, 3}, Floats{1, 2, 3}).value() == Approx(1.0));
  CHECK(m2u::r_squared(Floats{2, 2, 2}, Floats{1, 2, 3}).value() == Approx(0.0));
  CHECK(m2u::r_squared(Floats{3, 2, 1}, Floats{1, 2, 3}).value() == Approx(-3.0));
  CHECK_FALSE(m2u::r_squared(Floats{1, 2}, Floats{4, 4}).has_value());
  CHECK_THROWS_AS(m2u::mean_absolute_error(Floats{}, Floats{}), m2u::Error);
}

TEST_CASE("measures of two classes at a threshold", "[metrics]") {
  auto const found =
      m2u::binary_metrics(Floats{0.9F, 0.4F, 0.5F, 0.6F, 0.1F}, Ints{1, 1, 0, 0, 0}, 0.5F);
  CHECK(found.accuracy == Approx(0.6));
  CHECK(found.sensitivity.value() == Approx(0.5));
  CHECK(found.specificity.value() == Approx(2.0 / 3.0));
  CHECK_FALSE(m2u::binary_metrics(Floats{1}, Ints{1}, 0.5F).specificity.has_value());
  CHECK_THROWS_AS(m2u::binary_metrics(Floats{}, Ints{}, 0.5F), m2u::Error);
}

// By hand: truth 0 0 1 2, guesses 0 1 1 1; class 3 does not occur.
TEST_CASE("measures of several classes", "[metrics]") {
  Floats const scores{9, 1, 0, 0, 1, 9, 0, 0, 0, 9, 1, 0, 0, 9, 8, 0};
  auto const found = m2u::class_metrics(scores, Ints{0, 0, 1, 2}, 4);
  CHECK(found.classes == 3);
  CHECK(found.accuracy == Approx(0.5));
  CHECK(found.precision == Approx((1.0 + 1.0 / 3.0 + 0.0) / 3.0));
  CHECK(found.recall == Approx((0.5 + 1.0 + 0.0) / 3.0));
  CHECK(found.f1 == Approx((2.0 / 3.0 + 0.5 + 0.0) / 3.0));
  CHECK(found.roc_auc.tasks == 3);
  CHECK(found.roc_auc.skipped == 1);
  CHECK(found.roc_auc.each[0].value() == 1.0);
  CHECK(found.roc_auc.each[1].value() == Approx(2.0 / 3.0));  // tied with two of three negatives
  CHECK(found.roc_auc.each[2].value() == 1.0);
  CHECK_FALSE(found.roc_auc.each[3].has_value());
  CHECK_THROWS_AS(m2u::class_metrics(scores, Ints{0, 0, 1, 4}, 4), m2u::Error);
  CHECK_THROWS_AS(m2u::class_metrics(scores, Ints{0}, 4), m2u::Error);
}
