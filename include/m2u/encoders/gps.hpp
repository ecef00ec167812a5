// SPDX-License-Identifier: Apache-2.0
/// @file
/// GraphGPS (Rampášek et al., NeurIPS 2022) as M2UMol uses it: the 2D encoder.
#pragma once

#include <optional>
#include <vector>

#include "m2u/autodiff/cast.hpp"
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
             {.dropout = options.dropout, .dropout_last = true}),
        norm1_(scope.scope("norm1"), options.width),
        norm2_(scope.scope("norm2"), options.width),
        norm3_(scope.scope("norm3"), options.width),
        dropout_(options.dropout) {}

  /// @param x [nodes, width]  @param edges [edges, width]  @return [nodes, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& edges,
                          GraphBatch<S> const& graph) const {
    auto const messages = gine_aggregate(tape, x, edges, graph.incoming, graph.source, R(0));
    auto const local = norm1_(tape, add(tape, dropout(tape, local_(tape, messages), dropout_), x));
    auto const global =
        norm2_(tape, add(tape, dropout(tape, attention_(tape, x, graph.nodes), dropout_), x));
    auto const both = add(tape, local, global);
    return norm3_(tape, add(tape, both, mlp_(tape, both)));
  }

 private:
  Mlp local_;
  MultiheadAttention attention_;
  Mlp mlp_;
  BatchNorm norm1_;
  BatchNorm norm2_;
  BatchNorm norm3_;
  float dropout_;
};

/// Graph encoder: integer node and edge features and positional encodings in, one row per graph
/// out.
class Gps {
 public:
  template <ExecutionSpace S>
  using Batch = GraphBatch<S>;

  /// @throws Error if the widths do not fit.
  explicit Gps(Scope const& scope, GpsOptions const& options = {})
      : nodes_(scope.scope("node_embedding"), options.node_vocabularies, embedded_width(options)),
        edges_(scope.scope("edge_embedding"), options.edge_vocabularies, options.width),
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
    auto x = nodes_(tape, graph.node_features);
    if (encoding_linear_) {
      auto const encoding = constant_of(tape, graph.encoding);
      x = concat_columns(tape, x, (*encoding_linear_)(tape, (*encoding_norm_)(tape, encoding)));
    }
    auto const edges = edges_(tape, graph.edge_features);
    for (auto const& layer : layers_) {
      x = layer(tape, x, edges, graph);
    }
    return x;
  }

  /// @return [graphs, width]: one row per graph
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
    return pool(tape, nodes(tape, graph), graph.nodes, options_.pooling);
  }

 private:
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

  EmbeddingSum nodes_;
  EmbeddingSum edges_;
  std::optional<BatchNorm> encoding_norm_;
  std::optional<Linear> encoding_linear_;
  std::vector<GpsLayer> layers_;
  GpsOptions options_;
};

}  // namespace m2u
