// SPDX-License-Identifier: Apache-2.0
// Batches of graphs and conformers, and what encoders of them must not depend on.
#include <numeric>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/encoders/gin.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/schnet.hpp"
#include "m2u/graph/random_walk.hpp"
#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using S = Kokkos::DefaultExecutionSpace;

/// One encoder on one batch, in evaluation mode, on the host.
template <class Space, class Encoder, class Batch>
std::vector<float> run(Space const& space, m2u::ParameterLayout const& layout,
                       Encoder const& encoder, Batch const& batch) {
  m2u::Tape<Space> tape(space, m2u::Parameters<Space>(space, layout, m2u::Seed{4}),
                        m2u::Mode::evaluation);
  return m2u::to_host(space, encoder(tape, m2u::to_space(space, batch)).value);
}

void check_close(std::vector<float> const& a, std::vector<float> const& b) {
  REQUIRE(a.size() == b.size());
  double norm = 0.0;
  double difference = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2.0);
  }
  CHECK(std::sqrt(difference) <= 1e-4 * std::sqrt(norm));
}

/// The graph with its nodes in another order.
m2u::GraphRecord permuted(m2u::GraphRecord const& graph) {
  auto const order = m2u::random_permutation(graph.nodes, m2u::Seed{1}, 2);
  m2u::GraphRecord result = graph;
  for (int node = 0; node < graph.nodes; ++node) {
    int const to = order[static_cast<std::size_t>(node)];
    for (int k = 0; k < 2; ++k) {
      result.node_features[static_cast<std::size_t>(2 * to + k)] =
          graph.node_features[static_cast<std::size_t>(2 * node + k)];
    }
    for (int k = 0; k < 4; ++k) {
      result.encoding[static_cast<std::size_t>(4 * to + k)] =
          graph.encoding[static_cast<std::size_t>(4 * node + k)];
    }
  }
  auto const edges = graph.source.size();
  for (std::size_t edge = 0; edge < edges; ++edge) {
    auto const from = edges - 1 - edge;
    result.source[edge] = order[static_cast<std::size_t>(graph.source[from])];
    result.target[edge] = order[static_cast<std::size_t>(graph.target[from])];
    result.edge_features[edge] = graph.edge_features[from];
  }
  return result;
}

m2u::GraphBatch<m2u::Host> batch_of(std::vector<m2u::GraphRecord> const& graphs) {
  std::vector<m2u::GraphView> views;
  for (auto const& graph : graphs) {
    views.push_back(graph.view());
  }
  return m2u::make_graph_batch(views, {2, 1, 4});
}

m2u::ConformerBatch<m2u::Host> batch_of(std::vector<m2u::ConformerRecord> const& conformers) {
  std::vector<m2u::ConformerView> views;
  for (auto const& conformer : conformers) {
    views.push_back(conformer.view());
  }
  return m2u::make_conformer_batch(views);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("graph encoders ignore the order of nodes and the company of a graph",
                        "[encoders]", m2u::test::Spaces) {
  TestType const space;
  m2u::ParameterLayout layout;
  m2u::Gps const gps{layout.scope("gps"),
                     {.width = 16,
                      .layers = 2,
                      .heads = 2,
                      .node_vocabularies = {7, 3},
                      .edge_vocabularies = {4},
                      .encoding_steps = 4,
                      .encoding_width = 4}};
  m2u::Gin const gin{layout.scope("gin"), {.width = 12, .layers = 2, .node_vocabularies = {7, 3}}};
  auto const check = [&](auto const& encoder) {
    auto const width = static_cast<std::size_t>(encoder.out());
    auto const all =
        run(space, layout, encoder,
            batch_of({m2u::test::toy_graph(0), m2u::test::toy_graph(3), m2u::test::toy_graph(5)}));
    CHECK(all.size() == 3 * width);
    for (int const sample : {0, 3, 5}) {
      auto const alone =
          run(space, layout, encoder, batch_of({permuted(m2u::test::toy_graph(sample))}));
      auto const row = static_cast<std::ptrdiff_t>(width) * (sample == 0 ? 0 : sample == 3 ? 1 : 2);
      check_close(alone,
                  {all.begin() + row, all.begin() + row + static_cast<std::ptrdiff_t>(width)});
    }
    CHECK(run(space, layout, encoder, batch_of(std::vector<m2u::GraphRecord>{})).empty());
  };
  check(gps);
  check(gin);
}

TEST_CASE("SchNet ignores rotation, translation, mirror images and the order of atoms",
          "[encoders]") {
  m2u::ParameterLayout layout;
  m2u::SchNet const schnet{
      layout.scope("3d"),
      {.width = 16, .filters = 16, .interactions = 2, .gaussians = 8, .elements = 12, .out = 8}};
  auto const conformer = m2u::test::toy_conformer(5);
  auto moved = conformer;
  double const angle = 0.7;
  auto const atoms = conformer.atomic_numbers.size();
  for (std::size_t i = 0; i < atoms; ++i) {
    auto const to = atoms - 1 - i;  // reversed order
    double const x = conformer.positions[3 * i];
    double const y = conformer.positions[3 * i + 1];
    moved.atomic_numbers[to] = conformer.atomic_numbers[i];
    moved.positions[3 * to] = static_cast<float>(std::cos(angle) * x - std::sin(angle) * y + 3.0);
    moved.positions[3 * to + 1] =
        static_cast<float>(std::sin(angle) * x + std::cos(angle) * y - 1.0);
    moved.positions[3 * to + 2] = conformer.positions[3 * i + 2] + 0.5F;
  }
  m2u::add_radius_graph(moved);
  S const space;
  check_close(run(space, layout, schnet, batch_of({moved})),
              run(space, layout, schnet, batch_of({conformer})));
}

TEST_CASE("conformers without edges and with coincident atoms are finite", "[encoders]") {
  m2u::ParameterLayout layout;
  m2u::SchNet const schnet{
      layout.scope("3d"),
      {.width = 8, .filters = 8, .interactions = 1, .gaussians = 8, .elements = 12, .out = 8}};
  m2u::ConformerRecord single{{3}, {0.0F, 0.0F, 0.0F}, {}, {}};
  m2u::ConformerRecord coincident{{11, 11}, {1, 1, 1, 1, 1, 1}, {}, {}};
  m2u::ConformerRecord distant{{1, 1}, {0, 0, 0, 100, 0, 0}, {}, {}};
  for (auto* const conformer : {&single, &coincident, &distant}) {
    m2u::add_radius_graph(*conformer);
  }
  CHECK(single.source.empty());
  CHECK(coincident.source.size() == 2);
  CHECK(distant.source.empty());
  for (float const value : run(S{}, layout, schnet, batch_of({single, coincident, distant}))) {
    CHECK(std::isfinite(value));
  }
}

TEST_CASE("the radius graph keeps the nearest neighbours, ties by index", "[graph]") {
  m2u::ConformerRecord line{{1, 1, 1, 1, 1}, {0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 9, 0, 0}, {}, {}};
  m2u::add_radius_graph(line, {.cutoff = 2.5F, .neighbours = 2});
  std::vector<std::pair<int, int>> edges;
  for (std::size_t i = 0; i < line.source.size(); ++i) {
    edges.emplace_back(line.target[i], line.source[i]);
  }
  CHECK(edges == std::vector<std::pair<int, int>>{
                     {0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 1}, {2, 3}, {3, 1}, {3, 2}});
}

TEST_CASE("random-walk encodings are return probabilities", "[graph]") {
  // A path of three nodes: from an end, back after 2 steps with chance 1/2.
  m2u::GraphRecord path{3, {}, {}, {0, 1, 1, 2}, {1, 0, 2, 1}, {}};
  CHECK(m2u::random_walk_encoding(path.view(), 4) ==
        std::vector<float>{0, 0.5F, 0, 0.5F, 0, 1, 0, 1, 0, 0.5F, 0, 0.5F});
  m2u::GraphRecord alone{1, {}, {}, {}, {}, {}};
  CHECK(m2u::random_walk_encoding(alone.view(), 3) == std::vector<float>{0, 0, 0});
}

TEST_CASE("batches refuse malformed graphs and conformers", "[graph]") {
  auto const refuse = [](m2u::GraphRecord graph, char const* message) {
    std::vector<m2u::GraphView> const views{graph.view()};
    CHECK_THROWS_WITH(m2u::make_graph_batch(views, {2, 1, 4}), ContainsSubstring(message));
  };
  auto graph = m2u::test::toy_graph(0);
  graph.source.pop_back();
  refuse(graph, "edge sources, but");
  graph = m2u::test::toy_graph(0);
  graph.source[0] = 99;
  refuse(graph, "edge 0 goes from node 99");
  graph = m2u::test::toy_graph(0);
  graph.node_features.pop_back();
  refuse(graph, "node_features holds");
  graph = m2u::test::toy_graph(0);
  graph.encoding.clear();
  refuse(graph, "encoding holds 0 values");

  auto conformer = m2u::test::toy_conformer(2);
  conformer.positions[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(batch_of({conformer}), ContainsSubstring("not finite"));
  conformer = m2u::test::toy_conformer(2);
  conformer.positions.pop_back();
  CHECK_THROWS_WITH(batch_of({conformer}), ContainsSubstring("coordinates"));
}
