// SPDX-License-Identifier: Apache-2.0
// A small table with every kind of modality, some of them missing in some rows.
#pragma once

#include <string>
#include <vector>

#include "m2u/data/modality_rows.hpp"
#include "m2u/data/table_dataset.hpp"

namespace m2u::test {

inline GraphModality const graph_2d{"2d", {10, 4}, {3}, 2};
inline ConformerModality const conformer_3d{"3d"};
inline SparseModality const sparse_bio{"bio", {6, 20}};
inline DenseModality const dense_text{"text", 3};

inline std::vector<ModalitySpec> sample_modalities() {
  return {graph_2d, conformer_3d, sparse_bio, dense_text};
}

/// Row r's graph: a path of 1 + r % 4 nodes.
inline GraphRecord sample_graph(int row) {
  GraphRecord graph;
  graph.nodes = 1 + row % 4;
  for (int node = 0; node < graph.nodes; ++node) {
    graph.node_features.insert(graph.node_features.end(), {(row + node) % 10, node % 4});
    graph.encoding.insert(graph.encoding.end(),
                          {static_cast<float>(row), static_cast<float>(node)});
    if (node > 0) {
      graph.source.insert(graph.source.end(), {node - 1, node});
      graph.target.insert(graph.target.end(), {node, node - 1});
      graph.edge_features.insert(graph.edge_features.end(), {row % 3, row % 3});
    }
  }
  return graph;
}

/// Row r's conformer: 1 + r % 3 atoms on a line, 1 Å apart.
inline ConformerRecord sample_conformer(int row) {
  ConformerRecord conformer;
  for (int atom = 0; atom <= row % 3; ++atom) {
    conformer.atomic_numbers.push_back(6 + atom);
    conformer.positions.insert(conformer.positions.end(), {static_cast<float>(atom), 0.0F, 0.0F});
  }
  add_radius_graph(conformer);
  return conformer;
}

inline TableBuilder sample_builder() {
  TableBuilder builder;
  for (auto const& spec : sample_modalities()) {
    add_columns(builder, spec);
  }
  return builder;
}

/// 2d in all rows, 3d in the even ones, bio in every third, text in row 5 alone.
inline Table sample_modality_table(int rows) {
  auto builder = sample_builder();
  for (int row = 0; row < rows; ++row) {
    append(builder, graph_2d, sample_graph(row).view());
    if (row % 2 == 0) {
      append(builder, conformer_3d, sample_conformer(row).view());
    } else {
      append_absent(builder, conformer_3d);
    }
    if (row % 3 == 0) {
      std::vector<int> const hot{row % 6};
      std::vector<int> const buckets{1, 19};
      std::vector<float> const weights{0.5F, static_cast<float>(row)};
      append(builder, sparse_bio, std::vector<SparseRowView>{{hot, {}}, {buckets, weights}});
    }
    if (row == 5) {
      append(builder, dense_text, std::vector{1.0F, 2.0F, 3.0F});
    }
    builder.end_row();
  }
  return builder.finish(with_modalities(sample_modalities(), R"({"name":"sample"})"));
}

}  // namespace m2u::test
