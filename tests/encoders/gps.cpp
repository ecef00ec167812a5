// SPDX-License-Identifier: Apache-2.0
#include "m2u/encoders/gps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "support/op_values.hpp"
#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using S = Kokkos::DefaultExecutionSpace;

constexpr int width = 16;
constexpr int encoding_width = 4;

m2u::GpsOptions small(m2u::GpsOptions options) {
  options.width = width;
  options.layers = 2;
  options.heads = 2;
  options.encoding_steps = 4;
  options.encoding_width = encoding_width;
  return options;
}

/// The features of a toy graph, of vocabularies {7, 3} and {4}, as zeros and ones; the nodes' from
/// the `kept`-th on only.
m2u::GraphRecord one_hot(m2u::GraphRecord graph, std::size_t kept) {
  constexpr int sizes[] = {7, 3};
  std::vector<int> features;
  for (std::size_t i = 0; i < graph.node_features.size(); ++i) {
    if (i % 2 < kept) {
      features.push_back(graph.node_features[i]);
      continue;
    }
    for (int value = 0; value < sizes[i % 2]; ++value) {
      graph.node_values.push_back(graph.node_features[i] == value ? 1.0F : 0.0F);
    }
  }
  graph.node_features = features;
  for (int const feature : graph.edge_features) {
    for (int value = 0; value < 4; ++value) {
      graph.edge_values.push_back(feature == value ? 1.0F : 0.0F);
    }
  }
  graph.edge_features.clear();
  return graph;
}

m2u::GraphBatch<m2u::Host> batch_of(std::vector<m2u::GraphRecord> const& graphs,
                                    m2u::GraphColumns const& columns) {
  std::vector<m2u::GraphView> views;
  for (auto const& graph : graphs) {
    views.push_back(graph.view());
  }
  return m2u::make_graph_batch(views, columns);
}

using Named = std::map<std::string, std::vector<float>>;

/// Evaluates an encoder; parameters that `given` names start with its values.
template <class Space>
std::vector<float> run(Space const& space, m2u::ParameterLayout const& layout,
                       m2u::Gps const& encoder, m2u::GraphBatch<m2u::Host> const& batch,
                       Named const& given) {
  m2u::Parameters<Space> const theta(space, layout, m2u::Seed{4});
  for (auto const& entry : layout.parameters()) {
    if (auto const found = given.find(entry.name); found != given.end()) {
      m2u::from_host(space, std::span<float const>(found->second), theta.value(entry.slice));
    }
  }
  m2u::Tape<Space> tape(space, theta, m2u::Mode::evaluation);
  return m2u::to_host(space, encoder(tape, m2u::to_space(space, batch)).value);
}

/// Rows `first` … of a [rows, cols] table as a linear layer's weight [cols, rows].
std::vector<float> transposed(std::vector<float> const& table, int first, int rows, int cols) {
  std::vector<float> result(static_cast<std::size_t>(rows * cols));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      result[static_cast<std::size_t>(j * rows + i)] =
          table[static_cast<std::size_t>((first + i) * cols + j)];
    }
  }
  return result;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a linear layer on one-hot features is an embedding of their indices",
                        "[encoders]", m2u::test::Spaces) {
  TestType const space;
  m2u::ParameterLayout layout;
  m2u::Gps const gps{layout.scope(""),
                     small({.node_vocabularies = {7, 3}, .edge_vocabularies = {4}})};
  m2u::Parameters<m2u::Host> const theta(m2u::Host{}, layout, m2u::Seed{4});
  Named given;
  for (auto const& entry : layout.parameters()) {
    given[entry.name] = m2u::to_host(m2u::Host{}, theta.value(entry.slice));
  }
  std::vector<m2u::GraphRecord> const graphs{m2u::test::toy_graph(0), m2u::test::toy_graph(3),
                                             m2u::test::toy_graph(5)};
  auto const expected = run(space, layout, gps, batch_of(graphs, {2, 1, 4}), given);
  int const node_width = width - encoding_width;
  auto const nodes = given.at("node_embedding.weight");
  given["edge_linear.weight"] = transposed(given.at("edge_embedding.weight"), 0, 4, width);
  given["edge_linear.bias"] = std::vector<float>(width, 0.0F);
  given["node_linear.bias"] = std::vector<float>(static_cast<std::size_t>(node_width), 0.0F);
  for (int const kept : {0, 1}) {  // how many features stay integers
    INFO(kept);
    int const values = kept == 0 ? 10 : 3;
    m2u::ParameterLayout other;
    m2u::Gps const real{
        other.scope(""),
        small({.node_vocabularies = kept == 0 ? std::vector<int>{} : std::vector<int>{7},
               .edge_vocabularies = {},
               .node_values = values,
               .edge_values = 4})};
    given["node_linear.weight"] = transposed(nodes, 10 - values, values, node_width);
    given["node_embedding.weight"] = {nodes.begin(), nodes.begin() + 7 * node_width};
    std::vector<m2u::GraphRecord> hot;
    for (auto const& graph : graphs) {
      hot.push_back(one_hot(graph, static_cast<std::size_t>(kept)));
    }
    auto const got = run(space, other, real, batch_of(hot, {kept, 0, 4, values, 4}), given);
    CHECK(m2u::test::largest_difference(got, expected) < 1e-4);
    CHECK(std::any_of(got.begin(), got.end(), [](float x) { return x != 0.0F; }));
  }
}

TEMPLATE_LIST_TEST_CASE("edges by their kind give what a row for each edge gives", "[encoders]",
                        m2u::test::Spaces) {
  TestType const space;
  auto const host = batch_of({m2u::test::toy_graph(0), m2u::test::toy_graph(5)}, {2, 1, 4});
  auto const batch = m2u::to_space(space, host);
  for (int const values : {4, 300}) {  // with 300 there are too many kinds
    INFO(values);
    m2u::ParameterLayout layout;
    m2u::Gps const gps{layout.scope("gps"),
                       small({.node_vocabularies = {7, 3}, .edge_vocabularies = {values}})};
    m2u::Tape<TestType> tape(space, m2u::Parameters<TestType>(space, layout, m2u::Seed{4}),
                             m2u::Mode::evaluation);
    auto const embedded = gps.embed(tape, batch);
    CHECK(embedded.edges.rows() == batch.edges());
    auto const rows = gps.pool_embedded(tape, embedded, batch);
    CHECK(m2u::to_host(space, gps(tape, batch).value) == m2u::to_host(space, rows.value));
  }
}

TEST_CASE("gradients reach the layers on real-valued features", "[encoders][gradients]") {
  m2u::ParameterLayout layout;
  m2u::Gps const gps{layout.scope("hub"), small({.dropout = 0.0F,
                                                 .attention_dropout = 0.0F,
                                                 .node_vocabularies = {7},
                                                 .edge_vocabularies = {},
                                                 .node_values = 3,
                                                 .edge_values = 4})};
  auto const batch = m2u::to_space(
      S{}, batch_of({one_hot(m2u::test::toy_graph(0), 1), one_hot(m2u::test::toy_graph(5), 1)},
                    {1, 0, 4, 3, 4}));
  auto const report = m2u::gradient_check(
      S{}, layout, {}, [&](auto& tape, auto const&) { return gps(tape, batch); });
  INFO(report);
  CHECK(report.difference_error < 1e-5);
  CHECK(report.float_error < 1e-3);
}

TEMPLATE_LIST_TEST_CASE("layers and attention maps can be watched", "[encoders]",
                        m2u::test::Spaces) {
  TestType const space;
  m2u::ParameterLayout layout;
  m2u::Gps const gps{layout.scope("gps"),
                     small({.node_vocabularies = {7, 3}, .edge_vocabularies = {4}})};
  auto const host = batch_of(
      {m2u::test::toy_graph(0), m2u::test::toy_graph(3), m2u::test::toy_graph(5)}, {2, 1, 4});
  auto const batch = m2u::to_space(space, host);
  m2u::Tape<TestType> tape(space, m2u::Parameters<TestType>(space, layout, m2u::Seed{4}),
                           m2u::Mode::evaluation);
  auto const plain = m2u::to_host(space, gps.nodes(tape, batch).value);
  std::vector<float> last;
  int layers = 0;
  auto const watched = gps.nodes(
      tape, batch,
      [&](int layer, auto const& in, auto const& out, auto const& groups, auto const& attention) {
        CHECK(layer == layers++);
        auto const input = m2u::to_host(space, in.value);
        if (layer > 0) {
          CHECK(input == last);
        }
        last = m2u::to_host(space, out.value);
        auto const weights = attention.weights(tape, in, groups);
        REQUIRE(m2u::shape(weights) == m2u::Shape{host.size(), host.nodes.longest});
        CHECK_FALSE(weights.differentiable());
        auto const map = m2u::to_host(space, weights.value);
        for (int g = 0; g < host.graphs(); ++g) {
          int const count = host.nodes.offsets(g + 1) - host.nodes.offsets(g);
          for (int row = host.nodes.offsets(g); row < host.nodes.offsets(g + 1); ++row) {
            float sum = 0.0F;
            for (int col = 0; col < host.nodes.longest; ++col) {
              float const weight = map[static_cast<std::size_t>(row * host.nodes.longest + col)];
              CHECK((col < count ? weight > 0.0F : weight == 0.0F));
              sum += weight;
            }
            CHECK(std::abs(sum - 1.0F) < 1e-5F);
          }
        }
      });
  CHECK(layers == 2);
  CHECK(last == plain);
  CHECK(m2u::to_host(space, watched.value) == plain);
}

TEST_CASE("real-valued features must fit", "[encoders]") {
  m2u::ParameterLayout layout;
  CHECK_THROWS_WITH(m2u::Gps(layout.scope("a"), small({.node_vocabularies = {}})),
                    ContainsSubstring("no node features; give node_vocabularies or node_values"));
  CHECK_THROWS_WITH(
      m2u::Gps(layout.scope("b"), small({.node_vocabularies = {7}, .edge_vocabularies = {}})),
      ContainsSubstring("no edge features"));
  m2u::Gps const gps{
      layout.scope("gps"),
      small({.node_vocabularies = {7, 3}, .edge_vocabularies = {4}, .node_values = 2})};
  m2u::Tape<S> tape(S{}, m2u::Parameters<S>(S{}, layout, {}), m2u::Mode::evaluation);
  auto const without = m2u::to_space(S{}, batch_of({m2u::test::toy_graph(0)}, {2, 1, 4}));
  CHECK_THROWS_WITH(gps(tape, without),
                    ContainsSubstring("0 columns of node_values, but the encoder takes 2"));
  auto graph = one_hot(m2u::test::toy_graph(0), 0);
  graph.node_values[13] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(batch_of({graph}, {0, 0, 4, 10, 4}),
                    ContainsSubstring("graph 0: column 3 of the values of node 1 is not finite"));
  graph = one_hot(m2u::test::toy_graph(0), 0);
  graph.edge_values.back() = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(batch_of({graph}, {0, 0, 4, 10, 4}), ContainsSubstring("the values of edge"));
  graph.edge_values.pop_back();
  CHECK_THROWS_WITH(batch_of({graph}, {0, 0, 4, 10, 4}), ContainsSubstring("edge_values holds"));
}

TEMPLATE_LIST_TEST_CASE("inference changes no bit, on batch after batch", "[encoders]",
                        m2u::test::Spaces) {
  TestType const space;
  m2u::ParameterLayout layout;
  m2u::Gps const gps{layout.scope(""),
                     small({.node_vocabularies = {7, 3}, .edge_vocabularies = {4}})};
  m2u::Parameters<TestType> const theta(space, layout, m2u::Seed{4});
  m2u::Tape<TestType> inferring(space, theta, m2u::Mode::evaluation);
  inferring.infer_only();
  std::size_t memory = 0;
  for (int const first : {0, 4, 1, 0}) {
    auto const batch = m2u::to_space(
        space, batch_of({m2u::test::toy_graph(first), m2u::test::toy_graph(first + 2)}, {2, 1, 4}));
    m2u::Tape<TestType> plain(space, theta, m2u::Mode::evaluation);
    auto const expected = gps(plain, batch);
    memory = plain.high_water();
    inferring.reset(7);
    auto const found = gps(inferring, batch);
    CHECK_FALSE(found.differentiable());
    CHECK(m2u::to_host(space, found.value) == m2u::to_host(space, expected.value));
  }
  CHECK(inferring.high_water() < memory);
}
