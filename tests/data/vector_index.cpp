// SPDX-License-Identifier: Apache-2.0
// Indexes in memory and on disk, whole and damaged.
#include "m2u/data/vector_index.hpp"

#include <cmath>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"
#include "m2u/core/random.hpp"
#include "m2u/data/shard.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int cols = 5;

m2u::Matrix<float, m2u::Host> random_rows(int rows, std::uint64_t stream) {
  auto const result = m2u::make_matrix<float>(m2u::Host{}, "rows", rows, cols);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result.data()[i] = m2u::RandomStream{3, stream}.uniform(i) - 0.5F;
  }
  return result;
}

/// Rows with a number, all of them with "a", every third with "b".
m2u::Table table_of(m2u::Matrix<float, m2u::Host> const& vectors) {
  m2u::TableBuilder builder;
  int const number = builder.add_column<int>("number");
  m2u::VectorColumns const all(builder, "a", cols);
  m2u::VectorColumns const some(builder, "b", cols);
  auto const lengths = all.lengths(vectors);
  for (int i = 0; i < vectors.extent_int(0); ++i) {
    builder.set<int>(number, std::span(&i, 1));
    std::span<float const> const row(vectors.data() + i * cols, cols);
    all.set(builder, row, lengths[static_cast<std::size_t>(i)]);
    if (i % 3 == 1) {
      some.set(builder, row, lengths[static_cast<std::size_t>(i)]);
    }
    builder.end_row();
  }
  return builder.finish();
}

}  // namespace

TEST_CASE("an index gives rows of its table, in memory and from shards", "[vector_index]") {
  m2u::Host const host;
  auto const vectors = random_rows(200, 1);
  auto const table = table_of(vectors);
  m2u::test::TemporaryFolder const folder;
  m2u::write_shards(folder / "index", table, 70);
  m2u::VectorIndex const mapped(m2u::open_shards(folder / "index", {.verify = false}), "mapped");
  m2u::VectorIndex const index(table, "made");
  CHECK(index.spaces() == std::vector<std::string>{"a", "b"});
  CHECK(mapped.blocks("a").size() == 3);
  CHECK(mapped.size("a") == 200);
  CHECK(mapped.size("b") == 67);
  CHECK(mapped.width("b") == cols);
  CHECK(mapped.has("b"));
  CHECK_FALSE(mapped.has("c"));
  CHECK(mapped.vector("b", 0).empty());
  CHECK(mapped.vector("b", 196)[2] == vectors(196, 2));
  CHECK(mapped.row_of("b", 66) == 199);
  auto const queries = random_rows(9, 2);
  for (auto const metric : {m2u::Metric::cosine, m2u::Metric::euclidean}) {
    auto const whole = m2u::nearest(host, queries, vectors, 200, metric);
    for (auto const* const found : {&index, &mapped}) {
      CHECK(found->search(host, "a", queries, 200, metric) == whole);
      auto wanted = whole;
      for (auto& list : wanted) {
        std::erase_if(list, [](auto const& hit) { return hit.row % 3 != 1; });
        list.resize(4);
      }
      CHECK(found->search(host, "b", queries, 4, metric) == wanted);
      m2u::Matrix<float, m2u::Host> const first(queries.data(), 1, cols);
      std::vector<int> const rows{100, 4, 7, wanted[0][0].row};
      auto const ranked = found->rank("b", first, rows, 2, metric);
      REQUIRE(ranked.size() == 2);
      CHECK(ranked[0] == wanted[0][0]);
    }
  }
}

TEST_CASE("an index says what is wrong with it or with a question", "[vector_index]") {
  m2u::VectorIndex const index(table_of(random_rows(30, 1)), "the index");
  CHECK_THROWS_WITH(index.width("c"),
                    ContainsSubstring("the index has no vectors \"c\"; it has \"a\", \"b\""));
  CHECK_THROWS_WITH(index.rank("b", random_rows(1, 2), std::vector<int>{0}, 1, m2u::Metric::cosine),
                    ContainsSubstring("row 0 has no vector \"b\""));
  CHECK_THROWS_WITH(index.rank("b", random_rows(2, 2), {}, 1, m2u::Metric::cosine),
                    ContainsSubstring("does not fit"));
  CHECK_THROWS_AS(index.row_of("b", 10), m2u::Error);
  CHECK_THROWS_AS(index.search(m2u::Host{}, "a", random_rows(1, 2), 0), m2u::Error);
  CHECK_THROWS_WITH(m2u::VectorIndex(m2u::Table{}, "nothing"), ContainsSubstring("has no vectors"));

  m2u::TableBuilder builder;
  int const vector = builder.add_column<float>("s.vector", 2);
  builder.set<float>(vector, std::vector<float>{1, 2});
  builder.end_row();
  CHECK_THROWS_WITH(m2u::VectorIndex(builder.finish(), "half"),
                    ContainsSubstring("half is damaged") && ContainsSubstring("\"s.length\""));

  m2u::TableBuilder two;
  m2u::VectorColumns const columns(two, "s", 2);
  columns.set(two, std::vector<float>{1, 2, 3, 4}, 1.0F);
  two.end_row();
  CHECK_THROWS_WITH(m2u::VectorIndex(two.finish(), "two"),
                    ContainsSubstring("two is damaged: the offsets of the space \"s\""));
  auto const bad = random_rows(3, 1);
  bad(1, 1) = NAN;
  CHECK_THROWS_WITH(columns.lengths(bad), ContainsSubstring("\"s\": row 1 holds a number"));
}
