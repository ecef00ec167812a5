// SPDX-License-Identifier: Apache-2.0
/// @file
/// One shard: a file that holds some rows of a table, made for mapping.
///
/// | bytes    | content                                                                       |
/// |----------|-------------------------------------------------------------------------------|
/// | 0 – 7    | "M2USHARD"                                                                    |
/// | 8 – 15   | format version                                                                |
/// | 16 – 23  | rows                                                                          |
/// | 24 – 31  | bytes of the manifest                                                         |
/// | 32 – 39  | bytes of the file                                                             |
/// | 40 – 47  | checksum of the manifest                                                      |
/// | 48 – 55  | zero                                                                          |
/// | 56 – 63  | checksum of bytes 0 – 55                                                      |
/// | 64 –     | manifest: JSON with each column's name, type, width, items and checksums      |
/// |          | per column, each from a multiple of 64: offsets (u64, rows + 1), then values  |
///
/// Numbers are little-endian u64. The header's checksum covers the manifest's, which covers the
/// data's: it stands for the whole file.
#pragma once

#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "m2u/core/file.hpp"
#include "m2u/data/json_object.hpp"
#include "m2u/data/table.hpp"

namespace m2u {

static_assert(std::endian::native == std::endian::little,
              "shards are mapped as they are, so they need a little-endian machine");

/// How shards are opened.
struct OpenOptions {
  /// Read all data once and compare its checksums. Without it, header and manifest are still
  /// checked, and damaged offsets are found when a row is read, but damaged values are not.
  bool verify = true;
};

/// 16 hexadecimal digits: how 64-bit checksums are put into JSON.
inline std::string hex_text(std::uint64_t value) {
  constexpr char const* digits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) {
    text[i] = digits[value & 15U];
  }
  return text;
}

namespace shard {

inline constexpr std::size_t header_size = 64;
inline constexpr std::uint64_t version = 1;
inline constexpr std::uint64_t magic = 0x44524148'5355324D;  // "M2USHARD"

struct Header {
  std::uint64_t magic = shard::magic;
  std::uint64_t version = shard::version;
  std::uint64_t rows = 0;
  std::uint64_t manifest_size = 0;
  std::uint64_t file_size = 0;
  std::uint64_t manifest_checksum = 0;
  std::uint64_t reserved = 0;
  std::uint64_t checksum = 0;
};
static_assert(sizeof(Header) == header_size);

constexpr std::uint64_t aligned(std::uint64_t size) { return (size + 63U) / 64U * 64U; }

/// Checksum of the header's other fields.
inline std::uint64_t header_checksum(Header const& header) {
  return m2u::checksum(std::as_bytes(std::span(&header, 1)).first(header_size - 8));
}

/// The cells of some rows of one column, gathered.
struct Gathered {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::byte> data;
};

template <ColumnValue T>
Gathered gather(Table const& table, std::string const& name, int first, int count) {
  auto const column = table.column<T>(name);
  Gathered result;
  for (int row = first; row < first + count; ++row) {
    auto const values = column[row];
    auto const bytes = std::as_bytes(values);
    result.data.insert(result.data.end(), bytes.begin(), bytes.end());
    result.offsets.push_back(result.offsets.back() +
                             values.size() / static_cast<std::size_t>(column.width()));
  }
  return result;
}

inline Gathered gather(Table const& table, ColumnSpec const& spec, int first, int count) {
  switch (spec.type) {
    case ColumnType::i32:
      return gather<int>(table, spec.name, first, count);
    case ColumnType::f32:
      return gather<float>(table, spec.name, first, count);
    default:
      return gather<char>(table, spec.name, first, count);
  }
}

}  // namespace shard

/// Writes rows first … first + count - 1 of a table as one shard, atomically.
/// @return the header's checksum, which stands for the whole file.
/// @throws Error naming the file if it can't be written.
inline std::uint64_t write_shard(std::filesystem::path const& path, Table const& table, int first,
                                 int count) {
  nlohmann::json columns = nlohmann::json::array();
  std::vector<shard::Gathered> cells;
  std::uint64_t data_size = 0;
  for (auto const& spec : table.columns()) {
    auto const& column = cells.emplace_back(shard::gather(table, spec, first, count));
    auto const offsets = std::as_bytes(std::span(column.offsets));
    columns.push_back({{"name", spec.name},
                       {"type", name_of(spec.type)},
                       {"width", spec.width},
                       {"items", column.offsets.back()},
                       {"offsets_checksum", hex_text(checksum(offsets))},
                       {"data_checksum", hex_text(checksum(column.data))}});
    data_size += shard::aligned(offsets.size()) + shard::aligned(column.data.size());
  }
  auto const manifest = json_text({{"columns", columns}}, path.string() + ": the manifest");
  shard::Header header;
  header.rows = static_cast<std::uint64_t>(count);
  header.manifest_size = manifest.size();
  header.file_size = shard::header_size + shard::aligned(manifest.size()) + data_size;
  header.manifest_checksum = checksum(std::as_bytes(std::span(manifest.data(), manifest.size())));
  header.checksum = shard::header_checksum(header);

  AtomicFile file(path);
  auto const write = [&](std::span<std::byte const> bytes) {
    static constexpr std::byte padding[64] = {};
    file.write(bytes);
    file.write(std::span(padding).first(shard::aligned(bytes.size()) - bytes.size()));
  };
  write(std::as_bytes(std::span(&header, 1)));
  write(std::as_bytes(std::span(manifest.data(), manifest.size())));
  for (auto const& column : cells) {
    write(std::as_bytes(std::span(column.offsets)));
    write(column.data);
  }
  file.commit();
  return header.checksum;
}

/// What one shard holds.
struct Shard {
  std::vector<ColumnSpec> columns;
  TablePart part;
  std::uint64_t checksum = 0;  ///< the header's
};

namespace shard {

/// Header and manifest bytes, checked.
inline Header read_header(std::span<std::byte const> bytes, std::string const& name) {
  expects(bytes.size() >= header_size, name, ", offset 0: the file has ", bytes.size(),
          " bytes, too few for a shard's header of ", header_size, "; it is cut off");
  Header header;
  std::memcpy(&header, bytes.data(), header_size);
  expects(header.magic == magic, name, ", offset 0: this is not an m2u shard");
  expects(header.version == version, name, ", offset 8: the shard has the format version ",
          header.version, ", but this m2u reads version ", version);
  expects(header.checksum == header_checksum(header), name,
          ", offset 56: the header's checksum is wrong; the file is damaged");
  expects(header.file_size == bytes.size(), name, ", offset 32: the shard should have ",
          header.file_size, " bytes, but the file has ", bytes.size(),
          header.file_size > bytes.size() ? "; it is cut off" : "");
  expects(header.manifest_size <= bytes.size() - header_size, name, ", offset 24: a manifest of ",
          header.manifest_size, " bytes does not fit the file");
  expects(header.rows < static_cast<std::uint64_t>(std::numeric_limits<int>::max()), name,
          ", offset 16: ", header.rows, " rows are too many");
  expects(
      header.manifest_checksum == m2u::checksum(bytes.subspan(header_size, header.manifest_size)),
      name, ", offset 64: the manifest's checksum is wrong; the file is damaged");
  return header;
}

inline ColumnSpec read_column_spec(JsonObject const& entry) {
  auto const type = entry.text("type");
  expects(type == "i32" || type == "f32" || type == "bytes", entry.what(), ": unknown type \"",
          type, '"');
  return {entry.text("name"),
          type == "i32"   ? ColumnType::i32
          : type == "f32" ? ColumnType::f32
                          : ColumnType::bytes,
          static_cast<int>(entry.integer("width", 1, std::numeric_limits<int>::max()))};
}

/// Takes consecutive blocks from a file.
class Cursor {
 public:
  Cursor(std::span<std::byte const> bytes, std::uint64_t at, std::string name)
      : bytes_(bytes), at_(at), name_(std::move(name)) {}

  std::uint64_t position() const { return at_; }

  /// `count` × `size` bytes, aligned. @throws Error if the file has fewer.
  std::span<std::byte const> take(std::uint64_t count, std::uint64_t size,
                                  std::string const& what) {
    auto const left = bytes_.size() - at_;
    expects(count <= left / size, name_, ", offset ", at_, ": ", what, " needs ", count, " × ",
            size, " bytes, but only ", left, " are left");
    auto const result = bytes_.subspan(at_, count * size);
    at_ += std::min(aligned(count * size), left);
    return result;
  }

 private:
  std::span<std::byte const> bytes_;
  std::uint64_t at_;
  std::string name_;
};

inline void check_offsets(std::span<std::uint64_t const> offsets, std::uint64_t items,
                          std::uint64_t at, std::string const& what) {
  expects(offsets.front() == 0, what, ", offset ", at, ": the first offset is ", offsets.front(),
          ", not 0");
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    expects(offsets[i - 1] <= offsets[i], what, ", offset ", at + 8 * i, ": the offsets fall from ",
            offsets[i - 1], " to ", offsets[i], " at row ", i - 1);
  }
  expects(offsets.back() == items, what, ", offset ", at + 8 * (offsets.size() - 1),
          ": the last offset is ", offsets.back(), ", but the column has ", items, " items");
}

inline ColumnChunk read_chunk(Cursor& cursor, JsonObject const& entry, ColumnSpec const& spec,
                              std::uint64_t rows, std::string const& name, bool verify) {
  auto const items = static_cast<std::uint64_t>(entry.integer("items"));
  auto const what = "the column \"" + spec.name + '"';
  auto const offsets_at = cursor.position();
  auto const offsets = cursor.take(rows + 1, 8, what);
  auto const data_at = cursor.position();
  auto const data =
      cursor.take(items, size_of(spec.type) * static_cast<std::uint64_t>(spec.width), what);
  ColumnChunk const chunk{reinterpret_cast<std::uint64_t const*>(offsets.data()), data.data(),
                          items};
  if (verify) {
    expects(entry.text("offsets_checksum") == hex_text(checksum(offsets)), name, ", offset ",
            offsets_at, ": the checksum of the offsets of ", what,
            " is wrong; the file is damaged");
    check_offsets({chunk.offsets, static_cast<std::size_t>(rows) + 1}, items, offsets_at,
                  name + ", " + what);
    expects(entry.text("data_checksum") == hex_text(checksum(data)), name, ", offset ", data_at,
            ": the checksum of ", what, " is wrong; the file is damaged");
  }
  return chunk;
}

}  // namespace shard

/// Maps a shard.
/// @throws Error naming the file and the offset if anything is wrong with it.
inline Shard open_shard(std::filesystem::path const& path, OpenOptions const& options = {}) {
  auto const file = std::make_shared<MappedFile const>(path);
  auto const bytes = file->bytes();
  auto const name = path.string();
  auto const header = shard::read_header(bytes, name);
  auto const* const text = reinterpret_cast<char const*>(bytes.data()) + shard::header_size;
  auto const what = name + ", offset 64: the manifest";
  auto const manifest = parse_json({text, header.manifest_size}, what);
  Shard result{{}, {static_cast<int>(header.rows), {}, file}, header.checksum};
  auto const data_at = shard::header_size + shard::aligned(header.manifest_size);
  expects(data_at <= bytes.size(), name, ", offset 64: the manifest is cut off");
  shard::Cursor cursor(bytes, data_at, name);
  JsonObject const object(manifest, what);
  for (auto const& column : object.array("columns")) {
    JsonObject const entry(column, what + ", column " + std::to_string(result.columns.size()));
    auto const spec = shard::read_column_spec(entry);
    result.part.chunks.push_back(
        shard::read_chunk(cursor, entry, spec, header.rows, name, options.verify));
    result.columns.push_back(spec);
  }
  expects(cursor.position() == bytes.size(), name, ", offset ", cursor.position(), ": ",
          bytes.size() - cursor.position(), " bytes belong to no column");
  return result;
}

}  // namespace m2u
