// SPDX-License-Identifier: Apache-2.0
/// @file
/// How modalities lie in the columns of a table, and how to write them there.
///
/// Columns of a modality m, whose description is in the table's metadata under "modalities":
///
/// - graph: m.source, m.target, and if there are any, m.node_features, m.encoding,
///   m.edge_features, m.node_values, m.edge_values; an integer or a real-valued node feature at
///   least
/// - conformer: m.atomic_numbers, m.positions, m.source, m.target, and with a geometry, m.geometry
/// - sparse: for each vocabulary v = 0, 1, …: m.v.columns, m.v.weights (empty for all ones)
/// - dense: m.values
/// - all: m.present, a byte, 1 if the row has the modality; absent rows hold no other items
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "m2u/core/config.hpp"
#include "m2u/data/sparse_row.hpp"
#include "m2u/data/table.hpp"
#include "m2u/graph/conformer_batch.hpp"
#include "m2u/graph/graph_record.hpp"

namespace m2u {

/// Graphs with integer features, of which column c of the nodes holds 0 … node_vocabularies[c] - 1,
/// with real-valued features, or with both.
struct GraphModality {
  std::string name;
  std::vector<int> node_vocabularies;  ///< at least one, unless there are node_values
  std::vector<int> edge_vocabularies;
  int encoding = 0;     ///< columns of the positional encoding
  int node_values = 0;  ///< columns of real-valued features of the nodes
  int edge_values = 0;  ///< columns of real-valued features of the edges
  GraphColumns columns() const {
    return {static_cast<int>(node_vocabularies.size()), static_cast<int>(edge_vocabularies.size()),
            encoding, node_values, edge_values};
  }
  friend bool operator==(GraphModality const&, GraphModality const&) = default;
};

/// Conformers with their radius graphs.
struct ConformerModality {
  std::string name;
  EdgeGeometry geometry = EdgeGeometry::none;  ///< what each edge carries besides its ends
  friend bool operator==(ConformerModality const&, ConformerModality const&) = default;
};

/// Sparse rows in one or more vocabularies.
struct SparseModality {
  std::string name;
  std::vector<int> widths;  ///< columns of each vocabulary
  friend bool operator==(SparseModality const&, SparseModality const&) = default;
};

/// Vectors of a fixed width.
struct DenseModality {
  std::string name;
  int width = 0;
  friend bool operator==(DenseModality const&, DenseModality const&) = default;
};

using ModalitySpec = std::variant<GraphModality, ConformerModality, SparseModality, DenseModality>;

inline std::string const& name_of(ModalitySpec const& spec) {
  return std::visit([](auto const& modality) -> std::string const& { return modality.name; }, spec);
}

nlohmann::json modality_to_json(ModalitySpec const& spec);

/// @param what names the text in messages. @throws Error naming the field that is missing or wrong.
ModalitySpec modality_from_json(nlohmann::json const& json, std::string const& what);

/// The modalities described in a table's metadata; none if it has no "modalities".
/// @throws Error naming the entry that is wrong or the name that is used twice.
std::vector<ModalitySpec> read_modalities(std::string_view metadata,
                                          std::string const& what = "the metadata");

/// Metadata with the modalities described in it; `metadata` is the JSON object with everything
/// else.
std::string with_modalities(std::span<ModalitySpec const> specs, std::string_view metadata = "{}");

/// Adds a modality's columns to a builder.
void add_columns(TableBuilder& builder, ModalitySpec const& spec);

/// @throws Error naming the feature if one lies outside its vocabulary. `what` begins the message.
inline void check_vocabularies(std::span<int const> features, std::span<int const> vocabularies,
                               char const* name, std::string const& what) {
  for (std::size_t i = 0; i < features.size(); ++i) {
    auto const column = i % vocabularies.size();
    expects(features[i] >= 0 && features[i] < vocabularies[column], what, ": column ", column,
            " of ", name, " ", i / vocabularies.size(), " is ", features[i], ", outside 0 … ",
            vocabularies[column] - 1);
  }
}

/// @throws Error if the graph is malformed or a feature lies outside its vocabulary.
inline void check_modality(GraphModality const& modality, GraphView const& graph,
                           std::string const& what) {
  check_graph(graph, modality.columns(), what);
  check_vocabularies(graph.node_features, modality.node_vocabularies, "node", what);
  check_vocabularies(graph.edge_features, modality.edge_vocabularies, "edge", what);
}

/// @throws Error if sizes, indices or coordinates are wrong.
void check_modality(ConformerModality const& modality, ConformerView const& conformer,
                    std::string const& what);

/// @throws Error if the number of vocabularies or weights, a column or a weight is wrong.
void check_modality(SparseModality const& modality, std::span<SparseRowView const> rows,
                    std::string const& what);

/// @throws Error if the width is wrong or a value is not finite.
inline void check_modality(DenseModality const& modality, std::span<float const> values,
                           std::string const& what) {
  expects(values.size() == static_cast<std::size_t>(modality.width), what, ": ", values.size(),
          " values, but the width is ", modality.width);
  for (float const value : values) {
    expects(std::isfinite(value), what, ": a value is not finite");
  }
}

}  // namespace m2u

#if M2U_DEFINES_CORE

#include "m2u/data/json_object.hpp"

namespace m2u {

M2U_INLINE nlohmann::json modality_to_json(ModalitySpec const& spec) {
  nlohmann::json json{{"name", name_of(spec)}};
  if (auto const* const graph = std::get_if<GraphModality>(&spec)) {
    json["kind"] = "graph";
    json["node_vocabularies"] = graph->node_vocabularies;
    json["edge_vocabularies"] = graph->edge_vocabularies;
    json["encoding"] = graph->encoding;
    if (graph->node_values > 0 || graph->edge_values > 0) {
      json["node_values"] = graph->node_values;
      json["edge_values"] = graph->edge_values;
    }
  } else if (auto const* const sparse = std::get_if<SparseModality>(&spec)) {
    json["kind"] = "sparse";
    json["widths"] = sparse->widths;
  } else if (auto const* const dense = std::get_if<DenseModality>(&spec)) {
    json["kind"] = "dense";
    json["width"] = dense->width;
  } else {
    json["kind"] = "conformer";
    if (auto const geometry = std::get<ConformerModality>(spec).geometry;
        geometry != EdgeGeometry::none) {
      json["geometry"] = to_string(geometry);
    }
  }
  return json;
}

M2U_INLINE ModalitySpec modality_from_json(nlohmann::json const& json, std::string const& what) {
  constexpr int most = 1 << 20;  // columns of a matrix
  JsonObject const object(json, what);
  auto const name = object.text("name");
  auto const kind = object.text("kind");
  expects(!name.empty(), what, ": the modality has an empty name");
  if (kind == "graph") {
    // Metadata written before there were real-valued features lacks their keys.
    auto const width = [&](char const* key) {
      return object.has(key) ? static_cast<int>(object.integer(key, 0, most)) : 0;
    };
    GraphModality graph{name,
                        object.integers("node_vocabularies", 1),
                        object.integers("edge_vocabularies", 1),
                        static_cast<int>(object.integer("encoding", 0, most)),
                        width("node_values"),
                        width("edge_values")};
    expects(!graph.node_vocabularies.empty() || graph.node_values > 0, what,
            ": \"node_vocabularies\" is empty and there are no \"node_values\"");
    return graph;
  }
  if (kind == "conformer") {
    return ConformerModality{name, object.has("geometry")
                                       ? edge_geometry_from_string(object.text("geometry"), what)
                                       : EdgeGeometry::none};
  }
  if (kind == "sparse") {
    SparseModality sparse{name, object.integers("widths", 1)};
    expects(!sparse.widths.empty(), what, ": \"widths\" is empty");
    return sparse;
  }
  expects(kind == "dense", what, ": there is no kind of modality \"", kind,
          "\"; there are graph, conformer, sparse and dense");
  return DenseModality{name, static_cast<int>(object.integer("width", 1, most))};
}

M2U_INLINE std::vector<ModalitySpec> read_modalities(std::string_view metadata,
                                                     std::string const& what) {
  auto const json = parse_json(metadata, what);
  JsonObject const object(json, what);
  std::vector<ModalitySpec> specs;
  if (!object.has("modalities")) {
    return specs;
  }
  for (auto const& entry : object.array("modalities")) {
    auto const place = what + ", modalities[" + std::to_string(specs.size()) + "]";
    auto spec = modality_from_json(entry, place);
    for (auto const& other : specs) {
      expects(name_of(other) != name_of(spec), place, ": the name \"", name_of(spec),
              "\" is used twice");
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

M2U_INLINE std::string with_modalities(std::span<ModalitySpec const> specs,
                                       std::string_view metadata) {
  auto json = parse_json(metadata, "the metadata");
  expects(json.is_object(), "the metadata is not a JSON object");
  json["modalities"] = nlohmann::json::array();
  for (auto const& spec : specs) {
    json["modalities"].push_back(modality_to_json(spec));
  }
  return json_text(json, "the metadata");
}

M2U_INLINE void add_columns(TableBuilder& builder, ModalitySpec const& spec) {
  auto const json = modality_to_json(spec);
  modality_from_json(json,
                     "the modality \"" + name_of(spec) + "\"");  // what is written can be read
  auto const m = name_of(spec) + '.';
  builder.add_column<char>(m + "present");
  if (auto const* const graph = std::get_if<GraphModality>(&spec)) {
    auto const columns = graph->columns();
    if (columns.node_features > 0) {
      builder.add_column<int>(m + "node_features", columns.node_features);
    }
    if (columns.node_values > 0) {
      builder.add_column<float>(m + "node_values", columns.node_values);
    }
    if (columns.edge_values > 0) {
      builder.add_column<float>(m + "edge_values", columns.edge_values);
    }
    if (columns.encoding > 0) {
      builder.add_column<float>(m + "encoding", columns.encoding);
    }
    if (columns.edge_features > 0) {
      builder.add_column<int>(m + "edge_features", columns.edge_features);
    }
  } else if (auto const* const sparse = std::get_if<SparseModality>(&spec)) {
    for (std::size_t v = 0; v < sparse->widths.size(); ++v) {
      builder.add_column<int>(m + std::to_string(v) + ".columns");
      builder.add_column<float>(m + std::to_string(v) + ".weights");
    }
  } else if (auto const* const dense = std::get_if<DenseModality>(&spec)) {
    builder.add_column<float>(m + "values", dense->width);
  } else {
    builder.add_column<int>(m + "atomic_numbers");
    builder.add_column<float>(m + "positions", 3);
    if (std::get<ConformerModality>(spec).geometry != EdgeGeometry::none) {
      builder.add_column<float>(m + "geometry", edge_geometry_columns);
    }
  }
  if (spec.index() <= 1) {  // both kinds of graphs
    builder.add_column<int>(m + "source");
    builder.add_column<int>(m + "target");
  }
}

M2U_INLINE void check_modality(ConformerModality const& modality, ConformerView const& conformer,
                               std::string const& what) {
  auto const atoms = conformer.atomic_numbers.size();
  expects(conformer.positions.size() == 3 * atoms, what, ": ", atoms, " atoms, but ",
          conformer.positions.size(), " coordinates");
  for (float const x : conformer.positions) {
    expects(std::isfinite(x), what, ": a coordinate is not finite");
  }
  for (int const number : conformer.atomic_numbers) {
    expects(number >= 0, what, ": the atomic number ", number, " is negative");
  }
  check_graph({static_cast<int>(atoms), {}, {}, conformer.source, conformer.target, {}}, {}, what);
  if (modality.geometry == EdgeGeometry::none) {
    return;  // what the conformer may carry is not written
  }
  expects(conformer.geometry.size() == conformer.source.size() * edge_geometry_columns, what, ": ",
          conformer.source.size(), " edges, but ", conformer.geometry.size(),
          " numbers of geometry; make the radius graph with the geometry \"",
          to_string(modality.geometry), "\"");
  for (float const x : conformer.geometry) {
    expects(std::isfinite(x), what, ": a number of the geometry is not finite");
  }
}

M2U_INLINE void check_modality(SparseModality const& modality, std::span<SparseRowView const> rows,
                               std::string const& what) {
  expects(rows.size() == modality.widths.size(), what, ": ", rows.size(), " sparse rows, but ",
          modality.widths.size(), " vocabularies");
  for (std::size_t v = 0; v < rows.size(); ++v) {
    auto const& [columns, weights] = rows[v];
    expects(weights.empty() || weights.size() == columns.size(), what, ": vocabulary ", v, " has ",
            columns.size(), " columns, but ", weights.size(), " weights");
    for (int const column : columns) {
      expects(column >= 0 && column < modality.widths[v], what, ": column ", column,
              " of vocabulary ", v, " is outside 0 … ", modality.widths[v] - 1);
    }
    for (float const weight : weights) {
      expects(std::isfinite(weight), what, ": a weight of vocabulary ", v, " is not finite");
    }
  }
}

}  // namespace m2u

#endif
