// SPDX-License-Identifier: Apache-2.0
/// @file
/// Importance by leaving parts of a graph out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "m2u/encoders/embedded_graph.hpp"
#include "m2u/explain/importance.hpp"

namespace m2u {

/// What becomes of a part that is left out. The other atoms keep their embeddings in both cases:
/// degrees, hydrogens and random walks are those of the whole molecule.
enum class Masking {
  zero,    ///< the embeddings of its nodes and of all edges at them are 0; the rows stay
  remove,  ///< its nodes and all edges at them are gone: nothing attends to them or adds them up
};

struct MaskingOptions {
  Masking masking = Masking::remove;
  int rows = 1 << 14;  ///< masked copies go through the model together, in batches of so many nodes
};

/// A part of a graph to leave out: nodes with all their edges, and further edges.
struct GraphPart {
  std::vector<int> nodes;
  std::vector<int> edges;  ///< in the batch's order
};

namespace detail {

/// The embeddings of one graph on the host, and copies of it without some part.
template <class R>
class MaskedGraphs {
 public:
  MaskedGraphs(GraphBatch<Host> const& graph, std::vector<R> nodes, std::vector<R> edges, int width)
      : graph_(&graph),
        nodes_(std::move(nodes)),
        edges_(std::move(edges)),
        width_(static_cast<std::size_t>(width)) {}

  /// Adds a copy without `part`.
  void add(GraphPart const& part, Masking masking) {
    std::vector<bool> keep_node(static_cast<std::size_t>(graph_->size()), true);
    for (int const node : part.nodes) {
      keep_node.at(static_cast<std::size_t>(node)) = false;
    }
    std::vector<bool> keep_edge(static_cast<std::size_t>(graph_->edges()), true);
    for (int const edge : part.edges) {
      keep_edge.at(static_cast<std::size_t>(edge)) = false;
    }
    GraphRecord copy;
    std::vector<int> number(keep_node.size(), -1);
    for (std::size_t node = 0; node < keep_node.size(); ++node) {
      if (keep_node[node] || masking == Masking::zero) {
        number[node] = copy.nodes++;
        append(all_nodes_, nodes_, node, keep_node[node]);
      }
    }
    for (std::size_t edge = 0; edge < keep_edge.size(); ++edge) {
      auto const from = static_cast<std::size_t>(graph_->source.rows(static_cast<int>(edge)));
      auto const to = static_cast<std::size_t>(graph_->target(static_cast<int>(edge)));
      bool const keep = keep_edge[edge] && keep_node[from] && keep_node[to];
      if (keep || masking == Masking::zero) {
        copy.source.push_back(number[from]);
        copy.target.push_back(number[to]);
        append(all_edges_, edges_, edge, keep);
      }
    }
    rows_ += copy.nodes;
    copies_.push_back(std::move(copy));
  }

  int rows() const { return rows_; }
  bool empty() const { return copies_.empty(); }

  /// f of the copies, which are forgotten.
  template <ExecutionSpace S, class F>
  std::vector<double> evaluate(Tape<S, R>& tape, F const& f) {
    std::vector<GraphView> views;
    for (auto const& copy : copies_) {
      views.push_back(copy.view());
    }
    // A copy's edges are sorted by target as the graph's are, so the batch keeps their order.
    auto const batch = to_space(tape.space(), make_graph_batch(views, {}));
    auto const y = to_host(
        tape.space(),
        f(tape, EmbeddedGraph<S, R>{constant(tape, all_nodes_), constant(tape, all_edges_)}, batch)
            .value);
    copies_.clear();
    all_nodes_.clear();
    all_edges_.clear();
    rows_ = 0;
    return {y.begin(), y.end()};
  }

 private:
  void append(std::vector<R>& all, std::vector<R> const& from, std::size_t row, bool keep) const {
    if (keep) {
      auto const first = from.begin() + static_cast<std::ptrdiff_t>(row * width_);
      all.insert(all.end(), first, first + static_cast<std::ptrdiff_t>(width_));
    } else {
      all.insert(all.end(), width_, R(0));
    }
  }

  template <ExecutionSpace S>
  Tensor<S, R> constant(Tape<S, R>& tape, std::vector<R> const& values) const {
    auto const matrix =
        tape.matrix(static_cast<int>(values.size() / width_), static_cast<int>(width_));
    from_host(tape.space(), std::span<R const>(values), matrix);
    return tape.constant(matrix);
  }

  GraphBatch<Host> const* graph_;
  std::vector<R> nodes_;
  std::vector<R> edges_;
  std::size_t width_;
  std::vector<GraphRecord> copies_;
  std::vector<R> all_nodes_;
  std::vector<R> all_edges_;
  int rows_ = 0;
};

}  // namespace detail

/// What f loses when a part is left out: f(whole) − f(without the part), for each part. Waits for
/// the space.
/// @param graph one graph  @param f as HeadOnGraphs  @param whole if given, gets f(whole)
/// @throws Error if the batch has another number of graphs.
template <ExecutionSpace S, class R, EmbeddingEncoder Encoder, class F>
std::vector<double> masking_scores(S const& space, Encoder const& encoder,
                                   Parameters<S, R> const& theta, GraphBatch<Host> const& graph,
                                   F const& f, std::span<GraphPart const> parts,
                                   MaskingOptions const& options = {}, double* whole = nullptr) {
  expects(graph.graphs() == 1,
          "masking_scores: parts are left out of one graph at a time, but the "
          "batch has ",
          graph.graphs());
  Tape<S, R> tape(space, theta, Mode::evaluation);
  tape.infer_only();
  auto const embedded = encoder.embed(tape, to_space(space, graph));
  detail::MaskedGraphs<R> masked(graph, to_host(space, embedded.nodes.value),
                                 to_host(space, embedded.edges.value), embedded.nodes.cols());
  masked.add({}, options.masking);  // the whole graph, the first of all values
  std::vector<double> values;
  std::uint64_t step = 0;
  auto const flush = [&] {
    tape.reset(++step);
    auto const more = masked.evaluate(tape, f);
    values.insert(values.end(), more.begin(), more.end());
  };
  for (auto const& part : parts) {
    if (masked.rows() + graph.size() > options.rows && !masked.empty()) {
      flush();
    }
    masked.add(part, options.masking);
  }
  flush();
  std::vector<double> scores;
  for (std::size_t i = 1; i < values.size(); ++i) {
    scores.push_back(values[0] - values[i]);
  }
  if (whole != nullptr) {
    *whole = values[0];
  }
  return scores;
}

/// The scores of groups of nodes, each left out as a whole.
/// @throws Error if a group does not fit the graph.
template <ExecutionSpace S, class R, EmbeddingEncoder Encoder, class F>
std::vector<double> masked_groups(S const& space, Encoder const& encoder,
                                  Parameters<S, R> const& theta, GraphBatch<Host> const& graph,
                                  F const& f, std::span<NodeGroup const> groups,
                                  MaskingOptions const& options = {}) {
  check_groups(groups, graph.size());
  std::vector<GraphPart> parts;
  for (auto const& group : groups) {
    parts.push_back({group, {}});
  }
  return masking_scores(space, encoder, theta, graph, f, parts, options);
}

/// The scores of every node, left out with its edges, and of every bond, left out alone.
template <ExecutionSpace S, class R, EmbeddingEncoder Encoder, class F>
Importance masking_importance(S const& space, Encoder const& encoder, Parameters<S, R> const& theta,
                              GraphBatch<Host> const& graph, F const& f,
                              MaskingOptions const& options = {}) {
  std::vector<GraphPart> parts;
  for (int node = 0; node < graph.size(); ++node) {
    parts.push_back({{node}, {}});
  }
  Importance result;
  for (auto const& [ends, edges] : edges_of_bonds(graph)) {
    result.bonds.push_back(ends);
    parts.push_back({{}, edges});
  }
  auto const scores = masking_scores(space, encoder, theta, graph, f, parts, options);
  auto const middle = scores.begin() + graph.size();
  result.nodes.assign(scores.begin(), middle);
  result.edges.assign(middle, scores.end());
  return result;
}

}  // namespace m2u
