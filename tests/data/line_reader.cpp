// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/line_reader.hpp"

#include <zlib.h>

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::test::TemporaryFolder;
using Lines = std::vector<std::string>;

std::string gzipped(std::string const& text) {
  TemporaryFolder const folder;
  auto const path = folder / "x";
  gzFile const file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(file);
  return m2u::test::read_bytes(path);
}

Lines lines_of(std::filesystem::path const& path) {
  m2u::LineReader reader(path);
  Lines lines;
  for (std::string line; reader.next(line);) {
    lines.push_back(line);
    CHECK(reader.line() == lines.size());
  }
  std::string after = "x";
  CHECK_FALSE(reader.next(after));
  CHECK(after.empty());
  return lines;
}

std::string many_lines() {
  std::string text;
  for (int i = 0; i < 60000; ++i) {
    text += "line " + std::to_string(i * 7919 % 60000) + '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("lines come without their ends, whatever these are", "[line_reader]") {
  TemporaryFolder const folder;
  CHECK(lines_of(folder.write("a", "one\r\ntwo\n\nfour")) == Lines{"one", "two", "", "four"});
  CHECK(lines_of(folder.write("b", "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n")) ==
        Lines{"one", "\xEF\xBB\xBFtwo"});
  CHECK(lines_of(folder.write("c", "")).empty());
  CHECK(lines_of(folder.write("d", "\n")) == Lines{""});
  CHECK(lines_of(folder.write("e", std::string("a\0b\n", 4))) == Lines{std::string("a\0b", 3)});
}

TEST_CASE("gzipped lines are those of the plain file", "[line_reader]") {
  TemporaryFolder const folder;
  auto const text = many_lines();
  auto const plain = lines_of(folder.write("plain.tsv", text));
  CHECK(plain.size() == 60000);
  CHECK(lines_of(folder.write("packed.tsv.gz", gzipped(text))) == plain);
  CHECK(lines_of(folder.write("packed", gzipped(text))) == plain);
  CHECK(lines_of(folder.write("empty.gz", gzipped(""))).empty());
}

TEST_CASE("damaged files are refused by name and line", "[line_reader]") {
  TemporaryFolder const folder;
  auto const good = gzipped(many_lines());
  SECTION("missing") {
    CHECK_THROWS_WITH(m2u::LineReader(folder / "none.tsv"),
                      ContainsSubstring("none.tsv") && ContainsSubstring("No such file"));
  }
  SECTION("a folder") {
    CHECK_THROWS_WITH(lines_of(folder.path()), ContainsSubstring("cannot read"));
  }
  SECTION("cut off at any place") {
    for (auto const size : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{9},
                            std::size_t{11}, good.size() / 2, good.size() - 8, good.size() - 1}) {
      CAPTURE(size);
      auto const path = folder.write("cut.gz", good.substr(0, size));
      CHECK_THROWS_WITH(lines_of(path), ContainsSubstring("cut.gz"));
    }
  }
  SECTION("altered") {
    for (auto const at : {good.size() / 3, good.size() / 2, good.size() - 6}) {
      auto text = good;
      text[at] = static_cast<char>(text[at] ^ 0x55);
      CHECK_THROWS_WITH(lines_of(folder.write("altered.gz", text)),
                        ContainsSubstring("altered.gz, after line"));
    }
  }
  SECTION("plain text called .gz") {
    CHECK_THROWS_WITH(lines_of(folder.write("plain.gz", "one\ntwo\n")),
                      ContainsSubstring("plain.gz is not gzipped"));
  }
  SECTION("the part of a line before the cut is not given") {
    m2u::LineReader reader(folder.write("part.gz", good.substr(0, good.size() - 9)));
    std::string line;
    CHECK_THROWS_AS(
        [&] {
          while (reader.next(line)) {
            REQUIRE(line.starts_with("line "));
          }
        }(),
        m2u::Error);
  }
  SECTION("a line without end") {
    m2u::LineReader reader(folder.write("long", "ok\n" + std::string(1001, 'x') + "\n"), 1000);
    std::string line;
    CHECK(reader.next(line));
    CHECK_THROWS_WITH(reader.next(line),
                      ContainsSubstring("long, line 2: the line is longer than 1000"));
    m2u::LineReader just(folder.write("just", std::string(1000, 'x') + "\n"), 1000);
    CHECK(just.next(line));
  }
}
