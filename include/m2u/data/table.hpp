// SPDX-License-Identifier: Apache-2.0
/// @file
/// A table of ragged columns, in memory or mapped from files.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// What a column holds: 32-bit integers, 32-bit floats, or bytes (text, flags).
enum class ColumnType : std::uint32_t { i32 = 0, f32 = 1, bytes = 2 };

/// The C++ types of columns.
template <class T>
concept ColumnValue = std::same_as<T, int> || std::same_as<T, float> || std::same_as<T, char>;

template <ColumnValue T>
inline constexpr ColumnType column_type_of = std::same_as<T, int>     ? ColumnType::i32
                                             : std::same_as<T, float> ? ColumnType::f32
                                                                      : ColumnType::bytes;

/// The type's name in files and messages.
constexpr char const* name_of(ColumnType type) {
  return type == ColumnType::i32 ? "i32" : type == ColumnType::f32 ? "f32" : "bytes";
}

/// Bytes of one value.
constexpr std::size_t size_of(ColumnType type) { return type == ColumnType::bytes ? 1 : 4; }

/// A column's description. A row of the table holds any number of items of `width` values each.
struct ColumnSpec {
  std::string name;
  ColumnType type = ColumnType::i32;
  int width = 1;
  friend bool operator==(ColumnSpec const&, ColumnSpec const&) = default;
  friend std::ostream& operator<<(std::ostream& out, ColumnSpec const& spec) {
    return out << '"' << spec.name << "\" (" << name_of(spec.type) << ", width " << spec.width
               << ')';
  }
};

/// One column over some consecutive rows, in someone else's memory.
struct ColumnChunk {
  std::uint64_t const* offsets = nullptr;  ///< [rows + 1], in items, starts at 0
  std::byte const* data = nullptr;         ///< [items, width]
  std::uint64_t items = 0;
};

/// Consecutive rows of a table, and the owner of their memory.
struct TablePart {
  int rows = 0;
  std::vector<ColumnChunk> chunks;  ///< one per column
  std::shared_ptr<void const> owner;
};

/// What tables and their columns share.
struct TableState {
  std::vector<ColumnSpec> columns;
  std::vector<TablePart> parts;
  std::vector<int> first_rows;  ///< [parts + 1]
  std::string metadata;
};

/// A column seen as values of type T. It keeps the table's memory alive.
template <ColumnValue T>
class Column {
 public:
  Column() = default;
  Column(std::shared_ptr<TableState const> state, std::size_t index)
      : state_(std::move(state)), index_(index) {}

  std::string const& name() const { return spec().name; }
  /// Values per item.
  int width() const { return spec().width; }
  int size() const { return state_->first_rows.back(); }

  /// The values of a row: items × width.
  /// @throws Error if there is no such row, or the offsets of a file that was opened without
  ///   verification are wrong.
  std::span<T const> operator[](int row) const {
    auto const& firsts = state_->first_rows;
    expects(row >= 0 && row < firsts.back(), "column \"", name(), "\": there is no row ", row,
            " in a table of ", firsts.back());
    auto const after = std::upper_bound(firsts.begin(), firsts.end(), row);
    auto const part = static_cast<std::size_t>(after - firsts.begin()) - 1;
    auto const& chunk = state_->parts[part].chunks[index_];
    auto const local = static_cast<std::size_t>(row - firsts[part]);
    auto const begin = chunk.offsets[local];
    auto const end = chunk.offsets[local + 1];
    expects(begin <= end && end <= chunk.items, "column \"", name(), "\", row ", row,
            ": the offsets are damaged (", begin, " … ", end, " of ", chunk.items, " items)");
    auto const values = static_cast<std::size_t>(width());
    return {reinterpret_cast<T const*>(chunk.data) + begin * values,
            static_cast<std::size_t>(end - begin) * values};
  }

 private:
  ColumnSpec const& spec() const { return state_->columns[index_]; }

  std::shared_ptr<TableState const> state_;
  std::size_t index_ = 0;
};

/// Rows × named columns. Cheap to copy: copies share the memory.
class Table {
 public:
  Table() : Table({}, {}, "{}") {}

  /// Joins parts into a table. @param metadata JSON text of the user's.
  /// @throws Error if there are more than 2^31 - 1 rows.
  Table(std::vector<ColumnSpec> columns, std::vector<TablePart> parts, std::string metadata) {
    std::vector<int> first_rows{0};
    for (auto const& part : parts) {
      expects(part.rows <= std::numeric_limits<int>::max() - first_rows.back(),
              "Table: more than 2^31 - 1 rows");
      first_rows.push_back(first_rows.back() + part.rows);
    }
    state_ = std::make_shared<TableState const>(TableState{
        std::move(columns), std::move(parts), std::move(first_rows), std::move(metadata)});
  }

  int size() const { return state_->first_rows.back(); }
  std::string const& metadata() const { return state_->metadata; }
  std::vector<ColumnSpec> const& columns() const { return state_->columns; }
  std::vector<TablePart> const& parts() const { return state_->parts; }

  bool has(std::string_view name) const { return find(name) < columns().size(); }

  /// A column as values of type T (int, float, or char for bytes).
  /// @throws Error listing the columns if it is missing or of another type.
  template <ColumnValue T>
  Column<T> column(std::string_view name) const {
    auto const index = find(name);
    expects(index < columns().size(), "the table has no column \"", name, "\"; it has ", listing());
    expects(columns()[index].type == column_type_of<T>, "the column \"", name, "\" holds ",
            name_of(columns()[index].type), ", but it was asked for as ",
            name_of(column_type_of<T>), "; the columns are ", listing());
    return {state_, index};
  }

  /// The bytes of a row as text.
  std::string_view text(std::string_view name, int row) const {
    auto const bytes = column<char>(name)[row];
    return {bytes.data(), bytes.size()};
  }

  /// The same rows with other metadata.
  Table with_metadata(std::string metadata) const {
    return {columns(), parts(), std::move(metadata)};
  }

 private:
  std::size_t find(std::string_view name) const {
    auto const found = std::find_if(columns().begin(), columns().end(),
                                    [&](ColumnSpec const& spec) { return spec.name == name; });
    return static_cast<std::size_t>(found - columns().begin());
  }
  std::string listing() const {
    std::ostringstream text;
    for (std::size_t i = 0; i < columns().size(); ++i) {
      text << (i == 0 ? "" : ", ") << columns()[i];
    }
    return columns().empty() ? "no columns" : text.str();
  }

  std::shared_ptr<TableState const> state_;
};

/// Makes a table in memory, row by row:
/// `set` any of the columns, then `end_row`; columns that were not set hold no items in that row.
class TableBuilder {
 public:
  /// Adds a column; all before the first row. @return its number for `set`.
  /// @throws Error if the name is empty or taken, or the width is not positive.
  template <ColumnValue T>
  int add_column(std::string name, int width = 1) {
    expects(rows_ == 0 && !in_row_, "TableBuilder: the column \"", name,
            "\" is added after the first row");
    expects(!name.empty(), "TableBuilder: a column needs a name");
    expects(find(name) == columns_.size(), "TableBuilder: there is already a column \"", name, '"');
    expects(width > 0, "TableBuilder: the column \"", name, "\" has the width ", width);
    columns_.push_back({std::move(name), column_type_of<T>, width});
    storage_->emplace_back();
    return static_cast<int>(columns_.size()) - 1;
  }

  /// Number of a column. @throws Error if it is missing.
  int column(std::string_view name) const {
    auto const index = find(name);
    expects(index < columns_.size(), "TableBuilder: there is no column \"", name, '"');
    return static_cast<int>(index);
  }

  /// Sets a column in the row that is being made: any number of items, each of the column's width.
  /// @throws Error if the type is another, the size is no multiple of the width, or it is set
  /// twice.
  template <ColumnValue T>
  void set(int column, std::span<T const> values) {
    expects(column >= 0 && column < static_cast<int>(columns_.size()),
            "TableBuilder: there is no column number ", column);
    auto const index = static_cast<std::size_t>(column);
    auto const& spec = columns_[index];
    auto& stored = (*storage_)[index];
    expects(spec.type == column_type_of<T>, "TableBuilder: the column ", spec, " was given ",
            name_of(column_type_of<T>));
    expects(values.size() % static_cast<std::size_t>(spec.width) == 0, "TableBuilder: the column ",
            spec, " was given ", values.size(), " values, which is no multiple of its width");
    expects(stored.offsets.size() == static_cast<std::size_t>(rows_) + 1,
            "TableBuilder: the column ", spec, " is set twice in row ", rows_);
    auto const bytes = std::as_bytes(values);
    stored.data.insert(stored.data.end(), bytes.begin(), bytes.end());
    stored.offsets.push_back(stored.offsets.back() +
                             values.size() / static_cast<std::size_t>(spec.width));
    in_row_ = true;
  }
  template <ColumnValue T>
  void set(std::string_view name, std::span<T const> values) {
    set<T>(column(name), values);
  }
  void set_text(int column, std::string_view text) {
    set<char>(column, std::span<char const>(text.data(), text.size()));
  }
  void set_text(std::string_view name, std::string_view text) { set_text(column(name), text); }

  /// Finishes the row.
  void end_row() {
    expects(rows_ < std::numeric_limits<int>::max(), "TableBuilder: more than 2^31 - 1 rows");
    ++rows_;
    for (auto& stored : *storage_) {
      stored.offsets.resize(static_cast<std::size_t>(rows_) + 1, stored.offsets.back());
    }
    in_row_ = false;
  }

  int rows() const { return rows_; }

  /// The table. The builder keeps its columns and starts again without rows.
  /// @throws Error if the last row was not ended.
  Table finish(std::string metadata = "{}") {
    expects(!in_row_, "TableBuilder: row ", rows_, " was begun, but not ended");
    TablePart part{std::exchange(rows_, 0), {}, storage_};
    for (auto const& stored : *storage_) {
      part.chunks.push_back({stored.offsets.data(), stored.data.data(), stored.offsets.back()});
    }
    storage_ = std::make_shared<std::vector<Storage>>(columns_.size());
    return {columns_, {std::move(part)}, std::move(metadata)};
  }

 private:
  struct Storage {
    std::vector<std::uint64_t> offsets{0};
    std::vector<std::byte> data;  // operator new aligns it for every column type
  };

  std::size_t find(std::string_view name) const {
    std::size_t i = 0;
    while (i < columns_.size() && columns_[i].name != name) {
      ++i;
    }
    return i;
  }

  std::vector<ColumnSpec> columns_;
  std::shared_ptr<std::vector<Storage>> storage_ = std::make_shared<std::vector<Storage>>();
  int rows_ = 0;
  bool in_row_ = false;
};

}  // namespace m2u
