// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/shard.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::test::read_bytes;
using m2u::test::TemporaryFolder;

m2u::Table sample_table(int rows) {
  m2u::TableBuilder builder;
  builder.add_column<int>("ids");
  builder.add_column<float>("points", 3);
  builder.add_column<char>("name");
  for (int row = 0; row < rows; ++row) {
    builder.set<int>("ids", std::vector<int>(static_cast<std::size_t>(row % 4), 1000 + row));
    builder.set<float>("points",
                       std::vector<float>(row % 3 == 0 ? 0 : 6, 0.5F * static_cast<float>(row)));
    builder.set_text("name", "row " + std::to_string(row));
    builder.end_row();
  }
  return builder.finish(R"({"purpose":"test","list":[1,2]})");
}

/// All that a table holds, as one text.
std::string content(m2u::Table const& table) {
  std::string all = table.metadata();
  auto const add = [&](auto values) {
    auto const bytes = std::as_bytes(values);
    all += '[' + std::to_string(bytes.size()) + ']';
    all.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  };
  for (auto const& spec : table.columns()) {
    all += spec.name + m2u::name_of(spec.type) + std::to_string(spec.width);
    for (int row = 0; row < table.size(); ++row) {
      spec.type == m2u::ColumnType::i32   ? add(table.column<int>(spec.name)[row])
      : spec.type == m2u::ColumnType::f32 ? add(table.column<float>(spec.name)[row])
                                          : add(table.column<char>(spec.name)[row]);
    }
  }
  return all;
}

m2u::Table as_table(m2u::Shard const& shard) { return {shard.columns, {shard.part}, "{}"}; }

/// A shard's bytes with sound checksums around a manifest and data of one's own.
std::string sealed(std::string const& manifest, std::string const& data, std::uint64_t rows) {
  m2u::shard::Header header;
  header.rows = rows;
  header.manifest_size = manifest.size();
  auto const padded =
      manifest + std::string(m2u::shard::aligned(manifest.size()) - manifest.size(), '\0');
  header.file_size = 64 + padded.size() + data.size();
  header.manifest_checksum =
      m2u::checksum(std::as_bytes(std::span(manifest.data(), manifest.size())));
  header.checksum = m2u::shard::header_checksum(header);
  return std::string(reinterpret_cast<char const*>(&header), 64) + padded + data;
}

/// One i32 column with the given offsets and data block, its checksums right.
std::string one_column(std::vector<std::uint64_t> const& offsets, std::string const& data,
                       std::string const& items, std::uint64_t rows,
                       std::string const& type = "\"i32\"", std::string const& width = "1") {
  std::string block(m2u::shard::aligned(8 * offsets.size()), '\0');
  std::memcpy(block.data(), offsets.data(), 8 * offsets.size());
  auto const offset_sum = m2u::hex_text(m2u::checksum(std::as_bytes(std::span(offsets))));
  auto const data_sum =
      m2u::hex_text(m2u::checksum(std::as_bytes(std::span(data.data(), data.size()))));
  auto const manifest = R"({"columns":[{"name":"x","type":)" + type + R"(,"width":)" + width +
                        R"(,"items":)" + items + R"(,"offsets_checksum":")" + offset_sum +
                        R"(","data_checksum":")" + data_sum + R"("}]})";
  auto padded = data;
  padded.resize(m2u::shard::aligned(data.size()));
  return sealed(manifest, block + padded, rows);
}

}  // namespace

TEST_CASE("a table comes back from shards of any size", "[shard]") {
  TemporaryFolder const folder;
  for (int const rows : {0, 1, 10}) {
    auto const table = sample_table(rows);
    for (int const per_shard : {1, 3, 10, 100}) {
      CAPTURE(rows, per_shard);
      m2u::write_shards(folder / "set", table, per_shard);
      auto const mapped = m2u::open_shards(folder / "set");
      CHECK(static_cast<int>(mapped.parts().size()) ==
            std::max(1, (rows + per_shard - 1) / per_shard));
      auto expected = table.with_metadata(R"({"list":[1,2],"purpose":"test"})");
      CHECK(content(mapped) == content(expected));
      CHECK(content(m2u::open_shards(folder / "set", {.verify = false})) == content(expected));
    }
  }
  // The last data set has one shard: those of the longer one before it are gone.
  CHECK_FALSE(std::filesystem::exists(folder / "set/shard-00001.m2u"));
  // A mapped table can be written again, also over itself.
  m2u::write_shards(folder / "set", m2u::open_shards(folder / "set"), 4);
  CHECK(m2u::open_shards(folder / "set").size() == 10);
}

TEST_CASE("every cut and every altered byte of a shard is found", "[shard]") {
  TemporaryFolder const folder;
  auto const table = sample_table(5);
  m2u::write_shard(folder / "good.m2u", table, 0, 5);
  auto const good = read_bytes(folder / "good.m2u");
  auto const expected = content(as_table(m2u::open_shard(folder / "good.m2u")));
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto altered = good;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
    auto const path = folder.write("altered.m2u", altered);
    try {
      if (content(as_table(m2u::open_shard(path))) != expected) {
        FAIL("byte " << at << " was altered and nobody noticed");
      }
    } catch (m2u::Error const& error) {
      ++refused;
      if (std::string(error.what()).find("altered.m2u, offset ") == std::string::npos) {
        FAIL("byte " << at << ": " << error.what());
      }
    }
    try {  // without verification: anything but a crash
      static_cast<void>(content(as_table(m2u::open_shard(path, {.verify = false}))));
    } catch (m2u::Error const&) {
    }
    auto const cut = folder.write("cut.m2u", good.substr(0, at));
    CHECK_THROWS_WITH(m2u::open_shard(cut), ContainsSubstring("cut off"));
  }
  CHECK(refused > good.size() / 2);  // the rest is padding
  CHECK_THROWS_WITH(m2u::open_shard(folder.write("longer.m2u", good + "x")),
                    ContainsSubstring("offset 32: the shard should have"));
}

TEST_CASE("malformed shards with sound checksums are refused", "[shard]") {
  TemporaryFolder const folder;
  auto const refuses = [&](std::string const& bytes, std::string const& message) {
    CHECK_THROWS_WITH(m2u::open_shard(folder.write("bad.m2u", bytes)),
                      ContainsSubstring("bad.m2u") && ContainsSubstring(message));
  };
  std::string const four("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0", 16);
  REQUIRE_NOTHROW(m2u::open_shard(folder.write("x.m2u", one_column({0, 1, 4}, four, "4", 2))));
  refuses(one_column({0, 3, 2, 4}, four, "4", 3), "the offsets fall from 3 to 2 at row 1");
  refuses(one_column({1, 2, 4}, four, "4", 2), "the first offset is 1");
  refuses(one_column({0, 2, 3}, four, "4", 2), "the last offset is 3, but the column has 4");
  refuses(one_column({0, 2, 5}, four, "4", 2), "the last offset is 5");
  refuses(one_column({0, 4}, four, "400", 1), "needs 400 × 4 bytes, but only");
  // 4 · 2^62 and 2^62 · 4 · 2^31 overflow to small numbers.
  refuses(one_column({0, 4}, four, "4611686018427387904", 1), "needs 4611686018427387904 × 4");
  refuses(one_column({0, 4}, four, "4611686018427387904", 1, "\"i32\"", "2147483647"),
          "bytes, but only");
  refuses(one_column({0, 4}, four, "18446744073709551615", 1), "\"items\" is not an integer");
  refuses(one_column({0, 4}, four, "-1", 1), "\"items\" is not an integer");
  refuses(one_column({0, 4}, four, "4.0", 1), "\"items\" is not an integer");
  refuses(one_column({0, 4}, four, "4", 1, "\"i64\""), "unknown type \"i64\"");
  refuses(one_column({0, 4}, four, "4", 1, "7"), "\"type\" is not a string");
  refuses(one_column({0, 4}, four, "4", 1, "\"i32\"", "0"), "\"width\" is not an integer in 1");
  refuses(one_column({0, 4}, four, "4", 1ULL << 40U), "rows are too many");
  refuses(one_column({0, 4}, four, "4", 1000), "needs 1001 × 8 bytes");
  refuses(one_column({0, 0}, "", "0", 1) + std::string(64, 'x'), "offset 32");
  refuses(sealed("{}", "", 0), "lacks the field \"columns\"");
  refuses(sealed("[]", "", 0), "not a JSON object");
  refuses(sealed(R"({"columns":[7]})", "", 0), "column 0 is not a JSON object");
  refuses(sealed(R"({"columns":[]})", std::string(64, 'x'), 0), "64 bytes belong to no column");
  refuses(sealed("{\"columns\":", "", 0), "is not valid JSON");
  refuses(sealed(std::string(100000, '['), "", 0), "is not valid JSON");
  refuses("", "too few for a shard's header");
  refuses(std::string(64, 'x'), "not an m2u shard");
  auto newer = one_column({0, 4}, four, "4", 1);
  newer[8] = 2;
  refuses(newer, "format version 2, but this m2u reads version 1");

  // Opened without verification, wrong offsets are found when the row is read.
  auto const path = folder.write("lazy.m2u", one_column({0, 3, 2, 9}, four, "4", 3));
  auto const lazy = as_table(m2u::open_shard(path, {.verify = false})).column<int>("x");
  CHECK(lazy[0].size() == 3);
  CHECK_THROWS_WITH(lazy[1], ContainsSubstring("row 1: the offsets are damaged"));
  CHECK_THROWS_WITH(lazy[2], ContainsSubstring("row 2: the offsets are damaged"));
}

TEST_CASE("folders that are not whole data sets are refused", "[shard]") {
  TemporaryFolder const folder;
  auto const set = folder / "set";
  m2u::write_shards(set, sample_table(6), 2);
  auto const json = read_bytes(set / "dataset.json");
  auto const rewrite = [&](std::function<void(nlohmann::json&)> const& edit) {
    auto dataset = nlohmann::json::parse(json);
    edit(dataset);
    dataset["checksum"] = m2u::shard::dataset_checksum(dataset, "test");
    m2u::write_file(set / "dataset.json", dataset.dump());
  };
  auto const refuses = [&](std::string const& message) {
    CHECK_THROWS_WITH(m2u::open_shards(set), ContainsSubstring(message));
  };
  SECTION("no dataset.json") {
    std::filesystem::remove(set / "dataset.json");
    refuses("has no dataset.json");
    CHECK_THROWS_WITH(m2u::open_shards(folder / "none"),
                      ContainsSubstring("is not an m2u data set"));
  }
  SECTION("a shard is missing") {
    std::filesystem::remove(set / "shard-00001.m2u");
    refuses("cannot read " + (set / "shard-00001.m2u").string());
  }
  SECTION("shards were exchanged") {
    std::filesystem::copy_file(set / "shard-00000.m2u", set / "shard-00001.m2u",
                               std::filesystem::copy_options::overwrite_existing);
    refuses("shard-00001.m2u is not the shard that");
  }
  SECTION("dataset.json was altered") {
    for (std::size_t at = 0; at < json.size(); ++at) {
      auto altered = json;
      altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 7)));
      m2u::write_file(set / "dataset.json", altered);
      try {
        if (content(m2u::open_shards(set)) !=
            content(sample_table(6).with_metadata(R"({"list":[1,2],"purpose":"test"})"))) {
          FAIL("byte " << at << " was altered and nobody noticed");
        }
      } catch (m2u::Error const&) {
      }
    }
    m2u::write_file(set / "dataset.json", json.substr(0, json.size() / 2));
    refuses("is not valid JSON");
  }
  SECTION("fields that are wrong") {
    rewrite([](auto& d) { d["version"] = 2; });
    refuses("format version 2");
    rewrite([](auto& d) { d["format"] = "other"; });
    refuses("does not describe an m2u data set");
    rewrite([](auto& d) { d.erase("shards"); });
    refuses("lacks the field \"shards\"");
    rewrite([](auto& d) { d["shards"][1].erase("file"); });
    refuses("shards[1] lacks the field \"file\"");
    rewrite([](auto& d) { d["shards"][0]["file"] = "../set/shard-00000.m2u"; });
    refuses("is not a file's name");
    rewrite([](auto& d) { d["shards"][0]["rows"] = 3; });
    refuses("is not the shard that");
    rewrite([](auto& d) { d["rows"] = 7; });
    refuses("lists 7 rows, but its shards have 6");
  }
  SECTION("shards with other columns") {
    m2u::ShardWriter writer(set);
    CHECK_FALSE(std::filesystem::exists(set / "dataset.json"));
    CHECK_THROWS_WITH(writer.finish("{}"), ContainsSubstring("has no shard yet"));
    writer.add(sample_table(2));
    m2u::TableBuilder other;
    other.add_column<int>("x");
    CHECK_THROWS_WITH(writer.add(other.finish()), ContainsSubstring("the columns differ"));
    CHECK_THROWS_WITH(writer.add(sample_table(2), 1, 2), ContainsSubstring("in a table of 2"));
    CHECK_THROWS_WITH(writer.finish("not json"), ContainsSubstring("is not valid JSON"));
    writer.finish("{}");
    CHECK(m2u::open_shards(set).size() == 2);
  }
  SECTION("a folder that cannot be made") {
    auto const file = folder.write("file", "");
    CHECK_THROWS_WITH(m2u::ShardWriter(file / "set"), ContainsSubstring("cannot make the folder"));
  }
}
