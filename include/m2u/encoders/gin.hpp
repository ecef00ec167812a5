// SPDX-License-Identifier: Apache-2.0
/// @file
/// Graph isomorphism network (Xu et al., ICLR 2019).
#pragma once

#include <vector>

#include "m2u/encoders/pooling.hpp"
#include "m2u/graph/graph_batch.hpp"
#include "m2u/nn/embedding_sum.hpp"
#include "m2u/nn/mlp.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/activation.hpp"
#include "m2u/ops/dropout.hpp"
#include "m2u/ops/gine_aggregate.hpp"

namespace m2u {

struct GinOptions {
  int width = 128;
  int layers = 4;
  float dropout = 0.0F;
  std::vector<int> node_vocabularies;  ///< sizes of the integer node features
  Pooling pooling = Pooling::mean;
};

/// Node features are embedded and summed; each layer is ReLU(BN(MLP(x_i + Σ_j x_j))). Edge features
/// are not used: see Gps for an encoder that uses them.
class Gin {
 public:
  template <ExecutionSpace S>
  using Batch = GraphBatch<S>;

  explicit Gin(Scope const& scope, GinOptions const& options)
      : nodes_(scope.scope("node_embedding"), options.node_vocabularies, options.width),
        options_(options) {
    for (int layer = 0; layer < options.layers; ++layer) {
      auto const inner = scope.scope("layer", layer);
      mlps_.emplace_back(inner.scope("mlp"), options.width, options.width, options.width);
      norms_.emplace_back(inner.scope("norm"), options.width);
    }
  }

  int out() const { return options_.width; }

  /// @return [nodes, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> nodes(Tape<S, R>& tape, GraphBatch<S> const& graph) const;

  /// @return [graphs, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, GraphBatch<S> const& graph) const;

 private:
  EmbeddingSum nodes_;
  std::vector<Mlp> mlps_;
  std::vector<BatchNorm> norms_;
  GinOptions options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> Gin::nodes(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
  auto x = nodes_(tape, graph.node_features);
  for (std::size_t layer = 0; layer < mlps_.size(); ++layer) {
    auto const sum = gin_aggregate(tape, x, graph.incoming, graph.source, R(0));
    auto const y = activation(tape, norms_[layer](tape, mlps_[layer](tape, sum)), Activation::relu);
    x = dropout(tape, y, options_.dropout);
  }
  return x;
}

template <ExecutionSpace S, class R>
Tensor<S, R> Gin::operator()(Tape<S, R>& tape, GraphBatch<S> const& graph) const {
  return pool(tape, nodes(tape, graph), graph.nodes, options_.pooling);
}

}  // namespace m2u
