// SPDX-License-Identifier: Apache-2.0
/// @file
/// Importance by gradient × input, and the functions that are explained.
#pragma once

#include <cstddef>
#include <vector>

#include "m2u/encoders/embedded_graph.hpp"
#include "m2u/explain/importance.hpp"

namespace m2u {

/// A function of graphs to explain, made of an encoder and what follows it: `f(tape, embedded,
/// graph)` gives one number per graph, [graphs, 1].
/// @tparam Head (Tape<S, R>&, Tensor<S, R> const& rows [graphs, width]) → Tensor<S, R> [graphs, 1]
template <EmbeddingEncoder Encoder, class Head>
struct HeadOnGraphs {
  Encoder encoder;
  Head head;

  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, EmbeddedGraph<S, R> const& embedded,
                          GraphBatch<S> const& graph) const {
    Tensor<S, R> const y = head(tape, encoder.pool_embedded(tape, embedded, graph));
    expects(shape(y) == Shape{graph.graphs(), 1}, "explain: the head gave ", shape(y), " for ",
            graph.graphs(), " graphs; it must give one number per graph");
    return y;
  }
};

namespace detail {

/// Σ over the columns of gradient · value, per row; zeros where no gradient came.
template <ExecutionSpace S, class R>
std::vector<double> gradient_times_value(Tape<S, R>& tape, Tensor<S, R> const& x) {
  auto const rows = static_cast<std::size_t>(x.rows());
  auto const cols = static_cast<std::size_t>(x.cols());
  std::vector<double> result(rows, 0.0);
  if (rows == 0 || !tape.has_gradient(x)) {
    return result;
  }
  auto const value = to_host(tape.space(), x.value);
  auto const gradient = to_host(tape.space(), tape.gradient(x).matrix);
  for (std::size_t i = 0; i < rows * cols; ++i) {
    result[i / cols] += static_cast<double>(value[i]) * static_cast<double>(gradient[i]);
  }
  return result;
}

}  // namespace detail

/// Gradient × input (Shrikumar et al. 2016) of a function of graphs: the score of a node or edge is
/// the product of its embedding, as it enters the first layer, with the gradient of its graph's
/// number. Where f is linear in the embeddings the scores of a graph sum to f(graph) − f(zeros).
/// The graphs must not depend on each other, as in evaluation mode. Adds to the gradients of
/// `theta`, as every backward pass does. Waits for the space.
/// @param encoder has `embed(tape, graph)`  @param f as HeadOnGraphs
template <ExecutionSpace S, class R, EmbeddingEncoder Encoder, class F>
RowImportance gradient_importance(S const& space, Encoder const& encoder,
                                  Parameters<S, R> const& theta, GraphBatch<Host> const& graph,
                                  F const& f) {
  Tape<S, R> tape(space, theta, Mode::evaluation);
  auto const batch = to_space(space, graph);
  auto const embedded = encoder.embed(tape, batch);
  // Variables keep their gradients, which the tape takes back from the outputs of ops.
  EmbeddedGraph<S, R> const inputs{tape.variable(embedded.nodes.value),
                                   tape.variable(embedded.edges.value)};
  Tensor<S, R> const y = f(tape, inputs, batch);
  if (y.differentiable()) {
    tape.backward_from(y, std::vector<R>(y.value.size(), R(1)));
  }
  return {detail::gradient_times_value(tape, inputs.nodes),
          detail::gradient_times_value(tape, inputs.edges)};
}

}  // namespace m2u
