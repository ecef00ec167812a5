// SPDX-License-Identifier: Apache-2.0
#include "m2u/explain/masking.hpp"

#include <cmath>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "explain/sum_encoder.hpp"
#include "m2u/explain/gradient.hpp"
#include "support/spaces.hpp"

namespace {

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using S = Kokkos::DefaultExecutionSpace;

constexpr m2u::MaskingOptions zeroed{.masking = m2u::Masking::zero};
constexpr m2u::MaskingOptions removed{.masking = m2u::Masking::remove};

/// f of one graph as it is.
template <class F>
double value_of(F const& f, m2u::Parameters<S> const& theta, m2u::GraphRecord const& record) {
  auto const batch = m2u::to_space(S{}, m2u::test::toy_graphs({record}));
  m2u::Tape<S> tape(S{}, theta, m2u::Mode::evaluation);
  return static_cast<double>(
      m2u::to_host(S{}, f(tape, f.encoder.embed(tape, batch), batch).value).at(0));
}

}  // namespace

TEST_CASE("leaving out the only group that matters takes all of the function away", "[explain]") {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::sum_encoder(layout), m2u::test::one_number(layout)};
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{4});
  // f counts the nodes of kind 6: their embedding is 1 in the first column, the head looks there.
  Kokkos::deep_copy(theta.values(), 0.0F);
  for (auto const& entry : layout.parameters()) {
    std::vector<float> values(entry.slice.size(), 0.0F);
    if (entry.name == "nodes.weight") {
      values[6 * m2u::test::toy_width] = 1.0F;
    } else if (entry.name == "head.weight") {
      values[0] = 1.0F;
    }
    m2u::from_host(S{}, std::span<float const>(values), theta.value(entry.slice));
  }
  m2u::GraphRecord record = m2u::test::toy_graph(5);
  REQUIRE(record.nodes >= 4);
  for (int node = 0; node < record.nodes; ++node) {
    record.node_features[static_cast<std::size_t>(2 * node)] = node < 2 ? 6 : 1;
  }
  auto const graph = m2u::test::toy_graphs({record});
  std::vector<m2u::NodeGroup> const groups{{2, 3}, {0, 1}, {1, 2}, {0}};
  for (auto const& options : {zeroed, removed}) {
    auto const scores = m2u::masked_groups(S{}, f.encoder, theta, graph, f, groups, options);
    CHECK(scores == std::vector<double>{0.0, 2.0, 1.0, 1.0});
    CHECK(m2u::ranked(scores).front() == 1);
    auto const each = m2u::masking_importance(S{}, f.encoder, theta, graph, f, options);
    for (std::size_t node = 0; node < each.nodes.size(); ++node) {
      CHECK(each.nodes[node] == (node < 2 ? 1.0 : 0.0));
    }
    CHECK(each.edges == std::vector<double>(each.bonds.size(), 0.0));
  }
}

TEST_CASE("a removed part is as if it had never been there", "[explain]") {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::toy_gps(layout), m2u::test::one_number(layout)};
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{4});
  auto const record = m2u::test::toy_graph(5);
  std::vector<int> all;
  for (int node = 0; node < record.nodes; ++node) {
    all.push_back(node);
  }
  std::vector<m2u::NodeGroup> const groups{{0}, {1, 3}, all};
  auto const scores = m2u::masked_groups(S{}, f.encoder, theta, m2u::test::toy_graphs({record}), f,
                                         groups, removed);
  double const whole = value_of(f, theta, record);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    INFO(g);
    double const left = value_of(f, theta, m2u::test::without_nodes(record, groups[g]));
    CHECK(scores[g] == Approx(whole - left).margin(1e-4));
    CHECK(std::abs(scores[g]) > 1e-4);
  }
}

TEMPLATE_LIST_TEST_CASE("the size of the batches changes nothing, and bonds have scores too",
                        "[explain]", m2u::test::Spaces) {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::toy_gps(layout), m2u::test::one_number(layout)};
  TestType const space;
  m2u::Parameters<TestType> const theta(space, layout, m2u::Seed{4});
  for (auto masking : {m2u::Masking::zero, m2u::Masking::remove}) {
    for (int const sample : {3, 5}) {  // 3 is a single node
      INFO(sample);
      auto const graph = m2u::test::toy_graphs({m2u::test::toy_graph(sample)});
      auto const at_once = m2u::masking_importance(space, f.encoder, theta, graph, f, {masking});
      auto const one_by_one =
          m2u::masking_importance(space, f.encoder, theta, graph, f, {masking, 1});
      REQUIRE(at_once.nodes.size() == static_cast<std::size_t>(graph.size()));
      CHECK(2 * at_once.edges.size() == static_cast<std::size_t>(graph.edges()));
      for (std::size_t i = 0; i < at_once.nodes.size(); ++i) {
        CHECK(at_once.nodes[i] == Approx(one_by_one.nodes[i]).margin(1e-4));
        CHECK(std::abs(at_once.nodes[i]) > 1e-5);
      }
      for (std::size_t i = 0; i < at_once.edges.size(); ++i) {
        CHECK(at_once.edges[i] == Approx(one_by_one.edges[i]).margin(1e-4));
        CHECK(std::abs(at_once.edges[i]) > 1e-6);
      }
    }
  }
}

TEST_CASE("masking takes one graph and groups that fit it", "[explain]") {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::sum_encoder(layout), m2u::test::one_number(layout)};
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{4});
  auto const two = m2u::test::toy_graphs({m2u::test::toy_graph(0), m2u::test::toy_graph(5)});
  CHECK_THROWS_WITH(m2u::masking_importance(S{}, f.encoder, theta, two, f),
                    ContainsSubstring("one graph at a time, but the batch has 2"));
  auto const one = m2u::test::toy_graphs({m2u::test::toy_graph(3)});
  std::vector<m2u::NodeGroup> const groups{{1}};
  CHECK_THROWS_WITH(m2u::masked_groups(S{}, f.encoder, theta, one, f, groups),
                    ContainsSubstring("has the node 1, but the graph has 1 nodes"));
}
