// SPDX-License-Identifier: Apache-2.0
// Encoders whose importances are known.
#pragma once

#include <string>
#include <vector>

#include "m2u/encoders/embedded_graph.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/ops/segment.hpp"
#include "support/toy.hpp"

namespace m2u::test {

/// The sum of a graph's embedded nodes and edges: linear in both.
struct SumEncoder {
  EmbeddingSum nodes;
  EmbeddingSum edges;

  template <ExecutionSpace S, class R>
  EmbeddedGraph<S, R> embed(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
    return {nodes(tape, graph.node_features), edges(tape, graph.edge_features)};
  }
  template <ExecutionSpace S, class R>
  Tensor<S, R> pool_embedded(Tape<S, R>& tape, EmbeddedGraph<S, R> const& embedded,
                             GraphBatch<S> const& graph) const {
    auto const at_nodes = segment_sum(tape, embedded.edges, graph.incoming);
    return segment_sum(tape, add(tape, embedded.nodes, at_nodes), graph.nodes);
  }
};

/// A head of one number.
struct OneNumber {
  Linear linear;
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& rows) const {
    return linear(tape, rows);
  }
};

inline constexpr GraphColumns toy_columns{2, 1, 4};

inline GraphBatch<Host> toy_graphs(std::vector<GraphRecord> const& records) {
  std::vector<GraphView> views;
  for (auto const& record : records) {
    views.push_back(record.view());
  }
  return make_graph_batch(views, toy_columns);
}

inline SumEncoder sum_encoder(ParameterLayout& layout) {
  return {{layout.scope("nodes"), {7, 3}, toy_width}, {layout.scope("edges"), {4}, toy_width}};
}

inline Gps toy_gps(ParameterLayout& layout) {
  return Gps{layout.scope("hub"),
             {.width = toy_width,
              .layers = 2,
              .heads = 2,
              .node_vocabularies = {7, 3},
              .edge_vocabularies = {4},
              .encoding_steps = 4,
              .encoding_width = 4}};
}

inline OneNumber one_number(ParameterLayout& layout) {
  return {Linear{layout.scope("head"), toy_width, 1}};
}

/// The same graph without some of its nodes and without the edges at them.
inline GraphRecord without_nodes(GraphRecord const& graph, std::vector<int> const& gone) {
  GraphRecord result;
  std::vector<int> number;
  for (int node = 0; node < graph.nodes; ++node) {
    bool const keep = std::find(gone.begin(), gone.end(), node) == gone.end();
    number.push_back(keep ? result.nodes++ : -1);
    for (int k = 0; keep && k < 4; ++k) {
      result.encoding.push_back(graph.encoding[static_cast<std::size_t>(4 * node + k)]);
    }
    for (int k = 0; keep && k < 2; ++k) {
      result.node_features.push_back(graph.node_features[static_cast<std::size_t>(2 * node + k)]);
    }
  }
  for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
    int const from = number[static_cast<std::size_t>(graph.source[edge])];
    int const to = number[static_cast<std::size_t>(graph.target[edge])];
    if (from >= 0 && to >= 0) {
      result.source.push_back(from);
      result.target.push_back(to);
      result.edge_features.push_back(graph.edge_features[edge]);
    }
  }
  return result;
}

}  // namespace m2u::test
