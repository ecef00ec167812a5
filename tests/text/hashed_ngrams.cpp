// SPDX-License-Identifier: Apache-2.0
#include "m2u/text/hashed_ngrams.hpp"

#include "m2u/text/tf_idf.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;

float weight_of(m2u::SparseRow const& row, int column) {
  auto const found = std::find(row.columns.begin(), row.columns.end(), column);
  return found == row.columns.end()
             ? 0.0F
             : row.weights[static_cast<std::size_t>(found - row.columns.begin())];
}

}  // namespace

TEST_CASE("words are lower-cased runs of letters and digits", "[hashed_ngrams]") {
  CHECK(m2u::words("An ACE-inhibitor (5.2 mg); β-Blocker!") ==
        std::vector<std::string>{"an", "ace", "inhibitor", "5", "2", "mg", "β", "blocker"});
  CHECK(m2u::words("").empty());
  CHECK(m2u::words(" .,-\n\t").empty());
}

TEST_CASE("n-grams are counted in their buckets", "[hashed_ngrams]") {
  auto const once = m2u::hashed_ngrams("aspirin");
  REQUIRE(once.columns.size() == 1);
  CHECK(once.weights == std::vector{1.0F});
  int const aspirin = once.columns[0];
  CHECK(m2u::hashed_ngrams("ASPIRIN.").columns == once.columns);

  // aspirin, binds, aspirin, "aspirin binds", "binds aspirin": 5 n-grams.
  auto const row = m2u::hashed_ngrams("Aspirin binds aspirin");
  CHECK(row.columns.size() == 4);
  CHECK_THAT(weight_of(row, aspirin), WithinAbs(2.0, 1e-6));
  CHECK_THAT(weight_of(row, m2u::hashed_ngrams("binds").columns[0]), WithinAbs(1.0, 1e-6));
  CHECK(std::adjacent_find(row.columns.begin(), row.columns.end(), std::greater_equal<>{}) ==
        row.columns.end());
  // Order matters to pairs, not to words.
  auto const swapped = m2u::hashed_ngrams("binds aspirin aspirin");
  CHECK(swapped.columns != row.columns);
  CHECK(m2u::hashed_ngrams("binds aspirin aspirin", {.longest = 1}).columns ==
        m2u::hashed_ngrams("aspirin binds aspirin", {.longest = 1}).columns);
  CHECK(m2u::hashed_ngrams("a b c d", {.longest = 4}).columns.size() == 10);
  CHECK(m2u::hashed_ngrams("--").columns.empty());
}

TEST_CASE("hashing is fixed and spreads over the buckets", "[hashed_ngrams]") {
  CHECK(m2u::hashed_ngrams("the quick brown fox", {.longest = 1}).columns ==
        std::vector{5585, 7269, 20616, 27030});
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    text += "word" + std::to_string(i) + ' ';
  }
  auto const row = m2u::hashed_ngrams(text, {.buckets = 256, .longest = 1});
  CHECK(row.columns.size() == 256);
  CHECK(row.columns.front() >= 0);
  CHECK(row.columns.back() < 256);
  float const expected = 2000.0F / 256.0F;
  CHECK(*std::max_element(row.weights.begin(), row.weights.end()) < 3 * expected);
}

TEST_CASE("n-gram options are checked", "[hashed_ngrams]") {
  CHECK_THROWS_WITH(m2u::hashed_ngrams("a", {.buckets = 1000}),
                    ContainsSubstring("1000 buckets is not a power"));
  CHECK_THROWS_WITH(m2u::hashed_ngrams("a", {.buckets = 0}),
                    ContainsSubstring("not a power of two"));
  CHECK_THROWS_WITH(m2u::hashed_ngrams("a", {.longest = 0}), ContainsSubstring("at most 0 words"));
  CHECK(m2u::hashed_ngrams("a b", {.buckets = 1}).columns == std::vector{0});
}

TEST_CASE("rare words weigh more, and rows have length 1", "[tf_idf]") {
  m2u::HashedNgramOptions const words_only{.longest = 1};
  auto const row = [&](char const* text) { return m2u::hashed_ngrams(text, words_only); };
  m2u::TfIdf weights(words_only.buckets);
  for (char const* const text : {"a statin", "a kinase inhibitor", "a statin again", ""}) {
    weights.add(row(text));
  }
  CHECK(weights.texts() == 3);
  auto const weighed = weights.weigh(row("a statin statin kinase"));
  auto const of = [&](char const* word) {
    return static_cast<double>(weight_of(weighed, row(word).columns[0]));
  };
  double const a = std::log(4.0 / 4.0) + 1.0;
  double const statin = (1.0 + std::log(2.0)) * (std::log(4.0 / 3.0) + 1.0);
  double const kinase = std::log(4.0 / 2.0) + 1.0;
  double const length = std::sqrt(a * a + statin * statin + kinase * kinase);
  CHECK_THAT(of("a"), WithinAbs(a / length, 1e-6));
  CHECK_THAT(of("statin"), WithinAbs(statin / length, 1e-6));
  CHECK_THAT(of("kinase"), WithinAbs(kinase / length, 1e-6));
  CHECK(weights.weigh({}).columns.empty());
  m2u::TfIdf const common(weights.texts(), weights.texts_with(), 2);
  CHECK(common.weigh(row("a statin kinase")).columns.size() == 2);  // one text has "kinase"
  CHECK(common.weigh(row("kinase")).columns.empty());
  m2u::TfIdf const same(weights.texts(), weights.texts_with());
  CHECK(same.weigh(row("a statin")).weights == weights.weigh(row("a statin")).weights);
  CHECK_THROWS_WITH(m2u::TfIdf(1).weigh(m2u::SparseRow{{1}, {1.0F}}),
                    ContainsSubstring("bucket 1 of 1"));
}
