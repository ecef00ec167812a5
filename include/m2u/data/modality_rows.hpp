// SPDX-License-Identifier: Apache-2.0
/// @file
/// A sample's modalities as cells of a table's row: writing them while the table is built.
#pragma once

#include <span>
#include <string>

#include "m2u/data/modalities.hpp"

namespace m2u {

/// Marks whether the row that is being made has the modality. `append` does it; a row in which
/// neither was called lacks the modality.
inline void append_present(TableBuilder& builder, std::string const& modality, bool present) {
  char const flag = present ? 1 : 0;
  builder.set<char>(modality + ".present", std::span<char const>(&flag, 1));
}

/// The row that is being made lacks the modality.
inline void append_absent(TableBuilder& builder, ModalitySpec const& spec) {
  append_present(builder, name_of(spec), false);
}

namespace detail {

inline std::string row_name(TableBuilder const& builder, std::string const& modality) {
  return "row " + std::to_string(builder.rows()) + ", modality \"" + modality + "\"";
}

inline void append_edges(TableBuilder& builder, std::string const& modality,
                         std::span<int const> source, std::span<int const> target) {
  builder.set<int>(modality + ".source", source);
  builder.set<int>(modality + ".target", target);
}

}  // namespace detail

/// Writes a graph into the row that is being made.
/// @throws Error, with nothing written, if it does not fit the modality.
inline void append(TableBuilder& builder, GraphModality const& modality, GraphView const& graph) {
  auto const& m = modality.name;
  check_modality(modality, graph, detail::row_name(builder, m));
  append_present(builder, m, true);
  if (!modality.node_vocabularies.empty()) {
    builder.set<int>(m + ".node_features", graph.node_features);
  }
  if (modality.node_values > 0) {
    builder.set<float>(m + ".node_values", graph.node_values);
  }
  if (modality.edge_values > 0) {
    builder.set<float>(m + ".edge_values", graph.edge_values);
  }
  if (modality.encoding > 0) {
    builder.set<float>(m + ".encoding", graph.encoding);
  }
  if (!modality.edge_vocabularies.empty()) {
    builder.set<int>(m + ".edge_features", graph.edge_features);
  }
  detail::append_edges(builder, m, graph.source, graph.target);
}

/// Writes a conformer into the row that is being made.
/// @throws Error, with nothing written, if it is malformed.
inline void append(TableBuilder& builder, ConformerModality const& modality,
                   ConformerView const& conformer) {
  auto const& m = modality.name;
  check_modality(modality, conformer, detail::row_name(builder, m));
  append_present(builder, m, true);
  builder.set<int>(m + ".atomic_numbers", conformer.atomic_numbers);
  builder.set<float>(m + ".positions", conformer.positions);
  if (modality.geometry != EdgeGeometry::none) {
    builder.set<float>(m + ".geometry", conformer.geometry);
  }
  detail::append_edges(builder, m, conformer.source, conformer.target);
}

/// Writes sparse rows, one per vocabulary, into the row that is being made.
/// @throws Error, with nothing written, if they do not fit the modality.
inline void append(TableBuilder& builder, SparseModality const& modality,
                   std::span<SparseRowView const> rows) {
  auto const& m = modality.name;
  check_modality(modality, rows, detail::row_name(builder, m));
  append_present(builder, m, true);
  for (std::size_t v = 0; v < rows.size(); ++v) {
    builder.set<int>(m + '.' + std::to_string(v) + ".columns", rows[v].columns);
    builder.set<float>(m + '.' + std::to_string(v) + ".weights", rows[v].weights);
  }
}
inline void append(TableBuilder& builder, SparseModality const& modality,
                   SparseRowView const& row) {
  append(builder, modality, std::span<SparseRowView const>(&row, 1));
}

/// Writes a vector into the row that is being made.
/// @throws Error, with nothing written, if it does not fit the modality.
inline void append(TableBuilder& builder, DenseModality const& modality,
                   std::span<float const> values) {
  check_modality(modality, values, detail::row_name(builder, modality.name));
  append_present(builder, modality.name, true);
  builder.set<float>(modality.name + ".values", values);
}

}  // namespace m2u
