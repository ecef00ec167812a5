// SPDX-License-Identifier: Apache-2.0
/// @file
/// One graph on the host: owned (GraphRecord) or seen in someone else's memory (GraphView).
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// A graph in borrowed memory. Edges are directed; an undirected bond is two of them, in any order.
struct GraphView {
  int nodes = 0;
  std::span<int const> node_features;       ///< [nodes, node feature columns], row-major
  std::span<float const> encoding;          ///< [nodes, encoding columns], may be empty
  std::span<int const> source;              ///< [edges], 0 … nodes - 1
  std::span<int const> target;              ///< [edges]
  std::span<int const> edge_features;       ///< [edges, edge feature columns], row-major
  std::span<float const> node_values = {};  ///< [nodes, node value columns], row-major, finite
  std::span<float const> edge_values = {};  ///< [edges, edge value columns], row-major, finite
};

/// The same, owning its memory.
struct GraphRecord {
  int nodes = 0;
  std::vector<int> node_features;
  std::vector<float> encoding;
  std::vector<int> source;
  std::vector<int> target;
  std::vector<int> edge_features;
  std::vector<float> node_values = {};
  std::vector<float> edge_values = {};

  GraphView view() const {
    return {nodes,  node_features, encoding,    source,
            target, edge_features, node_values, edge_values};
  }
};

/// The columns that all graphs of a batch share.
struct GraphColumns {
  int node_features = 0;
  int edge_features = 0;
  int encoding = 0;
  int node_values = 0;  ///< real-valued features
  int edge_values = 0;
  friend bool operator==(GraphColumns const&, GraphColumns const&) = default;
};

/// @throws Error if a size or an index of the graph is wrong or a real-valued feature is not
/// finite. `what` names the graph in the message.
inline void check_graph(GraphView const& graph, GraphColumns const& columns,
                        std::string const& what) {
  auto const check = [&](char const* name, std::size_t found, int rows, int cols) {
    expects(found == static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols), what, ": ",
            name, " holds ", found, " values, but ", rows, " rows of ", cols, " columns need ",
            static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  };
  expects(graph.nodes >= 0, what, ": the number of nodes is negative (", graph.nodes, ")");
  expects(graph.source.size() == graph.target.size(), what, ": ", graph.source.size(),
          " edge sources, but ", graph.target.size(), " edge targets");
  check("node_features", graph.node_features.size(), graph.nodes, columns.node_features);
  check("encoding", graph.encoding.size(), graph.nodes, columns.encoding);
  check("edge_features", graph.edge_features.size(), static_cast<int>(graph.source.size()),
        columns.edge_features);
  check("node_values", graph.node_values.size(), graph.nodes, columns.node_values);
  check("edge_values", graph.edge_values.size(), static_cast<int>(graph.source.size()),
        columns.edge_values);
  auto const check_finite = [&](char const* name, std::span<float const> values, int cols) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      expects(std::isfinite(values[i]), what, ": column ", i % static_cast<std::size_t>(cols),
              " of ", name, " ", i / static_cast<std::size_t>(cols), " is not finite");
    }
  };
  check_finite("the values of node", graph.node_values, columns.node_values);
  check_finite("the values of edge", graph.edge_values, columns.edge_values);
  for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
    int const from = graph.source[edge];
    int const to = graph.target[edge];
    expects(from >= 0 && from < graph.nodes && to >= 0 && to < graph.nodes, what, ": edge ", edge,
            " goes from node ", from, " to ", to, ", but the graph has ", graph.nodes, " nodes");
  }
}

}  // namespace m2u
