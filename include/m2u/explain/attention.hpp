// SPDX-License-Identifier: Apache-2.0
/// @file
/// Importance by attention: how much bonded atoms look at each other.
#pragma once

#include <cstddef>
#include <vector>

#include "m2u/autodiff/tape.hpp"
#include "m2u/explain/importance.hpp"

namespace m2u {

/// The attention of M2UMol's analysis tool (Nature Communications 2026): averaged over layers and
/// heads and masked to the edges. The score of an edge is the weight with which its target attends
/// to its source; that of a node the sum over the edges that end at it: its row of the masked map.
/// It needs no function to explain and says nothing about one. Waits for the space.
/// @param encoder has Gps' `nodes(tape, graph, observe)`
/// @return scores that are not negative; 0 for nodes without edges
template <ExecutionSpace S, class R, class Encoder>
RowImportance attention_importance(S const& space, Encoder const& encoder,
                                   Parameters<S, R> const& theta, GraphBatch<Host> const& graph) {
  Tape<S, R> tape(space, theta, Mode::evaluation);
  RowImportance result{std::vector<double>(static_cast<std::size_t>(graph.size()), 0.0),
                       std::vector<double>(static_cast<std::size_t>(graph.edges()), 0.0)};
  std::vector<int> first_of(result.nodes.size());  // of each node's graph
  for (int g = 0; g < graph.graphs(); ++g) {
    for (int node = graph.nodes.offsets(g); node < graph.nodes.offsets(g + 1); ++node) {
      first_of[static_cast<std::size_t>(node)] = graph.nodes.offsets(g);
    }
  }
  int layers = 0;
  auto const add_layer = [&](int /*layer*/, auto const& in, auto const& /*out*/, auto const& groups,
                             auto const& attention) {
    auto const map = to_host(space, attention.weights(tape, in, groups).value);
    auto const columns = static_cast<std::size_t>(groups.longest);
    for (int edge = 0; edge < graph.edges(); ++edge) {
      auto const row = static_cast<std::size_t>(graph.target(edge));
      auto const column = static_cast<std::size_t>(graph.source.rows(edge) - first_of[row]);
      result.edges[static_cast<std::size_t>(edge)] +=
          static_cast<double>(map[row * columns + column]);
    }
    ++layers;
  };
  encoder.nodes(tape, to_space(space, graph), add_layer);
  for (int edge = 0; edge < graph.edges(); ++edge) {
    auto& score = result.edges[static_cast<std::size_t>(edge)];
    score /= std::max(1, layers);
    result.nodes[static_cast<std::size_t>(graph.target(edge))] += score;
  }
  return result;
}

/// Mean-centred and divided by the largest magnitude, atoms and bonds each for themselves, as the
/// analysis tool shows attention: in [-1, 1]. Single atoms and molecules without bonds get zeros.
inline Importance centred_to_unit(Importance importance) {
  for (auto* const scores : {&importance.nodes, &importance.edges}) {
    centre(*scores);
    *scores = to_unit(*scores, largest_magnitude(*scores));
  }
  return importance;
}

}  // namespace m2u
