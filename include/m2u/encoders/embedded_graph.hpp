// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the layers of a graph encoder take in: the place where explanations look and interfere.
#pragma once

#include <concepts>

#include "m2u/autodiff/tape.hpp"
#include "m2u/graph/graph_batch.hpp"

namespace m2u {

/// Features of a batch of graphs after their embedding, before the first layer.
template <ExecutionSpace S, class R = float>
struct EmbeddedGraph {
  Tensor<S, R> nodes;  ///< [nodes, width]
  Tensor<S, R> edges;  ///< [edges, width], in the batch's order
  /// Empty; or [edges], and `edges` has any number of rows: the row that is each edge's.
  Vector<int, S> edge_kinds = {};
};

/// A graph encoder in two parts: `embed(tape, graph)` gives what the layers take in, with a row for
/// each edge, and
/// `pool_embedded(tape, embedded, graph)` one row per graph. The second part looks at the graph's
/// structure alone (GraphBatch::nodes, incoming, source and target). Gps is one.
template <class E>
concept EmbeddingEncoder = requires(E const& encoder, Tape<Kokkos::DefaultExecutionSpace>& tape,
                                    GraphBatch<Kokkos::DefaultExecutionSpace> const& graph,
                                    EmbeddedGraph<Kokkos::DefaultExecutionSpace> const& embedded) {
  { encoder.embed(tape, graph) } -> std::same_as<EmbeddedGraph<Kokkos::DefaultExecutionSpace>>;
  {
    encoder.pool_embedded(tape, embedded, graph)
  } -> std::same_as<Tensor<Kokkos::DefaultExecutionSpace>>;
};

}  // namespace m2u
