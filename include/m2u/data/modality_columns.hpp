// SPDX-License-Identifier: Apache-2.0
/// @file
/// The columns of a table's modalities, and the batches of some of its rows.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/core/config.hpp"
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
  Column<float> encoding, node_values, edge_values;

  GraphColumnsOfTable(Table const& table, GraphModality modality);

  GraphView view(int row) const;

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
  Column<float> positions, geometry;

  ConformerColumns(Table const& table, ConformerModality modality);

  ConformerBatch<Host> batch(std::span<int const> rows, auto const& what) const {
    std::vector<ConformerView> views;
    for (int const row : rows) {
      views.push_back(
          {atomic_numbers[row], positions[row], source[row], target[row],
           spec.geometry != EdgeGeometry::none ? geometry[row] : std::span<float const>{}});
      check_modality(spec, views.back(), what(row));
    }
    return make_conformer_batch(views);
  }
};

struct SparseColumns {
  SparseModality spec;
  std::vector<std::pair<Column<int>, Column<float>>> vocabularies;

  SparseColumns(Table const& table, SparseModality modality);

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

  DenseColumns(Table const& table, DenseModality modality);

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

}  // namespace m2u

#if M2U_DEFINES_CORE

namespace m2u {

namespace detail {

M2U_INLINE GraphColumnsOfTable::GraphColumnsOfTable(Table const& table, GraphModality modality)
    : spec(std::move(modality)) {
  auto const m = spec.name + '.';
  auto const read = [&]<class T>(Column<T>& column, char const* name, int width) {
    if (width > 0) {
      column = column_of<T>(table, m + name, width);
    }
  };
  auto const columns = spec.columns();
  read(node_features, "node_features", columns.node_features);
  read(node_values, "node_values", columns.node_values);
  read(encoding, "encoding", columns.encoding);
  read(edge_features, "edge_features", columns.edge_features);
  read(edge_values, "edge_values", columns.edge_values);
  source = column_of<int>(table, m + "source", 1);
  target = column_of<int>(table, m + "target", 1);
}

M2U_INLINE GraphView GraphColumnsOfTable::view(int row) const {
  auto const cell = [&]<class T>(Column<T> const& column, int width) {
    return width > 0 ? column[row] : std::span<T const>{};
  };
  auto const columns = spec.columns();
  auto const features = cell(node_features, columns.node_features);
  auto const values = cell(node_values, columns.node_values);
  auto const nodes = columns.node_features > 0
                         ? features.size() / static_cast<std::size_t>(columns.node_features)
                         : values.size() / static_cast<std::size_t>(columns.node_values);
  return {static_cast<int>(nodes),
          features,
          cell(encoding, columns.encoding),
          source[row],
          target[row],
          cell(edge_features, columns.edge_features),
          values,
          cell(edge_values, columns.edge_values)};
}

M2U_INLINE ConformerColumns::ConformerColumns(Table const& table, ConformerModality modality)
    : spec(std::move(modality)) {
  auto const m = spec.name + '.';
  atomic_numbers = column_of<int>(table, m + "atomic_numbers", 1);
  positions = column_of<float>(table, m + "positions", 3);
  source = column_of<int>(table, m + "source", 1);
  target = column_of<int>(table, m + "target", 1);
  if (spec.geometry != EdgeGeometry::none) {
    geometry = column_of<float>(table, m + "geometry", edge_geometry_columns);
  }
}

M2U_INLINE SparseColumns::SparseColumns(Table const& table, SparseModality modality)
    : spec(std::move(modality)) {
  for (std::size_t v = 0; v < spec.widths.size(); ++v) {
    auto const m = spec.name + '.' + std::to_string(v);
    auto columns = column_of<int>(table, m + ".columns", 1);
    vocabularies.emplace_back(std::move(columns), column_of<float>(table, m + ".weights", 1));
  }
}

M2U_INLINE DenseColumns::DenseColumns(Table const& table, DenseModality modality)
    : spec(std::move(modality)),
      values(column_of<float>(table, spec.name + ".values", spec.width)) {}

}  // namespace detail

}  // namespace m2u

#endif
