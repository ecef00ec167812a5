// SPDX-License-Identifier: Apache-2.0
/// @file
/// A table in a folder: shards, and dataset.json that lists them with their checksums.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "m2u/core/file.hpp"
#include "m2u/data/json_object.hpp"
#include "m2u/data/shard_file.hpp"
#include "m2u/data/table.hpp"

namespace m2u {

namespace shard {

inline std::string file_name(std::size_t number) {
  auto const digits = std::to_string(number);
  return "shard-" + std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits + ".m2u";
}

/// Checksum of a dataset.json without its field "checksum".
inline std::string dataset_checksum(nlohmann::json dataset, std::string const& what) {
  dataset.erase("checksum");
  auto const text = json_text(dataset, what);
  return hex_text(m2u::checksum(std::as_bytes(std::span(text.data(), text.size()))));
}

}  // namespace shard

/// Writes a data set shard by shard, so that it need not fit in memory. dataset.json comes last: a
/// folder without it is not a data set. An older data set in the folder is replaced.
class ShardWriter {
 public:
  /// @throws Error naming the folder if it can't be made.
  explicit ShardWriter(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code code;
    std::filesystem::create_directories(folder_, code);
    expects(!code, "cannot make the folder ", folder_.string(), ": ", code.message());
    std::filesystem::remove(folder_ / "dataset.json", code);
    expects(!code, "cannot replace ", (folder_ / "dataset.json").string(), ": ", code.message());
  }

  /// Writes rows first … first + count - 1 of a table as the next shard.
  /// @throws Error if its columns differ from those of the shards before.
  void add(Table const& table, int first, int count) {
    expects(first >= 0 && count >= 0 && count <= table.size() - first, "ShardWriter: rows ", first,
            " … ", first + count - 1, " were asked for in a table of ", table.size());
    expects(shards_.empty() || table.columns() == columns_,
            "ShardWriter: the columns differ from those of the shards before");
    columns_ = table.columns();
    auto const name = shard::file_name(shards_.size());
    auto const checksum = write_shard(folder_ / name, table, first, count);
    shards_.push_back({{"file", name}, {"rows", count}, {"checksum", hex_text(checksum)}});
    rows_ += count;
  }
  void add(Table const& table) { add(table, 0, table.size()); }

  std::int64_t rows() const { return rows_; }

  /// Writes dataset.json. @param metadata the user's JSON text.
  /// @throws Error if there is no shard, or the metadata is not JSON.
  void finish(std::string_view metadata) {
    auto const path = folder_ / "dataset.json";
    expects(!shards_.empty(), "ShardWriter: ", folder_.string(), " has no shard yet");
    nlohmann::json dataset{{"format", "m2u dataset"},
                           {"version", shard::version},
                           {"rows", rows_},
                           {"shards", shards_},
                           {"metadata", parse_json(metadata, "the data set's metadata")}};
    dataset["checksum"] = shard::dataset_checksum(dataset, path.string());
    write_file(path, json_text(dataset, path.string(), 1) + '\n');
    // Shards of an older, longer data set.
    std::error_code code;
    for (auto old = shards_.size();
         std::filesystem::remove(folder_ / shard::file_name(old), code);) {
      ++old;
    }
  }

 private:
  std::filesystem::path folder_;
  std::vector<ColumnSpec> columns_;
  std::vector<nlohmann::json> shards_;
  std::int64_t rows_ = 0;
};

/// Writes a table as shards of at most `rows_per_shard` rows, with its metadata.
inline void write_shards(std::filesystem::path const& folder, Table const& table,
                         int rows_per_shard = 65536) {
  expects(rows_per_shard > 0, "write_shards: ", rows_per_shard, " rows per shard");
  ShardWriter writer(folder);
  int first = 0;
  do {
    int const count = std::min(rows_per_shard, table.size() - first);
    writer.add(table, first, count);
    first += count;
  } while (first < table.size());
  writer.finish(table.metadata());
}

/// Maps all shards of a folder as one table.
/// @throws Error naming the file (and the offset in it) if one is missing, damaged or not the one
/// that
///   dataset.json lists.
inline Table open_shards(std::filesystem::path const& folder, OpenOptions const& options = {}) {
  auto const path = folder / "dataset.json";
  auto const name = path.string();
  expects(std::filesystem::exists(path), folder.string(),
          " is not an m2u data set: it has no dataset.json (was writing it cut short?)");
  MappedFile const file(path);
  auto const bytes = file.bytes();
  auto const json = parse_json({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, name);
  JsonObject const dataset(json, name);
  expects(dataset.text("format") == "m2u dataset", name, " does not describe an m2u data set");
  auto const found = dataset.integer("version");
  expects(found == static_cast<std::int64_t>(shard::version), name, " has the format version ",
          found, ", but this m2u reads version ", shard::version);
  expects(dataset.text("checksum") == shard::dataset_checksum(json, name), name,
          ": the checksum is wrong; the file was altered");
  std::vector<ColumnSpec> columns;
  std::vector<TablePart> parts;
  for (auto const& listed : dataset.array("shards")) {
    JsonObject const entry(listed, name + ", shards[" + std::to_string(parts.size()) + "]");
    auto const shard_name = entry.text("file");
    expects(std::filesystem::path(shard_name).filename() == shard_name && shard_name != "..",
            entry.what(), ": \"", shard_name, "\" is not a file's name");
    auto shard = open_shard(folder / shard_name, options);
    expects(entry.text("checksum") == hex_text(shard.checksum) &&
                entry.integer("rows") == shard.part.rows,
            (folder / shard_name).string(), " is not the shard that ", name,
            " lists: it was exchanged or written anew");
    expects(parts.empty() || shard.columns == columns, (folder / shard_name).string(),
            ": the columns differ from those of the shards before");
    columns = std::move(shard.columns);
    parts.push_back(std::move(shard.part));
  }
  Table table(std::move(columns), std::move(parts),
              json_text(dataset.field("metadata"), name + ", metadata"));
  expects(dataset.integer("rows") == table.size(), name, " lists ", dataset.integer("rows"),
          " rows, but its shards have ", table.size());
  return table;
}

}  // namespace m2u
