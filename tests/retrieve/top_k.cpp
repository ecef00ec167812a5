// SPDX-License-Identifier: Apache-2.0
// The search for nearest rows against scoring every row in double.
#include "m2u/retrieve/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include "m2u/core/copy_to.hpp"
#include "m2u/core/random.hpp"
#include "support/spaces.hpp"

namespace {

using Rows = std::vector<float>;

Rows random_rows(int rows, int cols, std::uint64_t seed) {
  Rows values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = m2u::RandomStream{seed, 1}.uniform(i) - 0.5F;
  }
  return values;
}

float score(m2u::Metric metric, float const* a, float const* b, int cols) {
  double product = 0.0;
  double left = 0.0;
  double right = 0.0;
  double distance = 0.0;
  for (int j = 0; j < cols; ++j) {
    double const x = a[j];
    double const y = b[j];
    product += x * y;
    left += x * x;
    right += y * y;
    distance += (x - y) * (x - y);
  }
  if (metric == m2u::Metric::euclidean) {
    return static_cast<float>(std::sqrt(distance));
  }
  return left * right > 0.0 ? static_cast<float>(product / std::sqrt(left * right)) : 0.0F;
}

/// Checks every query's list against a sort of all rows. A sum in another order may give the
/// neighbouring float, so scores may differ by one unit, and rows of such scores in their order.
template <class S>
void check_against_all(S const& space, Rows const& queries, Rows const& library, int cols, int k,
                       m2u::Metric metric) {
  int const rows = static_cast<int>(queries.size()) / cols;
  int const pool = static_cast<int>(library.size()) / cols;
  auto const on_space = [&](Rows const& values, int count) {
    return m2u::to_space(space, m2u::host_matrix("rows", count, cols, values));
  };
  auto const found =
      m2u::nearest(space, on_space(queries, rows), on_space(library, pool), k, metric);
  REQUIRE(found.size() == static_cast<std::size_t>(rows));
  bool right = true;
  for (int i = 0; i < rows; ++i) {
    std::vector<m2u::Neighbour> all;
    for (int j = 0; j < pool; ++j) {
      all.push_back({j, score(metric, queries.data() + i * cols, library.data() + j * cols, cols)});
    }
    auto const best = std::min(all.size(), static_cast<std::size_t>(k));
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(best), all.end(),
                      m2u::detail::Nearer{metric});
    auto const& own = found[static_cast<std::size_t>(i)];
    REQUIRE(own.size() == best);
    for (std::size_t n = 0; n < best; ++n) {
      float const unit = std::nextafter(all[n].score, 10.0F) - all[n].score;
      float const exact =
          score(metric, queries.data() + i * cols, library.data() + own[n].row * cols, cols);
      right = right && (own[n] == all[n] || (std::abs(own[n].score - all[n].score) <= unit &&
                                             std::abs(exact - own[n].score) <= unit));
      right = right && (n == 0 || m2u::detail::Nearer{metric}(own[n - 1], own[n]));
    }
  }
  CHECK(right);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("the search finds what scoring all rows finds", "[top_k]",
                        m2u::test::Spaces) {
  TestType const space;
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    for (int const rows : {1, 3, 70, 200}) {  // thin products, tiles, a group and what is left
      for (int const cols : {1, 7, 64, 130}) {
        check_against_all(space, random_rows(rows, cols, 1), random_rows(3000, cols, 2), cols, 9,
                          metric);
      }
    }
    check_against_all(space, random_rows(5, 8, 1), random_rows(900, 8, 2), 8, 899, metric);
    check_against_all(space, random_rows(5, 8, 1), random_rows(900, 8, 2), 8, 2000, metric);
  }
}

TEMPLATE_LIST_TEST_CASE("the search keeps rows apart that float products cannot", "[top_k]",
                        m2u::test::Spaces) {
  TestType const space;
  int const cols = 24;
  auto const center = random_rows(1, cols, 3);
  Rows library;
  Rows queries;
  for (int i = 0; i < 4000; ++i) {  // all within a few units in the last place of each other
    for (int j = 0; j < cols; ++j) {
      float value = center[static_cast<std::size_t>(j)];
      for (int steps = (i * 7 + j * 13) % 5; steps > 0; --steps) {
        value = std::nextafter(value, 2.0F);
      }
      library.push_back(value);
      if (i < 6) {
        queries.push_back(value);
      }
    }
  }
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    check_against_all(space, queries, library, cols, 10, metric);
  }
}

TEMPLATE_LIST_TEST_CASE("the search takes libraries in which the nearest come last", "[top_k]",
                        m2u::test::Spaces) {
  TestType const space;
  int const cols = 4;
  Rows library;
  for (int i = 0; i < 5000; ++i) {
    auto const angle = static_cast<float>(5000 - i) * 6e-4F;
    library.insert(library.end(), {std::cos(angle), std::sin(angle), 0.0F, 0.1F});
  }
  Rows const queries{1, 0, 0, 0.1F, 0, 1, 0, 0, 0, 0, 0, 0};  // one, its opposite, and zeros
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    check_against_all(space, queries, library, cols, 10, metric);
  }
}

TEMPLATE_LIST_TEST_CASE("the search: of equal scores the lower rows", "[top_k]",
                        m2u::test::Spaces) {
  TestType const space;
  int const cols = 16;
  auto const one = random_rows(1, cols, 5);
  Rows library;
  for (int i = 0; i < 1500; ++i) {
    library.insert(library.end(), one.begin(), one.end());
  }
  auto const on_space = [&](Rows const& values, int count) {
    return m2u::to_space(space, m2u::host_matrix("rows", count, cols, values));
  };
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    auto const found = m2u::nearest(space, on_space(one, 1), on_space(library, 1500), 100, metric);
    REQUIRE(found[0].size() == 100);
    for (int i = 0; i < 100; ++i) {
      CHECK(found[0][static_cast<std::size_t>(i)] ==
            m2u::Neighbour{i, metric == m2u::Metric::cosine ? 1.0F : 0.0F});
    }
  }
}

TEMPLATE_LIST_TEST_CASE("the search ranks rows of any length", "[top_k]", m2u::test::Spaces) {
  TestType const space;
  int const cols = 6;
  auto library = random_rows(1200, cols, 7);
  auto queries = random_rows(5, cols, 8);
  float const factors[] = {1e-30F, 1e30F, 0.0F, 1e-13F, 3e15F, 1e4F, 1.0F};
  for (std::size_t i = 0; i < library.size(); ++i) {
    library[i] *= factors[i / cols % 7];
  }
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i] *= factors[i / cols];
  }
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    check_against_all(space, queries, library, cols, 12, metric);
  }
}

TEMPLATE_LIST_TEST_CASE("the search goes through a library in blocks with known lengths", "[top_k]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  int const cols = 10;
  auto const rows = random_rows(1000, cols, 9);
  auto const matrix = [&](int first, int count) {
    return m2u::to_space(
        space, m2u::host_matrix("rows", count, cols,
                                std::span(rows).subspan(static_cast<std::size_t>(first * cols),
                                                        static_cast<std::size_t>(count * cols))));
  };
  auto const queries = matrix(500, 20);
  std::vector<m2u::SearchRows<S>> blocks;
  for (auto const& [first, count] : {std::pair(0, 300), std::pair(300, 0), std::pair(300, 700)}) {
    blocks.emplace_back(space, matrix(first, count), "block");
    blocks.back() = m2u::SearchRows<S>(blocks.back().rows(), blocks.back().lengths());
  }
  auto const whole = m2u::nearest(space, queries, matrix(0, 1000), 8);
  CHECK(m2u::nearest(space, queries, std::span<m2u::SearchRows<S> const>(blocks), 8) == whole);
  CHECK(whole[3][0] == m2u::Neighbour{503, 1.0F});
  CHECK_THROWS_AS(m2u::SearchRows<S>(matrix(0, 3), blocks[0].lengths()), m2u::Error);
}
