// SPDX-License-Identifier: Apache-2.0
// The recorded inputs as batches of ours.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "m2u/encoders/gps.hpp"
#include "m2u/graph/random_walk.hpp"
#include "parity/golden.hpp"

namespace m2u::parity {

namespace {

/// Where each molecule's rows begin, and the end of the last.
std::vector<int> offsets_of(std::vector<int> const& molecule_of, std::string const& name) {
  std::vector<int> offsets{0};
  for (std::size_t i = 0; i < molecule_of.size(); ++i) {
    expects(molecule_of[i] >= static_cast<int>(offsets.size()) - 1, name, " must not fall");
    while (static_cast<int>(offsets.size()) <= molecule_of[i]) {
      offsets.push_back(static_cast<int>(i));
    }
  }
  offsets.push_back(static_cast<int>(molecule_of.size()));
  return offsets;
}

/// Rows first … last - 1 of a matrix that has `rows` rows.
template <class T>
std::vector<T> rows_between(std::vector<T> const& matrix, std::size_t rows, int first, int last) {
  auto const width = rows == 0 ? 0 : static_cast<std::ptrdiff_t>(matrix.size() / rows);
  return {matrix.begin() + first * width, matrix.begin() + last * width};
}

/// Edges in two rows, sources and targets, each with its molecule.
struct Edges {
  Edges(std::vector<int> const& index, std::vector<int> const& molecule_of)
      : source(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(index.size() / 2)),
        target(index.begin() + static_cast<std::ptrdiff_t>(index.size() / 2), index.end()) {
    for (int const atom : source) {
      molecule.push_back(molecule_of.at(static_cast<std::size_t>(atom)));
    }
  }
  std::size_t size() const { return source.size(); }
  std::vector<int> source;
  std::vector<int> target;
  std::vector<int> molecule;
};

std::vector<GraphRecord> read_graphs(Dims const& dims, Recorded& recorded) {
  auto const molecule_of = recorded.feed_integers("in.batch");
  auto const offsets = offsets_of(molecule_of, "in.batch");
  auto const atoms = molecule_of.size();
  Edges const edges(recorded.feed_integers("in.edge_index"), molecule_of);
  auto const x = recorded.feed_integers("in.x");
  auto const values = recorded.feed("in.x_onehot");
  auto const encoding = recorded.feed("in.rwpe");
  auto const edge_x = recorded.feed_integers("in.edge_attr");
  auto const edge_values = recorded.feed("in.edge_onehot");
  std::vector<GraphRecord> graphs(offsets.size() - 1);
  std::vector<float> own_encoding;
  for (std::size_t m = 0; m < graphs.size(); ++m) {
    auto& graph = graphs[m];
    int const first = offsets[m];
    int const last = offsets[m + 1];
    graph.nodes = last - first;
    graph.node_features = rows_between(x, atoms, first, last);
    graph.node_values = rows_between(values, atoms, first, last);
    graph.encoding = rows_between(encoding, atoms, first, last);
    for (std::size_t e = 0; e < edges.size(); ++e) {
      if (edges.molecule[e] == static_cast<int>(m)) {
        graph.source.push_back(edges.source[e] - first);
        graph.target.push_back(edges.target[e] - first);
        auto const edge = static_cast<int>(e);
        for (int const feature : rows_between(edge_x, edges.size(), edge, edge + 1)) {
          graph.edge_features.push_back(feature);
        }
        for (float const value : rows_between(edge_values, edges.size(), edge, edge + 1)) {
          graph.edge_values.push_back(value);
        }
      }
    }
    auto const walks = random_walk_encoding(graph.view(), dims.encoding_steps);
    own_encoding.insert(own_encoding.end(), walks.begin(), walks.end());
  }
  recorded.compare("in.rwpe", own_encoding);
  return graphs;
}

/// The batch with integer features, or with real-valued ones.
GraphBatch<Space> make_batch(std::vector<GraphRecord> const& graphs, GraphColumns const& columns) {
  std::vector<GraphView> views;
  for (auto const& graph : graphs) {
    auto view = graph.view();
    if (columns.node_values > 0) {
      view.node_features = {};
      view.edge_features = {};
    } else {
      view.node_values = {};
      view.edge_values = {};
    }
    views.push_back(view);
  }
  return to_space(Space{}, make_graph_batch(views, columns));
}

SparseRows<Host> sparse(std::vector<int> const& dense, int rows, int width) {
  std::vector<int> lengths(static_cast<std::size_t>(rows), 0);
  std::vector<int> columns;
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (dense[i] != 0) {
      ++lengths[i / static_cast<std::size_t>(width)];
      columns.push_back(static_cast<int>(i % static_cast<std::size_t>(width)));
    }
  }
  return make_sparse_rows(lengths, columns, {}, width);
}

Matrix<float, Space> matrix(std::vector<float> const& values, std::size_t rows) {
  auto const cols = rows == 0 ? 0 : values.size() / rows;
  return to_space<Space>(Space{}, host_matrix("m2u::parity::input", static_cast<int>(rows),
                                              static_cast<int>(cols), values));
}

}  // namespace

FedConformers<Space> read_conformers(Recorded& recorded, std::string const& groups,
                                     ComENetOptions const& options, std::vector<int>& edge_order) {
  auto const molecule_of = recorded.feed_integers(groups);
  auto const offsets = offsets_of(molecule_of, groups);
  auto const numbers = recorded.feed_integers("in.z");
  auto const positions = recorded.feed("in.pos");
  Edges const edges(recorded.feed_integers("in.edge_index3d"), molecule_of);
  std::vector<ConformerRecord> records(offsets.size() - 1);
  for (std::size_t m = 0; m < records.size(); ++m) {
    auto& record = records[m];
    int const first = offsets[m];
    record.atomic_numbers = rows_between(numbers, molecule_of.size(), first, offsets[m + 1]);
    record.positions = rows_between(positions, molecule_of.size(), first, offsets[m + 1]);
    for (std::size_t e = 0; e < edges.size(); ++e) {
      if (edges.molecule[e] == static_cast<int>(m)) {
        record.source.push_back(edges.source[e] - first);
        record.target.push_back(edges.target[e] - first);
      }
    }
    constexpr int neighbours = 32;
    record.geometry = edge_geometry(EdgeGeometry::published, record.positions, record.source,
                                    record.target, options.cutoff, neighbours);
  }
  std::vector<ConformerView> views;
  for (auto const& record : records) {
    views.push_back(record.view());
  }
  edge_order.resize(edges.size());
  std::iota(edge_order.begin(), edge_order.end(), 0);
  std::stable_sort(edge_order.begin(), edge_order.end(), [&](int a, int b) {
    return edges.target[static_cast<std::size_t>(a)] < edges.target[static_cast<std::size_t>(b)];
  });
  auto const basis = [&](char const* name) {
    auto const all = recorded.feed(name);
    std::vector<float> sorted;
    for (int const edge : edge_order) {
      auto const row = rows_between(all, edges.size(), edge, edge + 1);
      sorted.insert(sorted.end(), row.begin(), row.end());
    }
    return matrix(sorted, edges.size());
  };
  return {to_space(Space{}, make_conformer_batch(views)), basis("in.feature1"),
          basis("in.feature2")};
}

std::vector<float> in_recorded_order(std::vector<float> const& values,
                                     std::vector<int> const& edge_order) {
  std::vector<float> result(values.size());
  auto const width = edge_order.empty() ? 0 : values.size() / edge_order.size();
  for (std::size_t k = 0; k < edge_order.size(); ++k) {
    auto const from = values.begin() + static_cast<std::ptrdiff_t>(k * width);
    std::copy(from, from + static_cast<std::ptrdiff_t>(width),
              result.begin() +
                  static_cast<std::ptrdiff_t>(static_cast<std::size_t>(edge_order[k]) * width));
  }
  return result;
}

Inputs read_inputs(Dims const& dims, Folder::Batch const& batch, Recorded& recorded) {
  auto const graphs = read_graphs(dims, recorded);
  auto const molecules = graphs.size();
  expects(molecules == batch.smiles.size(), "batch ", batch.name, ": the manifest has ",
          batch.smiles.size(), " SMILES, but in.batch ", molecules, " molecules");
  auto const columns = [&](char const* name) {
    return static_cast<int>(recorded.shape(name).at(1));
  };
  Inputs inputs;
  inputs.molecules = static_cast<int>(molecules);
  inputs.graphs = make_batch(graphs, {.node_features = columns("in.x"),
                                      .edge_features = columns("in.edge_attr"),
                                      .encoding = dims.encoding_steps});
  inputs.one_hot_graphs = make_batch(graphs, {.encoding = dims.encoding_steps,
                                              .node_values = columns("in.x_onehot"),
                                              .edge_values = columns("in.edge_onehot")});
  inputs.conformers = read_conformers(recorded, "in.batch3d", dims.conformers, inputs.edge_order);
  inputs.text = {matrix(recorded.feed("in.text"), molecules)};
  SparseBatch<Host> bio;
  std::size_t vocabulary = 0;
  for (auto const* const name : {"in.bio_target", "in.bio_enzyme", "in.bio_category"}) {
    bio.vocabularies.push_back(
        sparse(recorded.feed_integers(name), inputs.molecules, dims.bio.at(vocabulary++)));
  }
  inputs.bio = to_space(Space{}, bio);
  compare_features(dims, batch, recorded);
  return inputs;
}

}  // namespace m2u::parity
