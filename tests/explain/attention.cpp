// SPDX-License-Identifier: Apache-2.0
#include "m2u/explain/attention.hpp"

#include <cmath>
#include <map>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "explain/sum_encoder.hpp"
#include "support/spaces.hpp"

namespace {

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using S = Kokkos::DefaultExecutionSpace;

/// Two layers whose attention maps are given.
struct GivenMaps {
  std::vector<std::vector<float>> maps;  ///< per layer [nodes, longest]

  struct Attention {
    std::vector<float> const* map;
    template <m2u::ExecutionSpace Space>
    m2u::Tensor<Space> weights(m2u::Tape<Space>& tape, m2u::Tensor<Space> const& /*in*/,
                               m2u::Ragged<Space> const& groups) const {
      auto const matrix = tape.matrix(groups.total, groups.longest);
      m2u::from_host(tape.space(), std::span<float const>(*map), matrix);
      return tape.constant(matrix);
    }
  };

  template <m2u::ExecutionSpace Space, class Observe>
  m2u::Tensor<Space> nodes(m2u::Tape<Space>& tape, m2u::GraphBatch<Space> const& graph,
                           Observe const& observe) const {
    auto const x = tape.constant(tape.matrix(graph.size(), 1));
    for (std::size_t layer = 0; layer < maps.size(); ++layer) {
      observe(static_cast<int>(layer), x, x, graph.nodes, Attention{&maps[layer]});
    }
    return x;
  }
};

m2u::GraphBatch<m2u::Host> bare(std::vector<m2u::GraphRecord> const& records) {
  std::vector<m2u::GraphView> views;
  for (auto const& record : records) {
    views.push_back(record.view());
  }
  return m2u::make_graph_batch(views, {});
}

m2u::GraphRecord path() {
  m2u::GraphRecord record;  // 0 - 1 - 2
  record.nodes = 3;
  record.source = {0, 1, 1, 2};
  record.target = {1, 0, 2, 1};
  return record;
}

m2u::GraphRecord points(int nodes) {
  m2u::GraphRecord record;
  record.nodes = nodes;
  return record;
}

m2u::Parameters<S> no_parameters() { return {S{}, {}, {}}; }

}  // namespace

TEST_CASE("attention on bonds has the values of a calculation by hand", "[explain]") {
  GivenMaps const encoder{{{1.0F, 0.0F, 0.0F,  // a single atom before the path
                            0.5F, 0.3F, 0.2F,  //
                            0.1F, 0.6F, 0.3F,  //
                            0.4F, 0.4F, 0.2F},
                           {1.0F, 0.0F, 0.0F,  //
                            0.1F, 0.9F, 0.0F,  //
                            0.3F, 0.2F, 0.5F,  //
                            0.0F, 0.2F, 0.8F}}};
  auto const graph = bare({points(1), path()});
  auto const rows = m2u::attention_importance(S{}, encoder, no_parameters(), graph);
  // Means of the layers: 0 attends to 1 by 0.6, 1 to 0 by 0.2 and to 2 by 0.4, 2 to 1 by 0.3. That
  // 0 and 2, which are not bonded, attend to each other by 0.1 and 0.2 does not count.
  REQUIRE(rows.nodes.size() == 4);
  CHECK(rows.nodes[0] == 0.0);
  CHECK(rows.nodes[1] == Approx(0.6));
  CHECK(rows.nodes[2] == Approx(0.6));
  CHECK(rows.nodes[3] == Approx(0.3));
  auto const whole = m2u::undirected(rows, graph, m2u::BondScore::mean);
  CHECK(whole.bonds == std::vector<std::pair<int, int>>{{1, 2}, {2, 3}});
  CHECK(whole.edges[0] == Approx(0.4));
  CHECK(whole.edges[1] == Approx(0.35));
}

TEST_CASE("centred attention is in -1 ... 1 with mean zero, and zero where nothing differs",
          "[explain]") {
  auto const unit = m2u::centred_to_unit({{0.6, 0.6, 0.3}, {{0, 1}, {1, 2}}, {0.4, 0.35}});
  CHECK(unit.nodes[0] == Approx(0.5));
  CHECK(unit.nodes[1] == Approx(0.5));
  CHECK(unit.nodes[2] == -1.0);
  CHECK(unit.edges[0] == 1.0);
  CHECK(unit.edges[1] == Approx(-1.0));
  m2u::Parameters<S> const none = no_parameters();
  for (int const atoms : {0, 1, 2}) {
    INFO(atoms);
    auto const graph = bare({points(atoms)});
    GivenMaps const encoder{{std::vector<float>(static_cast<std::size_t>(atoms * atoms), 0.5F)}};
    auto const flat = m2u::centred_to_unit(m2u::undirected(
        m2u::attention_importance(S{}, encoder, none, graph), graph, m2u::BondScore::mean));
    CHECK(flat.nodes == std::vector<double>(static_cast<std::size_t>(atoms), 0.0));
    CHECK(flat.edges.empty());
  }
}

TEMPLATE_LIST_TEST_CASE("an encoder's attention on bonds is less than all of it", "[explain]",
                        m2u::test::Spaces) {
  m2u::ParameterLayout layout;
  auto const gps = m2u::test::toy_gps(layout);
  m2u::Parameters<TestType> const theta(TestType{}, layout, m2u::Seed{4});
  auto const graph = m2u::test::toy_graphs(
      {m2u::test::toy_graph(0), m2u::test::toy_graph(3), m2u::test::toy_graph(5)});
  auto const rows = m2u::attention_importance(TestType{}, gps, theta, graph);
  REQUIRE(rows.nodes.size() == static_cast<std::size_t>(graph.size()));
  int const alone = graph.nodes.offsets(1);  // toy graph 3 is a single node
  for (int node = 0; node < graph.size(); ++node) {
    double const score = rows.nodes[static_cast<std::size_t>(node)];
    CHECK((node == alone ? score == 0.0 : score > 0.0));
    CHECK(score < 1.0);  // a row of the whole map sums to 1
  }
}

TEST_CASE("groups are scored by their nodes and the bonds between them", "[explain]") {
  m2u::Importance const importance{{1.0, 2.0, -4.0}, {{0, 1}, {1, 2}}, {0.5, 8.0}};
  std::vector<m2u::NodeGroup> const groups{{0, 1}, {2}, {0, 1, 2}, {0, 2}};
  CHECK(m2u::group_sums(importance, groups) == std::vector<double>{3.5, -4.0, 7.5, -3.0});
  CHECK(m2u::group_means(importance, groups)[0] == 1.5);
  CHECK(m2u::ranked(m2u::group_sums(importance, groups)) == std::vector<std::size_t>{2, 0, 3, 1});
  auto const refused = [&](m2u::NodeGroup const& group, char const* why) {
    CHECK_THROWS_WITH(m2u::group_sums(importance, std::vector<m2u::NodeGroup>{group}),
                      ContainsSubstring(why));
  };
  refused({}, "has no nodes");
  refused({3}, "has the node 3, but the graph has 3 nodes");
  refused({1, 1}, "has the node 1 twice");
  CHECK_THROWS_WITH(m2u::undirected({{1.0}, {}}, bare({path()}), m2u::BondScore::sum),
                    ContainsSubstring("do not fit a batch of 3 nodes and 4 edges"));
}
