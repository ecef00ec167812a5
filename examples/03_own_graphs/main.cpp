// SPDX-License-Identifier: Apache-2.0
// Graphs that are not molecules: rings, stars, grids and trees of Boost.Graph, taught by noisy
// measurements and by tags. Afterwards a graph alone tells which measurements are its own.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <boost/graph/adjacency_list.hpp>

#include "m2u/graph/from_boost_graph.hpp"
#include "m2u/m2u.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Network = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;

namespace {

constexpr int degrees = 10;  // a node's feature: its degree, at most 9
constexpr int kinds = 4;     // ring, star, grid, tree
constexpr int width = 32;
m2u::GraphModality const graph{"graph", {degrees}, {}};
m2u::DenseModality const measured{"measured", 5};
m2u::SparseModality const tags{"tags", {kinds + 2}};

/// Random numbers of one sample, one after the other.
class Random {
 public:
  explicit Random(int sample) : stream_{5, static_cast<std::uint64_t>(sample)} {}
  float uniform() { return stream_.uniform(next_++); }
  int below(int end) { return static_cast<int>(uniform() * static_cast<float>(end)); }

 private:
  m2u::RandomStream stream_;
  std::uint64_t next_ = 0;
};

/// A network of one kind with a few random edges more.
Network make_network(int kind, Random& random) {
  int const columns = 2 + random.below(5);
  int const nodes = kind == 2 ? columns * (2 + random.below(5)) : 5 + random.below(26);
  Network network(static_cast<std::size_t>(nodes));
  auto const join = [&](int a, int b) {
    add_edge(static_cast<std::size_t>(a), static_cast<std::size_t>(b), network);
  };
  for (int node = 1; node < nodes; ++node) {
    if (kind == 0) {
      join(node - 1, node);
    } else if (kind == 1) {
      join(0, node);
    } else if (kind == 3) {
      join(random.below(node), node);
    } else {
      if (node % columns != 0) {
        join(node - 1, node);
      }
      if (node >= columns) {
        join(node - columns, node);
      }
    }
  }
  if (kind == 0) {
    join(nodes - 1, 0);
  }
  for (int extra = random.below(4); extra > 0; --extra) {
    join(random.below(nodes), random.below(nodes));
  }
  return network;
}

/// Sizes and degrees as an instrument would give them: with an error of some percent.
std::vector<float> measure(Network const& network, Random& random) {
  double leaves = 0.0;
  double squares = 0.0;
  double largest = 0.0;
  for (auto range = vertices(network); range.first != range.second; ++range.first) {
    auto const degree = static_cast<double>(out_degree(*range.first, network));
    leaves += degree == 1.0 ? 1.0 : 0.0;
    squares += degree * degree;
    largest = std::max(largest, degree);
  }
  auto const nodes = static_cast<double>(num_vertices(network));
  std::vector<float> values;
  for (double const value :
       {nodes, static_cast<double>(num_edges(network)), leaves, std::sqrt(squares), largest}) {
    values.push_back(static_cast<float>(value) / 10.0F * (0.97F + 0.06F * random.uniform()));
  }
  return values;
}

m2u::TableDataset make_data(int count) {
  std::vector<m2u::ModalitySpec> const all{graph, measured, tags};
  m2u::TableBuilder builder;
  for (auto const& modality : all) {
    add_columns(builder, modality);
  }
  for (int sample = 0; sample < count; ++sample) {
    Random random(sample);
    int const kind = random.below(kinds);
    auto const network = make_network(kind, random);
    auto const degree = [&](auto vertex) {
      return std::array{std::min(static_cast<int>(out_degree(vertex, network)), degrees - 1)};
    };
    auto const nothing = [](auto const& /*edge*/) { return std::array<int, 0>{}; };
    append(builder, graph, m2u::from_boost_graph(network, degree, nothing).view());
    append(builder, measured, measure(network, random));
    if (sample % 3 != 0) {  // a third has no tags
      std::array const hot{kind, kinds + (num_vertices(network) > 16 ? 1 : 0)};
      append(builder, tags, m2u::SparseRowView{hot, {}});
    }
    builder.end_row();
  }
  return m2u::TableDataset{builder.finish(m2u::with_modalities(all))};
}

}  // namespace

int main(int argc, char** argv) {
  Kokkos::ScopeGuard const kokkos(argc, argv);
  auto const data = make_data(600);
  auto const order = m2u::random_permutation(data.size(), m2u::Seed{1}, 0);
  std::vector<int> const train(order.begin() + 100, order.end());
  std::vector<int> const held_out(order.begin(), order.begin() + 100);

  m2u::ParameterLayout layout;
  auto const adapter = [&](char const* name) {
    return m2u::LinearAdapter{layout.scope(name), width, width};
  };
  m2u::MultiToUni const model{
      m2u::hub<"graph">(m2u::Gin{layout.scope("hub"),
                                 {.width = width,
                                  .layers = 2,
                                  .node_vocabularies = {degrees},
                                  .pooling = m2u::Pooling::sum}}),
      m2u::match<"measured">(m2u::Precomputed{layout.scope("measured"), measured.width, width},
                             adapter("to_measured"), m2u::NtXent{}),
      m2u::match<"tags">(
          m2u::MultiHot{layout.scope("tags"), {.vocabularies = tags.widths, .out = width}},
          adapter("to_tags"), m2u::NtXent{}, 0.1)};

  m2u::Parameters<Space> const theta{Space{}, layout, m2u::Seed{1}};
  using Source = m2u::SequentialBatches<Space, m2u::TableDataset>;
  auto const evaluate = [&] {
    Source source(data, {.shuffle = false}, held_out);
    auto const vectors = m2u::embed(Space{}, model, theta, source).modality("measured");
    return m2u::retrieval_metrics(vectors.generated.values, vectors.real.values, width);
  };
  auto const before = evaluate();
  m2u::Adam<Space> adam{theta, {.learning_rate = 3e-3}};
  m2u::Trainer trainer{model, theta, adam, m2u::ProgressBar{{.unit = "graphs"}}};
  trainer.fit(Source(data, {.size = 50}, train), {.epochs = 20});
  auto const after = evaluate();

  std::printf("the measurements of held-out graphs, out of %d (first 5; median rank)\n",
              after.pool);
  std::printf("  before training: %3.0f %%; %.1f\n", 100.0 * before.recall_at_5,
              before.median_rank);
  std::printf("  after training:  %3.0f %%; %.1f\n", 100.0 * after.recall_at_5, after.median_rank);
  return after.recall_at_5 > 2.0 * before.recall_at_5 ? 0 : 1;
}
