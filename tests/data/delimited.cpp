// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/delimited.hpp"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::DelimitedFormat;
using m2u::DelimitedReader;
using m2u::DelimitedRow;
using m2u::test::TemporaryFolder;
using Fields = std::vector<std::string>;

struct Everything {
  std::vector<Fields> rows;
  std::vector<std::size_t> lines;
  std::vector<std::string> problems;
};

Everything read_all(DelimitedReader&& reader) {
  Everything all;
  DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    all.rows.push_back(row.fields);
    all.lines.push_back(row.line);
    all.problems.push_back(problem);
  }
  return all;
}

}  // namespace

TEST_CASE("CSV follows RFC 4180", "[delimited]") {
  TemporaryFolder const folder;
  DelimitedReader reader(folder.write("a.csv",
                                      "\xEF\xBB\xBFid,\"the, name\",note\r\n"
                                      "1,plain,\r\n"
                                      "\r\n"
                                      "2,\"say \"\"hi\"\"\",\"two\r\n\r\nlines, one field\"\r\n"
                                      ",\"\",\"x\""));
  CHECK(reader.format() == DelimitedFormat::csv);
  CHECK(reader.header() == Fields{"id", "the, name", "note"});
  CHECK(reader.column("note") == 2);
  CHECK(reader.has_column("id"));
  CHECK_FALSE(reader.has_column("ID"));
  CHECK_THROWS_WITH(
      reader.column("smiles"),
      ContainsSubstring("a.csv has no column \"smiles\"; it has \"id\", \"the, name\", "
                        "\"note\""));
  auto const all = read_all(std::move(reader));
  CHECK(all.rows == std::vector<Fields>{{"1", "plain", ""},
                                        {"2", "say \"hi\"", "two\n\nlines, one field"},
                                        {"", "", "x"}});
  CHECK(all.lines == std::vector<std::size_t>{2, 4, 7});
  CHECK(all.problems == Fields{"", "", ""});
}

TEST_CASE("TSV has no quotes, smi has no header", "[delimited]") {
  TemporaryFolder const folder;
  auto const tsv = read_all(DelimitedReader(folder.write("a.txt", "a\tb\n\"x\t,y\"\n\t\n")));
  CHECK(tsv.rows == std::vector<Fields>{{"\"x", ",y\""}, {"", ""}});
  DelimitedReader reader(folder.write("a.smi", "CCO ethyl alcohol\nC\n  N\n[Na+].[Cl-]\t salt\n"));
  CHECK(reader.header() == Fields{"smiles", "name"});
  auto const smi = read_all(std::move(reader));
  CHECK(smi.rows[0] == Fields{"CCO", "ethyl alcohol"});
  CHECK(smi.rows[1] == Fields{"C", ""});
  CHECK_THAT(smi.problems[2], ContainsSubstring("no SMILES"));
  CHECK(smi.rows[3] == Fields{"[Na+].[Cl-]", "salt"});
  CHECK(smi.lines == std::vector<std::size_t>{1, 2, 3, 4});

  DelimitedReader bare(folder.write("b.csv", "1,2\n3,4\n"), {.header = false});
  CHECK(bare.header() == Fields{"1", "2"});
  CHECK(read_all(std::move(bare)).rows == std::vector<Fields>{{"1", "2"}, {"3", "4"}});
  DelimitedReader chosen(folder.write("c.dat", "a,b\n"), {.format = DelimitedFormat::csv});
  CHECK(chosen.header() == Fields{"a", "b"});
  CHECK(read_all(DelimitedReader(folder.write("e.tsv", ""), {.header = false})).rows.empty());
}

TEST_CASE("malformed rows are reported and reading goes on", "[delimited]") {
  TemporaryFolder const folder;
  auto const path = folder.write("bad.csv", "a,b\n"
                                            "1\n"
                                            "1,2,3\n"
                                            "1,x\"y\"\n"
                                            "\"1\" ,2\n"
                                            "5,6\n"
                                            "7,\"open\n"
                                            "to the end\n");
  auto const all = read_all(DelimitedReader(path));
  REQUIRE(all.problems.size() == 6);
  CHECK_THAT(all.problems[0], ContainsSubstring("1 fields, but the table has 2 columns"));
  CHECK_THAT(all.problems[1], ContainsSubstring("3 fields"));
  CHECK_THAT(all.problems[2], ContainsSubstring("field 2 has a quote inside"));
  CHECK_THAT(all.problems[3], ContainsSubstring("followed by something other than a comma"));
  CHECK(all.problems[4].empty());
  CHECK(all.rows[4] == Fields{"5", "6"});
  CHECK_THAT(all.problems[5], ContainsSubstring("not closed"));
  CHECK(all.lines == std::vector<std::size_t>{2, 3, 4, 5, 6, 7});

  DelimitedReader strict(path);
  DelimitedRow row;
  CHECK_THROWS_WITH(strict.next(row), ContainsSubstring("bad.csv, line 2: the row has 1 fields"));
  CHECK_THROWS_WITH(strict.next(row), ContainsSubstring("line 3"));
}

TEST_CASE("files without a sound header are refused", "[delimited]") {
  TemporaryFolder const folder;
  CHECK_THROWS_WITH(DelimitedReader(folder / "none.csv"), ContainsSubstring("none.csv"));
  CHECK_THROWS_WITH(DelimitedReader(folder.write("empty.tsv", "")),
                    ContainsSubstring("empty.tsv is empty"));
  CHECK_THROWS_WITH(DelimitedReader(folder.write("blank.tsv", "\n\n")),
                    ContainsSubstring("is empty"));
  CHECK_THROWS_WITH(DelimitedReader(folder.write("twice.tsv", "a\tb\ta\n")),
                    ContainsSubstring("line 1: the header names the column \"a\" twice"));
  CHECK_THROWS_WITH(DelimitedReader(folder.write("open.csv", "a,\"b\n1,2\n")),
                    ContainsSubstring("open.csv, line 1: a quoted field is not closed"));
  CHECK_THROWS_WITH(DelimitedReader(folder.write("plain.csv.gz", "a,b\n")),
                    ContainsSubstring("not gzipped"));
}
