// SPDX-License-Identifier: Apache-2.0
/// @file
/// A table with modalities as the data set of a training run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "m2u/data/modalities.hpp"
#include "m2u/data/table.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

namespace detail {

/// A column that must have the width that its modality asks for.
template <ColumnValue T>
Column<T> column_of(Table const& table, std::string const& name, int width) {
  auto result = table.column<T>(name);
  expects(result.width() == width, "the column \"", name, "\" has the width ", result.width(),
          ", but its modality needs ", width);
  return result;
}

/// The columns of one modality, looked up once. `rows` are table rows that have the modality.
struct GraphColumnsOfTable {
  GraphModality spec;
  Column<int> node_features, source, target, edge_features;
  Column<float> encoding;

  GraphColumnsOfTable(Table const& table, GraphModality modality) : spec(std::move(modality)) {
    auto const m = spec.name + '.';
    node_features = column_of<int>(table, m + "node_features", spec.columns().node_features);
    source = column_of<int>(table, m + "source", 1);
    target = column_of<int>(table, m + "target", 1);
    if (spec.encoding > 0) {
      encoding = column_of<float>(table, m + "encoding", spec.encoding);
    }
    if (!spec.edge_vocabularies.empty()) {
      edge_features = column_of<int>(table, m + "edge_features", spec.columns().edge_features);
    }
  }

  GraphView view(int row) const {
    auto const features = node_features[row];
    return {static_cast<int>(features.size() / spec.node_vocabularies.size()),
            features,
            spec.encoding > 0 ? encoding[row] : std::span<float const>{},
            source[row],
            target[row],
            spec.edge_vocabularies.empty() ? std::span<int const>{} : edge_features[row]};
  }

  GraphBatch<Host> batch(std::span<int const> rows, auto const& what) const {
    std::vector<GraphView> views;
    for (int const row : rows) {
      views.push_back(view(row));
      check_modality(spec, views.back(), what(row));
    }
    return make_graph_batch(views, spec.columns());
  }
};

struct ConformerColumns {
  ConformerModality spec;
  Column<int> atomic_numbers, source, target;
  Column<float> positions;

  ConformerColumns(Table const& table, ConformerModality modality) : spec(std::move(modality)) {
    auto const m = spec.name + '.';
    atomic_numbers = column_of<int>(table, m + "atomic_numbers", 1);
    positions = column_of<float>(table, m + "positions", 3);
    source = column_of<int>(table, m + "source", 1);
    target = column_of<int>(table, m + "target", 1);
  }

  ConformerBatch<Host> batch(std::span<int const> rows, auto const& what) const {
    std::vector<ConformerView> views;
    for (int const row : rows) {
      views.push_back({atomic_numbers[row], positions[row], source[row], target[row]});
      check_modality(spec, views.back(), what(row));
    }
    return make_conformer_batch(views);
  }
};

struct SparseColumns {
  SparseModality spec;
  std::vector<std::pair<Column<int>, Column<float>>> vocabularies;

  SparseColumns(Table const& table, SparseModality modality) : spec(std::move(modality)) {
    for (std::size_t v = 0; v < spec.widths.size(); ++v) {
      auto const m = spec.name + '.' + std::to_string(v);
      auto columns = column_of<int>(table, m + ".columns", 1);
      vocabularies.emplace_back(std::move(columns), column_of<float>(table, m + ".weights", 1));
    }
  }

  SparseBatch<Host> batch(std::span<int const> rows, auto const& what) const {
    std::vector<std::vector<int>> lengths(spec.widths.size());
    std::vector<SparseRow> joined(spec.widths.size());
    std::vector<SparseRowView> views(spec.widths.size());
    for (int const row : rows) {
      for (std::size_t v = 0; v < views.size(); ++v) {
        views[v] = {vocabularies[v].first[row], vocabularies[v].second[row]};
      }
      check_modality(spec, views, what(row));
      for (std::size_t v = 0; v < views.size(); ++v) {
        auto const& [columns, weights] = views[v];
        lengths[v].push_back(static_cast<int>(columns.size()));
        joined[v].columns.insert(joined[v].columns.end(), columns.begin(), columns.end());
        joined[v].weights.insert(joined[v].weights.end(), weights.begin(), weights.end());
        joined[v].weights.resize(joined[v].columns.size(), 1.0F);
      }
    }
    SparseBatch<Host> result;
    for (std::size_t v = 0; v < views.size(); ++v) {
      result.vocabularies.push_back(
          make_sparse_rows(lengths[v], joined[v].columns, joined[v].weights, spec.widths[v]));
    }
    return result;
  }
};

struct DenseColumns {
  DenseModality spec;
  Column<float> values;

  DenseColumns(Table const& table, DenseModality modality)
      : spec(std::move(modality)),
        values(column_of<float>(table, spec.name + ".values", spec.width)) {}

  DenseBatch<Host> batch(std::span<int const> rows, auto const& what) const {
    std::vector<float> joined;
    for (int const row : rows) {
      auto const cell = values[row];
      check_modality(spec, cell, what(row));
      joined.insert(joined.end(), cell.begin(), cell.end());
    }
    return {host_matrix("m2u::data::dense", static_cast<int>(rows.size()), spec.width, joined)};
  }
};

}  // namespace detail

/// A data set whose samples are the rows of a table (in memory or mapped) with the modalities that
/// its metadata describes: see modalities.hpp. Cheap to copy: copies share the table.
class TableDataset {
 public:
  /// @param use the modalities' names to use, in this order; none given: all that there are.
  /// @throws Error if one is unknown, or the table lacks a column or has it with another type or
  /// width.
  explicit TableDataset(Table table, std::vector<std::string> const& use = {})
      : table_(std::move(table)) {
    auto const all = read_modalities(table_.metadata());
    expects(!all.empty(), "TableDataset: the table's metadata describes no modalities");
    if (use.empty()) {
      for (auto const& spec : all) {
        add(spec);
      }
    }
    for (auto const& name : use) {
      auto const found = std::find_if(all.begin(), all.end(),
                                      [&](auto const& spec) { return name_of(spec) == name; });
      expects(found != all.end(), "TableDataset: there is no modality \"", name, "\"; there are ",
              listing(all));
      add(*found);
    }
  }

  int size() const { return table_.size(); }
  Table const& table() const { return table_; }

  /// The modalities in use.
  std::vector<ModalitySpec> const& modalities() const { return specs_; }

  /// Whether a row has a modality. @throws Error if the modality is not in use or there is no such
  /// row.
  bool present(std::string_view modality, int row) const {
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      if (name_of(specs_[i]) == modality) {
        return present(parts_[i], row);
      }
    }
    fail("TableDataset: there is no modality \"", modality, "\" in use; there are ",
         listing(specs_));
  }

  /// Joins rows into a batch; a modality that none of them has is left out. Launches nothing, so
  /// that several threads may call it at once.
  /// @throws Error naming row and modality if a cell is malformed.
  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    HostBatch<S> result(std::vector<int>(ids.begin(), ids.end()));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      std::vector<int> positions;
      std::vector<int> rows;
      for (std::size_t k = 0; k < ids.size(); ++k) {
        if (present(parts_[i], ids[k])) {
          positions.push_back(static_cast<int>(k));
          rows.push_back(ids[k]);
        }
      }
      if (rows.empty()) {
        continue;
      }
      auto const& name = name_of(specs_[i]);
      auto const what = [&](int row) {
        return "row " + std::to_string(row) + ", modality \"" + name + "\"";
      };
      std::visit(
          [&](auto const& columns) { result.add(name, positions, columns.batch(rows, what)); },
          parts_[i].columns);
    }
    return result;
  }

 private:
  struct Part {
    Column<char> present;
    std::variant<detail::GraphColumnsOfTable, detail::ConformerColumns, detail::SparseColumns,
                 detail::DenseColumns>
        columns;
  };

  void add(ModalitySpec const& spec) {
    auto present = table_.column<char>(name_of(spec) + ".present");
    if (auto const* const graph = std::get_if<GraphModality>(&spec)) {
      parts_.push_back({std::move(present), detail::GraphColumnsOfTable(table_, *graph)});
    } else if (auto const* const conformer = std::get_if<ConformerModality>(&spec)) {
      parts_.push_back({std::move(present), detail::ConformerColumns(table_, *conformer)});
    } else if (auto const* const sparse = std::get_if<SparseModality>(&spec)) {
      parts_.push_back({std::move(present), detail::SparseColumns(table_, *sparse)});
    } else {
      parts_.push_back(
          {std::move(present), detail::DenseColumns(table_, std::get<DenseModality>(spec))});
    }
    specs_.push_back(spec);
  }

  static bool present(Part const& part, int row) {
    auto const flags = part.present[row];
    expects(flags.size() <= 1 && (flags.empty() || flags[0] == 0 || flags[0] == 1), "row ", row,
            ": the column \"", part.present.name(), "\" should hold one byte, 0 or 1");
    return !flags.empty() && flags[0] == 1;
  }

  static std::string listing(std::vector<ModalitySpec> const& specs) {
    std::string text;
    for (auto const& spec : specs) {
      text += (text.empty() ? "\"" : ", \"") + name_of(spec) + '"';
    }
    return text;
  }

  Table table_;
  std::vector<ModalitySpec> specs_;
  std::vector<Part> parts_;
};

}  // namespace m2u
