// SPDX-License-Identifier: Apache-2.0
/// @file
/// GraphGPS (Rampášek et al., NeurIPS 2022) as M2UMol uses it: the 2D encoder.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "m2u/autodiff/cast.hpp"
#include "m2u/encoders/embedded_graph.hpp"
#include "m2u/encoders/pooling.hpp"
#include "m2u/graph/graph_batch.hpp"
#include "m2u/nn/embedding_sum.hpp"
#include "m2u/nn/mlp.hpp"
#include "m2u/nn/multihead_attention.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/concat_columns.hpp"
#include "m2u/ops/gine_aggregate.hpp"

namespace m2u {

/// Sizes of the Open Graph Benchmark's integer features of atoms and bonds.
inline std::vector<int> const& ogb_atom_vocabularies() {
  static std::vector<int> const sizes{119, 5, 12, 12, 10, 6, 6, 2, 2};
  return sizes;
}
inline std::vector<int> const& ogb_bond_vocabularies() {
  static std::vector<int> const sizes{5, 6, 2};
  return sizes;
}

struct GpsOptions {
  int width = 128;
  int layers = 3;
  int heads = 4;
  float dropout = 0.1F;
  float attention_dropout = 0.5F;
  std::vector<int> node_vocabularies = ogb_atom_vocabularies();
  std::vector<int> edge_vocabularies = ogb_bond_vocabularies();
  int encoding_steps = 20;  ///< columns of the positional encoding; 0 for none
  int encoding_width = 8;   ///< how many of the `width` columns carry it
  Pooling pooling = Pooling::sum;
  int node_values = 0;  ///< columns of real-valued node features; a linear layer takes them in
  int edge_values = 0;  ///< columns of real-valued edge features
};

/// One layer: h1 = BN(dropout(GINE(x)) + x), h2 = BN(dropout(attention(x)) + x), o = h1 + h2,
/// BN(o + MLP(o)).
class GpsLayer {
 public:
  GpsLayer(Scope const& scope, GpsOptions const& options)
      : local_(scope.scope("gine"), options.width, options.width, options.width),
        attention_(scope.scope("attention"), options.width, options.heads,
                   options.attention_dropout),
        mlp_(scope.scope("mlp"), options.width, 2 * options.width, options.width,
             {.dropout = options.dropout}),
        norm1_(scope.scope("norm1"), options.width),
        norm2_(scope.scope("norm2"), options.width),
        norm3_(scope.scope("norm3"), options.width),
        dropout_(options.dropout) {}

  /// @param x [nodes, width]  @param edges, kinds EmbeddedGraph::edges and edge_kinds
  /// @return [nodes, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& edges,
                          Vector<int, S> const& kinds, GraphBatch<S> const& graph) const;

  MultiheadAttention const& attention() const { return attention_; }

 private:
  Mlp local_;
  MultiheadAttention attention_;
  Mlp mlp_;
  BatchNorm norm1_;
  BatchNorm norm2_;
  BatchNorm norm3_;
  float dropout_;
};

/// Features of a kind of row, nodes or edges: the sum of embeddings of the integer ones and of a
/// linear layer on the real-valued ones, or either alone.
class FeatureInput {
 public:
  /// @param name "node" or "edge": the scopes are "node_embedding" and "node_linear".
  /// @throws Error if there are features of neither kind.
  FeatureInput(Scope const& scope, std::string const& name, std::vector<int> const& vocabularies,
               int values, int width)
      : name_(name), columns_(static_cast<int>(vocabularies.size())), values_(values) {
    expects(!vocabularies.empty() || values > 0, "Gps: no ", name, " features; give ", name,
            "_vocabularies or ", name, "_values");
    if (!vocabularies.empty()) {
      embedding_.emplace(scope.scope(name + "_embedding"), vocabularies, width);
    }
    if (values > 0) {
      linear_.emplace(scope.scope(name + "_linear"), values, width);
    }
  }

  /// @param features [rows, columns]  @param values [rows, columns]  @return [rows, width]
  /// @throws Error if the batch has other columns.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Matrix<int, S> const& features,
                          Matrix<float, S> const& values) const;

  /// EmbeddingSum::by_kind, where that is all there is and pays; else the rows and no kinds.
  template <ExecutionSpace S, class R>
  std::pair<Tensor<S, R>, Vector<int, S>> by_kind(Tape<S, R>& tape, Matrix<int, S> const& features,
                                                  Matrix<float, S> const& values) const;

 private:
  template <class Features, class Values>
  void check(Features const& features, Values const& values) const {
    check(features.extent_int(1), columns_, "_features");
    check(values.extent_int(1), values_, "_values");
  }
  void check(int found, int needed, char const* kind) const {
    expects(found == needed, "Gps: the batch has ", found, " columns of ", name_, kind,
            ", but the encoder takes ", needed);
  }

  std::string name_;
  int columns_;
  int values_;
  std::optional<EmbeddingSum> embedding_;
  std::optional<Linear> linear_;
};

/// Graph encoder: node and edge features and positional encodings in, one row per graph out.
class Gps {
 public:
  template <ExecutionSpace S>
  using Batch = GraphBatch<S>;

  /// @throws Error if the widths do not fit or nodes or edges have no features.
  explicit Gps(Scope const& scope, GpsOptions const& options = {})
      : nodes_(scope, "node", options.node_vocabularies, options.node_values,
               embedded_width(options)),
        edges_(scope, "edge", options.edge_vocabularies, options.edge_values, options.width),
        options_(options) {
    if (options.encoding_steps > 0) {
      encoding_norm_.emplace(scope.scope("encoding_norm"), options.encoding_steps);
      encoding_linear_.emplace(scope.scope("encoding_linear"), options.encoding_steps,
                               options.encoding_width);
    }
    for (int layer = 0; layer < options.layers; ++layer) {
      layers_.emplace_back(scope.scope("layer", layer), options);
    }
  }

  int out() const { return options_.width; }

  /// @return [nodes, width]: one row per node
  template <ExecutionSpace S, class R>
  Tensor<S, R> nodes(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
    return nodes(tape, graph, [](auto const&...) {});
  }

  /// The same, for looking inside: after each layer it calls
  /// `observe(layer, in, out, graph.nodes, attention)` with the layer's number, its input and
  /// output [nodes, width] and its MultiheadAttention, whose `weights(tape, in, graph.nodes)` are
  /// the map.
  template <ExecutionSpace S, class R, class Observe>
  Tensor<S, R> nodes(Tape<S, R>& tape, GraphBatch<S> const& graph, Observe const& observe) const {
    auto const x = embed_nodes(tape, graph);
    auto const [edges, kinds] = edges_.by_kind(tape, graph.edge_features, graph.edge_values);
    return layers(tape, {x, edges, kinds}, graph, observe);
  }

  /// What the first layer takes in: the nodes' embedding beside that of their encoding, and the
  /// edges' embedding.
  template <ExecutionSpace S, class R>
  EmbeddedGraph<S, R> embed(Tape<S, R>& tape, GraphBatch<S> const& graph) const;

  /// The layers alone, on what `embed` gave or what was made of it: of the graph only its structure
  /// is used.
  /// @return [nodes, width]
  template <ExecutionSpace S, class R, class Observe>
  Tensor<S, R> layers(Tape<S, R>& tape, EmbeddedGraph<S, R> const& embedded,
                      GraphBatch<S> const& graph, Observe const& observe) const {
    auto x = embedded.nodes;
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      auto const y = tape.scoped(
          [&] { return layers_[layer](tape, x, embedded.edges, embedded.edge_kinds, graph); });
      observe(static_cast<int>(layer), x, y, graph.nodes, layers_[layer].attention());
      x = y;
    }
    return x;
  }

  /// @return [graphs, width]: one row per graph, of what `embed` gave or what was made of it
  template <ExecutionSpace S, class R>
  Tensor<S, R> pool_embedded(Tape<S, R>& tape, EmbeddedGraph<S, R> const& embedded,
                             GraphBatch<S> const& graph) const;

  /// @return [graphs, width]: one row per graph
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, GraphBatch<S> const& graph) const;

 private:
  template <ExecutionSpace S, class R>
  Tensor<S, R> embed_nodes(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
    auto const x = nodes_(tape, graph.node_features, graph.node_values);
    if (!encoding_linear_) {
      return x;
    }
    auto const encoding = (*encoding_norm_)(tape, constant_of(tape, graph.encoding));
    return concat_columns(tape, x, (*encoding_linear_)(tape, encoding));
  }

  /// Columns of the node features' embedding: those that the encoding leaves.
  static int embedded_width(GpsOptions const& options) {
    if (options.encoding_steps <= 0) {
      return options.width;
    }
    expects(options.encoding_width > 0 && options.encoding_width < options.width,
            "Gps: the encoding's width ", options.encoding_width,
            " must be positive and below the width ", options.width);
    return options.width - options.encoding_width;
  }

  FeatureInput nodes_;
  FeatureInput edges_;
  std::optional<BatchNorm> encoding_norm_;
  std::optional<Linear> encoding_linear_;
  std::vector<GpsLayer> layers_;
  GpsOptions options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> GpsLayer::operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                                  Tensor<S, R> const& edges, Vector<int, S> const& kinds,
                                  GraphBatch<S> const& graph) const {
  auto const residual = [&](Tensor<S, R> const& to) {
    return LinearTail<S, R>{.dropout = dropout_, .residual = to};
  };
  auto const local = tape.scoped([&] {
    auto const messages = gine_aggregate(tape, x, edges, graph.incoming, graph.source, R(0), kinds);
    return local_(tape, messages, residual(x));
  });
  auto const global = tape.scoped([&] { return attention_(tape, x, graph.nodes, residual(x)); });
  auto const both =
      batch_norm(tape, std::array{norm1_.term(tape, local), norm2_.term(tape, global)});
  return tape.scoped([&] { return norm3_(tape, mlp_(tape, both, residual(both))); });
}

template <ExecutionSpace S, class R>
Tensor<S, R> FeatureInput::operator()(Tape<S, R>& tape, Matrix<int, S> const& features,
                                      Matrix<float, S> const& values) const {
  check(features, values);
  if (!linear_) {
    return (*embedding_)(tape, features);
  }
  auto const mapped = (*linear_)(tape, constant_of(tape, values));
  return embedding_ ? add(tape, (*embedding_)(tape, features), mapped) : mapped;
}

template <ExecutionSpace S, class R>
std::pair<Tensor<S, R>, Vector<int, S>> FeatureInput::by_kind(
    Tape<S, R>& tape, Matrix<int, S> const& features, Matrix<float, S> const& values) const {
  if (linear_ || !embedding_->few_kinds()) {
    return {(*this)(tape, features, values), {}};
  }
  check(features, values);
  return embedding_->by_kind(tape, features);
}

template <ExecutionSpace S, class R>
EmbeddedGraph<S, R> Gps::embed(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
  auto const x = embed_nodes(tape, graph);
  return {x, edges_(tape, graph.edge_features, graph.edge_values)};
}

template <ExecutionSpace S, class R>
Tensor<S, R> Gps::pool_embedded(Tape<S, R>& tape, EmbeddedGraph<S, R> const& embedded,
                                GraphBatch<S> const& graph) const {
  auto const x = layers(tape, embedded, graph, [](auto const&...) {});
  return pool(tape, x, graph.nodes, options_.pooling);
}

template <ExecutionSpace S, class R>
Tensor<S, R> Gps::operator()(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
  return pool(tape, nodes(tape, graph), graph.nodes, options_.pooling);
}

}  // namespace m2u
