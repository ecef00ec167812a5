// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/table.hpp"

#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using Catch::Matchers::ContainsSubstring;

template <class T>
std::vector<T> copy(std::span<T const> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("a table gives back what the builder got", "[table]") {
  m2u::TableBuilder builder;
  int const ids = builder.add_column<int>("ids");
  int const points = builder.add_column<float>("points", 3);
  int const name = builder.add_column<char>("name");
  CHECK(builder.column("points") == points);
  builder.set<int>(ids, std::vector{1, 2, 3});
  builder.set_text(name, "first");
  builder.end_row();
  builder.end_row();  // nothing set
  builder.set_text("name", "");
  builder.set<float>("points", std::vector{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  builder.set<int>(ids, std::span<int const>{});
  builder.end_row();
  CHECK(builder.rows() == 3);
  auto const table = builder.finish(R"({"a": 1})");

  CHECK(table.size() == 3);
  CHECK(table.metadata() == R"({"a": 1})");
  CHECK(table.has("ids"));
  CHECK_FALSE(table.has("id"));
  auto const id_column = table.column<int>("ids");
  CHECK(copy(id_column[0]) == std::vector{1, 2, 3});
  CHECK(id_column[1].empty());
  CHECK(id_column[2].empty());
  auto const point_column = m2u::Table(table).column<float>("points");  // outlives that table
  CHECK(point_column.width() == 3);
  CHECK(point_column.size() == 3);
  CHECK(copy(point_column[2]) == std::vector{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  CHECK(table.text("name", 0) == "first");
  CHECK(table.text("name", 1).empty());
  CHECK(table.with_metadata("[]").metadata() == "[]");

  // The builder starts again; the first table keeps its rows.
  builder.set<int>(ids, std::vector{9});
  builder.end_row();
  CHECK(builder.finish().size() == 1);
  CHECK(copy(id_column[0]) == std::vector{1, 2, 3});
  CHECK(m2u::Table().size() == 0);
}

TEST_CASE("parts join to one table", "[table]") {
  m2u::TableBuilder builder;
  builder.add_column<int>("x");
  std::vector<m2u::TablePart> parts;
  int next = 0;
  for (int const rows : {2, 0, 3}) {
    for (int row = 0; row < rows; ++row) {
      builder.set<int>(0, std::vector<int>(static_cast<std::size_t>(next), next));
      builder.end_row();
      ++next;
    }
    parts.push_back(builder.finish().parts().front());
  }
  m2u::Table const table({{"x", m2u::ColumnType::i32, 1}}, parts, "{}");
  REQUIRE(table.size() == 5);
  for (int row = 0; row < 5; ++row) {
    CHECK(copy(table.column<int>("x")[row]) ==
          std::vector<int>(static_cast<std::size_t>(row), row));
  }
}

TEST_CASE("tables refuse what does not fit", "[table]") {
  m2u::TableBuilder builder;
  builder.add_column<int>("x", 2);
  CHECK_THROWS_WITH(builder.add_column<float>("x"), ContainsSubstring("already a column \"x\""));
  CHECK_THROWS_WITH(builder.add_column<float>(""), ContainsSubstring("needs a name"));
  CHECK_THROWS_WITH(builder.add_column<float>("w", 0), ContainsSubstring("has the width 0"));
  CHECK_THROWS_WITH(builder.set<int>("y", std::vector{1, 2}), ContainsSubstring("no column \"y\""));
  CHECK_THROWS_WITH(builder.set<int>(1, std::vector{1, 2}),
                    ContainsSubstring("no column number 1"));
  CHECK_THROWS_WITH(builder.set<int>(0, std::vector{1}),
                    ContainsSubstring("no multiple of its width"));
  CHECK_THROWS_WITH(builder.set<float>(0, std::vector{1.0F, 2.0F}),
                    ContainsSubstring("was given f32"));
  builder.set<int>(0, std::vector{1, 2});
  CHECK_THROWS_WITH(builder.set<int>(0, std::vector{1, 2}),
                    ContainsSubstring("set twice in row 0"));
  CHECK_THROWS_WITH(builder.finish(), ContainsSubstring("begun, but not ended"));
  builder.end_row();
  CHECK_THROWS_WITH(builder.add_column<int>("z"), ContainsSubstring("after the first row"));
  auto const table = builder.finish();
  CHECK_THROWS_WITH(table.column<int>("y"),
                    ContainsSubstring("no column \"y\"; it has \"x\" (i32, width 2)"));
  CHECK_THROWS_WITH(table.column<float>("x"),
                    ContainsSubstring("holds i32, but it was asked for as f32"));
  CHECK_THROWS_WITH(table.text("x", 0), ContainsSubstring("asked for as bytes"));
  CHECK_THROWS_WITH(table.column<int>("x")[1],
                    ContainsSubstring("there is no row 1 in a table of 1"));
  CHECK_THROWS_WITH(table.column<int>("x")[-1], ContainsSubstring("there is no row -1"));
}
