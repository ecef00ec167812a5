// SPDX-License-Identifier: Apache-2.0
#include "m2u/explain/gradient.hpp"

#include <cmath>
#include <numeric>
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

static_assert(m2u::EmbeddingEncoder<m2u::Gps>);
static_assert(m2u::EmbeddingEncoder<m2u::test::SumEncoder>);
static_assert(!m2u::EmbeddingEncoder<m2u::Linear>);

/// f of each graph with the embedded rows multiplied by one factor each.
template <class F>
std::vector<double> scaled_value(F const& f, m2u::Parameters<S, double> const& theta,
                                 m2u::GraphBatch<m2u::Host> const& graph,
                                 std::vector<double> const& nodes,
                                 std::vector<double> const& edges) {
  m2u::Tape<S, double> tape(S{}, theta, m2u::Mode::evaluation);
  auto const batch = m2u::to_space(S{}, graph);
  auto const embedded = f.encoder.embed(tape, batch);
  auto const scaled = [&](m2u::Tensor<S, double> const& x, std::vector<double> const& factors) {
    auto values = m2u::to_host(S{}, x.value);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] *= factors[i / static_cast<std::size_t>(x.cols())];
    }
    auto const matrix = tape.matrix(x.rows(), x.cols());
    m2u::from_host(S{}, std::span<double const>(values), matrix);
    return tape.constant(matrix);
  };
  return m2u::to_host(S{}, f(tape,
                             m2u::EmbeddedGraph<S, double>{scaled(embedded.nodes, nodes),
                                                           scaled(embedded.edges, edges)},
                             batch)
                               .value);
}

double sum(std::vector<double> const& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("gradient x input is the slope of f as a row grows", "[explain][gradients]") {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::toy_gps(layout), m2u::test::one_number(layout)};
  m2u::Parameters<S, double> const theta(S{}, layout, m2u::Seed{4});
  auto const graph = m2u::test::toy_graphs(
      {m2u::test::toy_graph(0), m2u::test::toy_graph(3), m2u::test::toy_graph(5)});
  auto const scores = m2u::gradient_importance(S{}, f.encoder, theta, graph, f);
  std::vector<double> nodes(static_cast<std::size_t>(graph.size()), 1.0);
  std::vector<double> edges(static_cast<std::size_t>(graph.edges()), 1.0);
  // The sum over the graphs has the slope of the one graph that the row belongs to.
  auto const slope = [&](double& factor) {
    constexpr double step = 1e-6;
    factor = 1.0 + step;
    double const up = sum(scaled_value(f, theta, graph, nodes, edges));
    factor = 1.0 - step;
    double const down = sum(scaled_value(f, theta, graph, nodes, edges));
    factor = 1.0;
    return (up - down) / (2.0 * step);
  };
  double largest = 0.0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CHECK(scores.nodes[i] == Approx(slope(nodes[i])).margin(1e-6));
    largest = std::max(largest, std::abs(scores.nodes[i]));
  }
  for (std::size_t i = 0; i < edges.size(); ++i) {
    CHECK(scores.edges[i] == Approx(slope(edges[i])).margin(1e-6));
  }
  CHECK(largest > 1e-3);
}

TEMPLATE_LIST_TEST_CASE("the scores of a linear function add up to it", "[explain]",
                        m2u::test::Spaces) {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const f{m2u::test::sum_encoder(layout), m2u::test::one_number(layout)};
  TestType const space;
  m2u::Parameters<TestType> const theta(space, layout, m2u::Seed{4});
  for (int const sample : {0, 3, 5}) {  // 3 has no edges
    INFO(sample);
    auto const graph = m2u::test::toy_graphs({m2u::test::toy_graph(sample)});
    auto const scores = m2u::gradient_importance(space, f.encoder, theta, graph, f);
    m2u::Tape<TestType> tape(space, theta, m2u::Mode::evaluation);
    auto const batch = m2u::to_space(space, graph);
    auto const value =
        m2u::to_host(space, f(tape, f.encoder.embed(tape, batch), batch).value).at(0);
    auto const at_zero = m2u::to_host(space, theta.value(f.head.linear.bias())).at(0);
    auto const whole = m2u::undirected(scores, graph, m2u::BondScore::sum);
    CHECK(sum(whole.nodes) + sum(whole.edges) ==
          Approx(static_cast<double>(value) - static_cast<double>(at_zero)).margin(1e-4));
  }
}

TEST_CASE("a head gives one number per graph, or is refused", "[explain]") {
  m2u::ParameterLayout layout;
  m2u::HeadOnGraphs const two{m2u::test::sum_encoder(layout),
                              m2u::test::OneNumber{{layout.scope("two"), m2u::test::toy_width, 2}}};
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{4});
  auto const graph = m2u::test::toy_graphs({m2u::test::toy_graph(0)});
  CHECK_THROWS_WITH(m2u::gradient_importance(S{}, two.encoder, theta, graph, two),
                    ContainsSubstring("the head gave [1, 2] for 1 graphs"));
}

TEST_CASE("a function that looks at nothing gives zeros", "[explain]") {
  m2u::ParameterLayout layout;
  auto const encoder = m2u::test::sum_encoder(layout);
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{4});
  auto const graph = m2u::test::toy_graphs({m2u::test::toy_graph(0)});
  auto const blind = [](m2u::Tape<S>& tape, auto const&, m2u::GraphBatch<S> const& batch) {
    auto const matrix = tape.matrix(batch.graphs(), 1);
    Kokkos::deep_copy(tape.space(), matrix, 3.0F);
    return tape.constant(matrix);
  };
  auto const scores = m2u::gradient_importance(S{}, encoder, theta, graph, blind);
  CHECK(scores.nodes == std::vector<double>(static_cast<std::size_t>(graph.size()), 0.0));
  CHECK(scores.edges == std::vector<double>(static_cast<std::size_t>(graph.edges()), 0.0));
}
