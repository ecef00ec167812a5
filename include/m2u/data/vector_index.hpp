// SPDX-License-Identifier: Apache-2.0
/// @file
/// An index for retrieval: a table with vectors of its rows in one or more spaces, in memory or
/// mapped from shards, searched where it lies.
///
/// A space s has the columns s.vector (f32, of the space's width) and s.length (f32): one item each
/// in the rows that have a vector there, none in the others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/data/table.hpp"
#include "m2u/retrieve/top_k.hpp"

namespace m2u {

/// Adds a space's columns to a table that is being made, and its vectors to the rows.
class VectorColumns {
 public:
  /// @throws Error if the builder has rows or such columns, or the width is not positive.
  VectorColumns(TableBuilder& builder, std::string const& space, int width)
      : vector_(builder.add_column<float>(space + ".vector", width)),
        length_(builder.add_column<float>(space + ".length")),
        space_(space) {}

  /// The lengths that go with vectors. @throws Error naming the row if one is not finite.
  std::vector<float> lengths(Matrix<float, Host> const& vectors) const {
    Host const space;
    auto const what = "the vectors \"" + space_ + "\":";
    return to_host(space, SearchRows<Host>(space, vectors, what.c_str()).lengths());
  }
  /// Sets the vector of the row that is being made.
  void set(TableBuilder& builder, std::span<float const> vector, float length) const {
    builder.set<float>(vector_, vector);
    builder.set<float>(length_, std::span(&length, 1));
  }

 private:
  int vector_;
  int length_;
  std::string space_;
};

/// A table's vectors, ready for searching. Cheap to copy: copies share the memory.
class VectorIndex {
 public:
  /// Looks at the offsets of the vectors' columns, not at the vectors.
  /// @param name of the index in messages
  /// @throws Error if columns do not belong together or their offsets are damaged.
  VectorIndex(Table table, std::string name) : table_(std::move(table)), name_(std::move(name)) {
    auto const& columns = table_.columns();
    constexpr std::string_view ending = ".vector";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name.ends_with(ending)) {
        spaces_.push_back(
            read_space(columns[i].name.substr(0, columns[i].name.size() - ending.size()), i));
      }
    }
    expects(!spaces_.empty(), name_, " is not an index: it has no vectors");
  }

  Table const& table() const { return table_; }
  std::string const& name() const { return name_; }
  /// Names of all spaces, in the order of their columns.
  std::vector<std::string> spaces() const {
    std::vector<std::string> names;
    for (auto const& space : spaces_) {
      names.push_back(space.name);
    }
    return names;
  }
  bool has(std::string_view space) const { return find(space) < spaces_.size(); }
  /// Numbers per vector. @throws Error if there is no such space.
  int width(std::string_view space) const { return get(space).width; }
  /// Rows that have a vector there. @throws Error if there is no such space.
  int size(std::string_view space) const { return static_cast<int>(get(space).rows); }

  /// A row's vector; empty if it has none there. @throws Error if there is no such row or space.
  std::span<float const> vector(std::string_view space, int row) const {
    return table_.column<float>(get(space).name + ".vector")[row];
  }

  /// The blocks of a space, in the order of the rows, for other ways of searching.
  std::span<SearchRows<Host> const> blocks(std::string_view space) const {
    return get(space).blocks;
  }
  /// The table's row of a vector of blocks, counted through. @throws Error if there is none.
  int row_of(std::string_view space, int item) const { return row_of(get(space), item); }

  /// The k nearest rows of the table that have a vector in a space, as `nearest` finds them.
  /// @param queries [n, width]
  /// @throws Error as `nearest` does, or if there is no such space.
  std::vector<std::vector<Neighbour>> search(Host const& host, std::string_view space,
                                             Matrix<float, Host> const& queries, int k,
                                             Metric metric = Metric::cosine) const {
    auto const& found = get(space);
    auto result =
        nearest(host, queries, std::span<SearchRows<Host> const>(found.blocks), k, metric);
    for (auto& neighbours : result) {
      for (auto& neighbour : neighbours) {
        neighbour.row = row_of(found, neighbour.row);
      }
    }
    return result;
  }

  /// Some rows in the order of their exact scores, at most k: for what another search found.
  /// @param query [1, width]  @throws Error if a row has no vector there, or the shapes do not fit.
  std::vector<Neighbour> rank(std::string_view space, Matrix<float, Host> const& query,
                              std::span<int const> rows, int k, Metric metric) const {
    expects(query.extent(0) == 1 && query.extent_int(1) == width(space), name_, ": a query ",
            shape(query), " does not fit vectors of ", width(space), " numbers");
    kernels::ExactScore const score{metric == Metric::euclidean, width(space)};
    std::vector<Neighbour> result;
    for (int const row : rows) {
      auto const values = vector(space, row);
      expects(!values.empty(), name_, ": row ", row, " has no vector \"", space, '"');
      result.push_back({row, score(query.data(), values.data())});
    }
    std::sort(result.begin(), result.end(), detail::Nearer{metric});
    result.resize(std::min(result.size(), static_cast<std::size_t>(std::max(0, k))));
    return result;
  }

 private:
  struct Space {
    std::string name;
    int width = 0;
    std::int64_t rows = 0;
    std::vector<SearchRows<Host>> blocks;
    std::vector<int> numbers;  // the table's row of each vector; empty if all rows have one
  };

  Space read_space(std::string name, std::size_t vectors) {
    auto const length_name = name + ".length";
    auto const& columns = table_.columns();
    std::size_t lengths = 0;
    while (lengths < columns.size() && columns[lengths].name != length_name) {
      ++lengths;
    }
    expects(lengths < columns.size() && columns[lengths].type == ColumnType::f32 &&
                columns[lengths].width == 1 && columns[vectors].type == ColumnType::f32,
            name_, " is damaged: the space \"", name, "\" needs the columns \"", name,
            ".vector\" and \"", length_name, "\" (width 1) of f32");
    Space space{std::move(name), columns[vectors].width, 0, {}, {}};
    int first = 0;
    for (auto const& part : table_.parts()) {
      add_block(space, part, part.chunks[vectors], part.chunks[lengths], first);
      first += part.rows;
    }
    if (space.rows == first) {
      space.numbers = {};
    }
    return space;
  }

  void add_block(Space& space, TablePart const& part, ColumnChunk const& vectors,
                 ColumnChunk const& lengths, int first) const {
    auto const rows = static_cast<std::size_t>(part.rows);
    bool fits = vectors.offsets[0] == 0 && vectors.offsets[rows] == vectors.items;
    for (std::size_t row = 0; row < rows && fits; ++row) {
      auto const begin = vectors.offsets[row];
      auto const end = vectors.offsets[row + 1];
      fits = (end == begin || end == begin + 1) && lengths.offsets[row + 1] == end;
      if (end == begin + 1) {
        space.numbers.push_back(first + static_cast<int>(row));
      }
    }
    expects(fits && lengths.offsets[0] == 0 && lengths.items == vectors.items, name_,
            " is damaged: the offsets of the space \"", space.name, "\" from row ", first,
            " on are not those of one vector and one length per row, or none");
    auto const count = static_cast<std::size_t>(vectors.items);
    // Searching only reads: the views are not const because those of other libraries are not.
    auto* const values = const_cast<float*>(reinterpret_cast<float const*>(vectors.data));
    auto* const known = const_cast<float*>(reinterpret_cast<float const*>(lengths.data));
    space.blocks.emplace_back(
        Matrix<float, Host>(values, count, static_cast<std::size_t>(space.width)),
        Vector<float, Host>(known, count));
    space.rows += static_cast<std::int64_t>(count);
  }

  int row_of(Space const& space, int item) const {
    expects(item >= 0 && item < space.rows, name_, ": there is no vector ", item,
            " in the space \"", space.name, '"');
    return space.numbers.empty() ? item : space.numbers[static_cast<std::size_t>(item)];
  }

  std::size_t find(std::string_view space) const {
    std::size_t i = 0;
    while (i < spaces_.size() && spaces_[i].name != space) {
      ++i;
    }
    return i;
  }
  Space const& get(std::string_view space) const {
    auto const index = find(space);
    if (index == spaces_.size()) {
      std::string known;
      for (auto const& other : spaces_) {
        known += (known.empty() ? "\"" : ", \"") + other.name + '"';
      }
      fail(name_, " has no vectors \"", space, "\"; it has ", known);
    }
    return spaces_[index];
  }

  Table table_;
  std::string name_;
  std::vector<Space> spaces_;
};

}  // namespace m2u
