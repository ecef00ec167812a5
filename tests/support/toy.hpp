// SPDX-License-Identifier: Apache-2.0
// A small model with every kind of part, and batches of made-up samples with missing modalities.
#pragma once

#include <utility>
#include <vector>

#include "m2u/adapters/linear_adapter.hpp"
#include "m2u/adapters/mlp_adapter.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/hashed_text.hpp"
#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/schnet.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/objectives/modality_classifier.hpp"
#include "m2u/objectives/nt_xent.hpp"
#include "m2u/objectives/symmetric_info_nce.hpp"
#include "m2u/transfer/multi_to_uni.hpp"

namespace m2u::test {

inline constexpr int toy_width = 16;

inline auto toy_composition(ParameterLayout& layout) {
  return MultiToUni{
      hub(Gps{layout.scope("hub"),
              {.width = toy_width,
               .layers = 2,
               .heads = 2,
               .node_vocabularies = {7, 3},
               .edge_vocabularies = {4},
               .encoding_steps = 4,
               .encoding_width = 4}}),
      match<"3d">(SchNet{layout.scope("3d"),
                         {.width = 8,
                          .filters = 8,
                          .interactions = 1,
                          .gaussians = 6,
                          .elements = 10,
                          .out = toy_width}},
                  LinearAdapter{layout.scope("to_3d"), toy_width, toy_width}, NtXent{}),
      match<"text">(HashedText{layout.scope("text"), {.buckets = 32, .width = 8, .out = toy_width}},
                    MlpAdapter{layout.scope("to_text"), toy_width, 8, toy_width},
                    SymmetricInfoNce{}),
      match<"bio">(MultiHot{layout.scope("bio"), {.vocabularies = {9, 5}, .out = toy_width}},
                   LinearAdapter{layout.scope("to_bio"), toy_width, toy_width}, NtXent{}, 2.0),
      shared_norm(LayerNorm{layout.scope("norm"), toy_width}),
      joint(ModalityClassifier{layout.scope("modality"), {.width = toy_width}})};
}

struct ToyModel {
  ParameterLayout layout;
  decltype(toy_composition(std::declval<ParameterLayout&>())) model = toy_composition(layout);
};
inline ToyModel make_toy_model() { return {}; }

/// A random graph: a ring of 3 … 8 nodes with a tail; sample 3 is a single node.
inline GraphRecord toy_graph(int sample) {
  RandomStream const random{99, static_cast<std::uint64_t>(sample)};
  auto draw = [&, i = std::uint64_t{0}](int below) mutable {
    return static_cast<int>(random.uniform(i++) * static_cast<float>(below));
  };
  GraphRecord graph;
  graph.nodes = sample == 3 ? 1 : 3 + draw(6);
  for (int node = 0; node < graph.nodes; ++node) {
    graph.node_features.push_back(draw(7));
    graph.node_features.push_back(draw(3));
    for (int k = 0; k < 4; ++k) {
      graph.encoding.push_back(random.uniform(1000 + static_cast<std::uint64_t>(4 * node + k)));
    }
    int const next = (node + 1) % graph.nodes;
    if (next != node) {
      int const kind = draw(4);
      graph.source.insert(graph.source.end(), {node, next});
      graph.target.insert(graph.target.end(), {next, node});
      graph.edge_features.insert(graph.edge_features.end(), {kind, kind});
    }
  }
  return graph;
}

inline ConformerRecord toy_conformer(int sample) {
  RandomStream const random{98, static_cast<std::uint64_t>(sample)};
  ConformerRecord conformer;
  int const atoms = 1 + sample % 6;
  for (int atom = 0; atom < atoms; ++atom) {
    conformer.atomic_numbers.push_back(1 + (sample + atom) % 9);
    for (int k = 0; k < 3; ++k) {
      conformer.positions.push_back(4.0F *
                                    random.uniform(static_cast<std::uint64_t>(3 * atom + k)));
    }
  }
  add_radius_graph(conformer);
  return conformer;
}

inline SparseRows<Host> toy_sparse(std::vector<int> const& samples, int width) {
  std::vector<int> lengths;
  std::vector<int> columns;
  for (int const sample : samples) {
    lengths.push_back(1 + sample % 3);
    for (int k = 0; k < lengths.back(); ++k) {
      columns.push_back((5 * sample + 3 * k) % width);
    }
  }
  return make_sparse_rows(lengths, columns, {}, width);
}

/// Samples 0 … size - 1: all have the hub; modalities are missing by the remainder of their number.
template <ExecutionSpace S>
HostBatch<S> make_toy_host_batch(std::vector<int> const& ids) {
  HostBatch<S> batch(ids);
  std::vector<int> rows[4];
  std::vector<int> samples[4];
  for (int row = 0; row < static_cast<int>(ids.size()); ++row) {
    int const sample = ids[static_cast<std::size_t>(row)];
    for (int modality = 0; modality < 4; ++modality) {
      if (modality == 0 || sample % (modality + 1) != 0) {
        rows[modality].push_back(row);
        samples[modality].push_back(sample);
      }
    }
  }
  std::vector<GraphRecord> graphs;
  std::vector<GraphView> graph_views;
  for (int const sample : samples[0]) {
    graphs.push_back(toy_graph(sample));
  }
  for (auto const& graph : graphs) {
    graph_views.push_back(graph.view());
  }
  std::vector<ConformerRecord> conformers;
  std::vector<ConformerView> conformer_views;
  for (int const sample : samples[1]) {
    conformers.push_back(toy_conformer(sample));
  }
  for (auto const& conformer : conformers) {
    conformer_views.push_back(conformer.view());
  }
  batch.add("2d", rows[0], make_graph_batch(graph_views, {2, 1, 4}));
  batch.add("3d", rows[1], make_conformer_batch(conformer_views));
  batch.add("text", rows[2], SparseBatch<Host>{{toy_sparse(samples[2], 32)}});
  batch.add("bio", rows[3],
            SparseBatch<Host>{{toy_sparse(samples[3], 9), toy_sparse(samples[3], 5)}});
  return batch;
}

template <ExecutionSpace S>
MultiBatch<S> make_toy_batch(S const& space, int size) {
  std::vector<int> ids(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    ids[static_cast<std::size_t>(i)] = i;
  }
  return make_toy_host_batch<S>(ids).to_space(space);
}

}  // namespace m2u::test
