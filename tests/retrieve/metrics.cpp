// SPDX-License-Identifier: Apache-2.0
// Retrieval metrics and nearest rows against sorting by hand.
#include "m2u/retrieve/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/core/copy_to.hpp"
#include "m2u/core/random.hpp"
#include "m2u/retrieve/top_k.hpp"
#include "support/spaces.hpp"

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<float> random_rows(int rows, int cols, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = m2u::RandomStream{seed, 1}.uniform(i) - 0.5F;
  }
  return values;
}

double dot(std::vector<float> const& a, int i, std::vector<float> const& b, int j, int cols) {
  double sum = 0.0;
  for (int k = 0; k < cols; ++k) {
    sum += static_cast<double>(a[static_cast<std::size_t>(i * cols + k)]) *
           static_cast<double>(b[static_cast<std::size_t>(j * cols + k)]);
  }
  return sum;
}

double cosine(std::vector<float> const& a, int i, std::vector<float> const& b, int j, int cols) {
  return dot(a, i, b, j, cols) / std::sqrt(dot(a, i, a, i, cols) * dot(b, j, b, j, cols));
}

double distance(std::vector<float> const& a, int i, std::vector<float> const& b, int j, int cols) {
  double sum = 0.0;
  for (int k = 0; k < cols; ++k) {
    double const d = static_cast<double>(a[static_cast<std::size_t>(i * cols + k)]) -
                     static_cast<double>(b[static_cast<std::size_t>(j * cols + k)]);
    sum += d * d;
  }
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("retrieval metrics agree with ranking by hand", "[retrieval]") {
  int const rows = 700;  // more than two blocks
  int const pool = 731;
  int const cols = 6;
  auto const targets = random_rows(pool, cols, 1);
  auto queries = random_rows(rows, cols, 2);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i] = 3.0F * (targets[i] + 0.3F * queries[i]);
  }
  std::vector<double> ranks;
  for (int i = 0; i < rows; ++i) {
    double rank = 1.0;
    for (int j = 0; j < pool; ++j) {
      rank += j != i && cosine(queries, i, targets, j, cols) > cosine(queries, i, targets, i, cols);
    }
    ranks.push_back(rank);
  }
  auto const result = m2u::retrieval_metrics(queries, targets, cols);
  auto const recall = [&](double k) {
    return static_cast<double>(
               std::count_if(ranks.begin(), ranks.end(), [&](double rank) { return rank <= k; })) /
           rows;
  };
  CHECK(result.queries == rows);
  CHECK(result.pool == pool);
  CHECK(result.recall_at_1 == Approx(recall(1)));
  CHECK(result.recall_at_5 == Approx(recall(5)));
  CHECK(result.recall_at_10 == Approx(recall(10)));
  CHECK(result.recall_at_20 == Approx(recall(20)));
  CHECK((result.recall_at_1 > 0.1 && result.recall_at_1 < result.recall_at_5));
  double reciprocal = 0.0;
  for (double const rank : ranks) {
    reciprocal += 1.0 / rank / rows;
  }
  CHECK(result.mean_reciprocal_rank == Approx(reciprocal));
  std::sort(ranks.begin(), ranks.end());
  CHECK(result.median_rank == 0.5 * (ranks[349] + ranks[350]));
}

TEST_CASE("equal scores count as their mean rank", "[retrieval]") {
  int const cols = 7;
  auto row = random_rows(1, cols, 3);
  std::vector<float> same;
  for (int i = 0; i < 301; ++i) {  // a collapsed encoder
    same.insert(same.end(), row.begin(), row.end());
  }
  auto const result = m2u::retrieval_metrics(same, same, cols);
  CHECK(result.median_rank == 151.0);
  CHECK(result.recall_at_20 == 0.0);
  CHECK(result.mean_reciprocal_rank == Approx(1.0 / 151.0));
  auto const perfect = random_rows(40, cols, 4);
  CHECK(m2u::retrieval_metrics(perfect, perfect, cols).recall_at_1 == Approx(1.0));
  std::vector<float> const zeros(14, 0.0F);
  CHECK(m2u::retrieval_metrics(zeros, zeros, cols).median_rank == 1.5);
}

TEST_CASE("retrieval metrics refuse what cannot be compared", "[retrieval]") {
  auto const rows = random_rows(4, 3, 1);
  auto bad = rows;
  bad[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(m2u::retrieval_metrics(rows, bad, 3),
                    ContainsSubstring("target row 2 holds a number that is not finite"));
  CHECK_THROWS_WITH(m2u::retrieval_metrics(bad, rows, 3), ContainsSubstring("query row 2"));
  CHECK_THROWS_AS(m2u::retrieval_metrics(rows, std::span(rows).first(9), 3), m2u::Error);
  CHECK_THROWS_AS(m2u::retrieval_metrics({}, {}, 3), m2u::Error);
  CHECK_THROWS_AS(m2u::retrieval_metrics(rows, rows, 5), m2u::Error);
}

TEMPLATE_LIST_TEST_CASE("nearest rows agree with sorting by hand", "[top_k]", m2u::test::Spaces) {
  using S = TestType;
  S const space;
  int const rows = 150;
  int const pool = 9000;  // more than one block of each
  int const cols = 5;
  auto const queries = random_rows(rows, cols, 1);
  auto library = random_rows(pool, cols, 2);
  std::copy_n(queries.begin(), 2 * cols, library.begin() + 8000 * cols);  // two exact hits
  auto const to_space = [&](std::vector<float> const& values, int count) {
    return m2u::to_space(space, m2u::host_matrix("rows", count, cols, values));
  };
  auto const on_space = to_space(library, pool);
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    auto const found = m2u::nearest(space, to_space(queries, rows), on_space, 7, metric);
    REQUIRE(found.size() == 150);
    for (int i = 0; i < rows; i += 37) {
      std::vector<std::pair<double, int>> all;
      for (int j = 0; j < pool; ++j) {
        all.emplace_back(metric == m2u::Metric::cosine ? -cosine(queries, i, library, j, cols)
                                                       : distance(queries, i, library, j, cols),
                         j);
      }
      std::sort(all.begin(), all.end());
      auto const& best = found[static_cast<std::size_t>(i)];
      REQUIRE(best.size() == 7);
      for (std::size_t k = 0; k < 7; ++k) {
        CHECK(best[k].row == all[k].second);
        CHECK(best[k].score == Approx(std::abs(all[k].first)).margin(1e-7));
      }
    }
    CHECK(found[1][0].row == 8001);
    CHECK(found[1][0].score == (metric == m2u::Metric::cosine ? 1.0F : 0.0F));
  }
}

TEST_CASE("retrieval among each query's own candidates", "[retrieve]") {
  auto const matrix = [](std::vector<float> const& values) {
    return m2u::host_matrix("rows", static_cast<int>(values.size() / 2), 2, values);
  };
  auto const targets = matrix({1, 0, 0, 1, 1, 1, 1, 0});
  auto const queries = matrix({2, 0, 0, 3});
  // The first query's answer ties with one other; the second's is the better of two.
  std::vector<m2u::Candidates> const candidates{{{1, 3, 0}, 2}, {{2, 1}, 1}};
  auto const found = m2u::retrieval_among(queries, targets, candidates);
  CHECK(found.metrics.queries == 2);
  CHECK(found.metrics.pool == 3);
  CHECK(found.metrics.recall_at_1 == 0.5);
  CHECK(found.metrics.mean_reciprocal_rank == Approx((1 / 1.5 + 1) / 2));
  CHECK(found.chance_recall_at_1 == Approx((1.0 / 3 + 1.0 / 2) / 2));
  CHECK_THROWS_WITH(m2u::retrieval_among(queries, targets, std::span(candidates).first(1)),
                    ContainsSubstring("1 lists of candidates"));
  std::vector<m2u::Candidates> wrong{{{1, 4}, 0}, {{2}, 0}};
  CHECK_THROWS_WITH(m2u::retrieval_among(queries, targets, wrong),
                    ContainsSubstring("there is no target 4"));
  wrong[0] = {{1, 3}, 2};
  CHECK_THROWS_WITH(m2u::retrieval_among(queries, targets, wrong),
                    ContainsSubstring("number 2 of 2 candidates"));
}

TEMPLATE_LIST_TEST_CASE("nearest: few rows, equal rows and wrong arguments", "[top_k]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  auto const matrix = [&](int rows, std::vector<float> const& values) {
    return m2u::to_space(space, m2u::host_matrix("rows", rows, 2, values));
  };
  auto const library = matrix(4, {0, 1, 1, 0, 0, 2, 0, 0});
  auto const found = m2u::nearest(space, matrix(1, {0, 3}), library, 10);
  CHECK(found[0] == std::vector<m2u::Neighbour>{{0, 1.0F}, {2, 1.0F}, {1, 0.0F}, {3, 0.0F}});
  CHECK(m2u::nearest(space, matrix(1, {0, 3}), matrix(0, {}), 2)[0].empty());
  CHECK(m2u::nearest(space, matrix(0, {}), library, 2).empty());
  CHECK_THROWS_AS(m2u::nearest(space, library, library, 0), m2u::Error);
  CHECK_THROWS_AS(m2u::nearest(space, m2u::make_matrix<float>(space, "q", 1, 3), library, 1),
                  m2u::Error);
  CHECK_THROWS_WITH(m2u::nearest(space, library, matrix(1, {NAN, 0}), 1),
                    ContainsSubstring("library row 0"));
}
