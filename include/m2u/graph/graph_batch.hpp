// SPDX-License-Identifier: Apache-2.0
/// @file
/// Many graphs as one: ragged nodes, and edges sorted by target with both CSRs.
#pragma once

#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "m2u/core/ragged.hpp"
#include "m2u/graph/graph_record.hpp"

namespace m2u {

/// A batch of graphs in the memory of S. Node numbers run through the batch.
template <ExecutionSpace S>
struct GraphBatch {
  Ragged<S> nodes;               ///< groups = graphs, total = nodes
  Matrix<int, S> node_features;  ///< [nodes, columns]
  Matrix<float, S> encoding;     ///< [nodes, columns], for example random-walk encodings
  Ragged<S> incoming;            ///< groups = nodes, total = edges: the edges that end at each node
  RowIndex<S> source;     ///< per edge the node where it starts, and per node the edges that leave
  Vector<int, S> target;  ///< [edges] per edge the node where it ends, rising
  Matrix<int, S> edge_features;       ///< [edges, columns], in the same order
  Matrix<float, S> node_values = {};  ///< [nodes, columns] real-valued features
  Matrix<float, S> edge_values = {};  ///< [edges, columns] in the order of the edges

  int graphs() const { return nodes.groups; }
  int size() const { return nodes.total; }
  int edges() const { return incoming.total; }
};

template <ExecutionSpace S>
GraphBatch<S> to_space(CopyTo<S> const& to, GraphBatch<Host> const& batch) {
  return {to_space(to, batch.nodes),         to_space(to, batch.node_features),
          to_space(to, batch.encoding),      to_space(to, batch.incoming),
          to_space(to, batch.source),        to_space(to, batch.target),
          to_space(to, batch.edge_features), to_space(to, batch.node_values),
          to_space(to, batch.edge_values)};
}

/// Edges of a whole batch: sources and targets numbered through it, sorted by target.
struct SortedEdges {
  Ragged<Host> incoming;
  RowIndex<Host> source;
  Vector<int, Host> target;
  std::vector<int> order;  ///< position k holds the edge that was number order[k]
};

/// Sorts edges by target; edges of one target keep their order. Launches nothing.
inline SortedEdges sort_edges(std::vector<int> const& source, std::vector<int> const& target,
                              int nodes) {
  // Counted here, without views to drop: Kokkos waits for every space when it frees one, which
  // loader threads must not do.
  std::vector<int> lengths(static_cast<std::size_t>(nodes), 0);
  for (int const node : target) {
    expects(node >= 0 && node < nodes, "sort_edges: there is no node ", node, " among ", nodes);
    ++lengths[static_cast<std::size_t>(node)];
  }
  SortedEdges sorted;
  sorted.incoming = make_ragged(lengths);
  std::vector<int> next(sorted.incoming.offsets.data(), sorted.incoming.offsets.data() + nodes);
  sorted.order.resize(target.size());
  for (std::size_t edge = 0; edge < target.size(); ++edge) {
    sorted.order[static_cast<std::size_t>(next[static_cast<std::size_t>(target[edge])]++)] =
        static_cast<int>(edge);
  }
  std::vector<int> sorted_source(source.size());
  std::vector<int> sorted_target(target.size());
  for (std::size_t k = 0; k < source.size(); ++k) {
    sorted_source[k] = source[static_cast<std::size_t>(sorted.order[k])];
    sorted_target[k] = target[static_cast<std::size_t>(sorted.order[k])];
  }
  sorted.target = host_vector("m2u::graph::target", sorted_target);
  sorted.source = make_row_index(sorted_source, nodes);
  return sorted;
}

namespace detail {

/// Rows of `cols` values in the order of the sorted edges.
template <class T>
std::vector<T> in_order(std::vector<int> const& order, std::vector<T> const& values, int cols) {
  std::vector<T> sorted;
  sorted.reserve(values.size());
  for (int const edge : order) {
    auto const begin = values.begin() + static_cast<std::ptrdiff_t>(edge) * cols;
    sorted.insert(sorted.end(), begin, begin + cols);
  }
  return sorted;
}

}  // namespace detail

/// Joins graphs into a batch on the host. Launches nothing, so loader threads may call it.
/// @throws Error naming the graph's position if one is malformed or the batch exceeds 2^31 - 1
/// rows.
inline GraphBatch<Host> make_graph_batch(std::span<GraphView const> graphs,
                                         GraphColumns const& columns) {
  std::vector<int> lengths;
  std::vector<int> node_features;
  std::vector<float> encoding;
  std::vector<int> source;
  std::vector<int> target;
  std::vector<int> edge_features;
  std::vector<float> node_values;
  std::vector<float> edge_values;
  auto const append = [](auto& all, auto const& part) {
    all.insert(all.end(), part.begin(), part.end());
  };
  std::int64_t first = 0;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    auto const& graph = graphs[g];
    check_graph(graph, columns, "make_graph_batch: graph " + std::to_string(g));
    expects(first + graph.nodes <= std::numeric_limits<int>::max(),
            "make_graph_batch: the batch has more than 2^31 - 1 nodes; use smaller batches");
    lengths.push_back(graph.nodes);
    append(node_features, graph.node_features);
    append(encoding, graph.encoding);
    append(node_values, graph.node_values);
    append(edge_features, graph.edge_features);
    append(edge_values, graph.edge_values);
    for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
      source.push_back(static_cast<int>(first) + graph.source[edge]);
      target.push_back(static_cast<int>(first) + graph.target[edge]);
    }
    first += graph.nodes;
  }
  auto const sorted = sort_edges(source, target, static_cast<int>(first));
  auto const nodes = static_cast<int>(first);
  auto const edges = static_cast<int>(source.size());
  return {make_ragged(lengths),
          host_matrix("m2u::graph::node_features", nodes, columns.node_features, node_features),
          host_matrix("m2u::graph::encoding", nodes, columns.encoding, encoding),
          sorted.incoming,
          sorted.source,
          sorted.target,
          host_matrix("m2u::graph::edge_features", edges, columns.edge_features,
                      detail::in_order(sorted.order, edge_features, columns.edge_features)),
          host_matrix("m2u::graph::node_values", nodes, columns.node_values, node_values),
          host_matrix("m2u::graph::edge_values", edges, columns.edge_values,
                      detail::in_order(sorted.order, edge_values, columns.edge_values))};
}

}  // namespace m2u
