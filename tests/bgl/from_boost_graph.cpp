// SPDX-License-Identifier: Apache-2.0
#include "m2u/graph/from_boost_graph.hpp"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/adjacency_matrix.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <array>
#include <set>
#include <utility>
#include <vector>

namespace {

struct Node {
  int kind = 0;
};
struct Link {
  int weight = 0;
};
template <class VertexList, class Directed>
using List = boost::adjacency_list<boost::vecS, VertexList, Directed, Node, Link>;

// A triangle with a tail: 0-1, 1-2, 2-0, 2-3; kinds 10 … 13, weights 100 … 103.
template <class G>
G triangle_with_tail() {
  G graph(4);
  std::vector<m2u::BoostVertex<G>> v;
  int kind = 10;
  for (auto [it, end] = vertices(graph); it != end; ++it) {
    graph[*it].kind = kind++;
    v.push_back(*it);
  }
  int weight = 100;
  for (auto const& [a, b] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {1, 2}, {2, 0}, {2, 3}}) {
    add_edge(v[a], v[b], Link{weight++}, graph);
  }
  return graph;
}

template <class G>
m2u::GraphRecord convert(G const& graph) {
  return m2u::from_boost_graph(
      graph, [&](auto v) { return std::array{graph[v].kind, 1}; },
      [&](auto const& e) { return std::vector<int>{graph[e].weight}; });
}

using Edges = std::multiset<std::array<int, 3>>;
Edges edges_of(m2u::GraphRecord const& record) {
  Edges result;
  for (std::size_t i = 0; i < record.source.size(); ++i) {
    result.insert({record.source[i], record.target[i], record.edge_features[i]});
  }
  return result;
}

Edges const one_way{{0, 1, 100}, {1, 2, 101}, {2, 0, 102}, {2, 3, 103}};
Edges const both_ways{{0, 1, 100}, {1, 0, 100}, {1, 2, 101}, {2, 1, 101},
                      {2, 0, 102}, {0, 2, 102}, {2, 3, 103}, {3, 2, 103}};
std::vector<int> const kinds{10, 1, 11, 1, 12, 1, 13, 1};

static_assert(m2u::BoostGraph<List<boost::vecS, boost::undirectedS>>);
static_assert(m2u::BoostGraph<List<boost::listS, boost::bidirectionalS>>);
static_assert(m2u::BoostGraph<boost::adjacency_matrix<boost::directedS>>);
static_assert(!m2u::BoostGraph<std::vector<int>>);
static_assert(!m2u::BoostGraph<int>);
using Vertex = m2u::BoostVertex<List<boost::vecS, boost::directedS>>;
inline auto const gives_array = [](Vertex) { return std::array<int, 2>{}; };
inline auto const gives_number = [](Vertex) { return 3; };
inline auto const takes_text = [](char const*) { return std::array<int, 2>{}; };
static_assert(m2u::IntegerFeatures<decltype(gives_array), Vertex>);
static_assert(!m2u::IntegerFeatures<decltype(gives_number), Vertex>);
static_assert(!m2u::IntegerFeatures<decltype(takes_text), Vertex>);

}  // namespace

TEST_CASE("from_boost_graph copies every kind of Boost graph alike", "[bgl]") {
  auto const check = [](m2u::GraphRecord const& record, Edges const& expected) {
    CHECK(record.nodes == 4);
    CHECK(record.node_features == kinds);
    CHECK(edges_of(record) == expected);
    m2u::check_graph(record.view(), {2, 1, 0}, "test");
  };
  check(convert(triangle_with_tail<List<boost::vecS, boost::undirectedS>>()), both_ways);
  check(convert(triangle_with_tail<List<boost::vecS, boost::directedS>>()), one_way);
  check(convert(triangle_with_tail<List<boost::vecS, boost::bidirectionalS>>()), one_way);
  check(convert(triangle_with_tail<List<boost::listS, boost::undirectedS>>()), both_ways);
  check(convert(triangle_with_tail<List<boost::setS, boost::directedS>>()), one_way);
  check(convert(triangle_with_tail<boost::adjacency_matrix<boost::undirectedS, Node, Link>>()),
        both_ways);
  check(convert(triangle_with_tail<boost::adjacency_matrix<boost::directedS, Node, Link>>()),
        one_way);
}

TEST_CASE("from_boost_graph puts the two directions of an edge next to each other", "[bgl]") {
  auto const record = convert(triangle_with_tail<List<boost::vecS, boost::undirectedS>>());
  for (std::size_t i = 0; i < record.source.size(); i += 2) {
    CHECK(record.source[i] == record.target[i + 1]);
    CHECK(record.target[i] == record.source[i + 1]);
  }
}

TEST_CASE("from_boost_graph keeps loops and parallel edges, and takes graphs without any",
          "[bgl]") {
  using G = List<boost::vecS, boost::undirectedS>;
  G graph(2);
  add_edge(0, 0, Link{1}, graph);
  add_edge(0, 1, Link{2}, graph);
  add_edge(0, 1, Link{3}, graph);
  CHECK(edges_of(convert(graph)) == Edges{{0, 0, 1}, {0, 1, 2}, {1, 0, 2}, {0, 1, 3}, {1, 0, 3}});
  auto const empty = convert(G{});
  CHECK(empty.nodes == 0);
  CHECK(empty.source.empty());
  auto const lonely = convert(G(3));
  CHECK(lonely.nodes == 3);
  CHECK(lonely.source.empty());
}

TEST_CASE("from_boost_graph numbers the vertices of a filtered graph without gaps", "[bgl]") {
  auto const graph = triangle_with_tail<List<boost::vecS, boost::undirectedS>>();
  struct NotFirst {
    bool operator()(Vertex v) const { return v != 0; }
  };
  boost::filtered_graph const part(graph, boost::keep_all{}, NotFirst{});
  auto const record = convert(part);
  CHECK(record.nodes == 3);
  CHECK(record.node_features == std::vector{11, 1, 12, 1, 13, 1});
  CHECK(edges_of(record) == Edges{{0, 1, 101}, {1, 0, 101}, {1, 2, 103}, {2, 1, 103}});
}

TEST_CASE("from_boost_graph refuses rows of different width", "[bgl]") {
  auto const graph = triangle_with_tail<List<boost::vecS, boost::undirectedS>>();
  auto const ragged = [](Vertex v) { return std::vector<int>(v == 2 ? 3 : 2, 0); };
  auto const none = [](auto const&) { return std::array<int, 0>{}; };
  CHECK_THROWS_WITH(m2u::from_boost_graph(graph, ragged, none),
                    Catch::Matchers::ContainsSubstring("vertex 2 has 3 features"));
  auto const bare = m2u::from_boost_graph(graph, none, none);
  CHECK(bare.node_features.empty());
  CHECK(bare.source.size() == 8);
}
