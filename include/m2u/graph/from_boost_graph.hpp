// SPDX-License-Identifier: Apache-2.0
/// @file
/// Graphs of the Boost Graph Library as graph records. Needs Boost (component bgl).
#pragma once

#include <boost/functional/hash.hpp>
#include <boost/graph/graph_traits.hpp>
#include <boost/graph/properties.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <ranges>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "m2u/graph/graph_record.hpp"

namespace m2u {

/// True for types whose boost::graph_traits may be asked for: those with the nested types of the
/// BGL. Specialise it for a type for which you have specialised boost::graph_traits.
template <class G>
inline constexpr bool has_boost_graph_traits = requires {
  typename G::vertex_descriptor;
  typename G::edge_descriptor;
  typename G::directed_category;
  typename G::edge_parallel_category;
  typename G::traversal_category;
};

template <class G>
using BoostVertex = typename boost::graph_traits<G>::vertex_descriptor;
template <class G>
using BoostEdge = typename boost::graph_traits<G>::edge_descriptor;

/// A graph whose vertices and edges can be listed: Boost.Graph's VertexListGraph and EdgeListGraph.
/// The functions are found by argument-dependent lookup, as Boost does.
template <class G>
concept BoostGraph =
    has_boost_graph_traits<G> && requires(G const& graph, BoostEdge<G> const& edge) {
      typename boost::graph_traits<G>::directed_category;
      { *vertices(graph).first } -> std::convertible_to<BoostVertex<G>>;
      { *edges(graph).first } -> std::convertible_to<BoostEdge<G>>;
      { source(edge, graph) } -> std::convertible_to<BoostVertex<G>>;
      { target(edge, graph) } -> std::convertible_to<BoostVertex<G>>;
    };

/// Gives the integer features of a vertex or an edge as a range, for example std::array<int, 9>.
template <class F, class Descriptor>
concept IntegerFeatures =
    std::invocable<F const&, Descriptor const&> &&
    std::ranges::input_range<std::invoke_result_t<F const&, Descriptor const&>> &&
    std::convertible_to<
        std::ranges::range_value_t<std::invoke_result_t<F const&, Descriptor const&>>, int>;

namespace detail {

/// Descriptors that are small numbers, as those of vector-based graphs.
template <class G>
concept IndexedVertices = std::unsigned_integral<BoostVertex<G>> &&
                          requires(G const& graph) { get(boost::vertex_index, graph); };

/// Numbers vertices in the order in which they are listed. The graph's own indices may have gaps
/// (filtered graphs) or may never have been set (list-based graphs), so they are only used as keys.
template <class G>
class VertexNumbers {
 public:
  explicit VertexNumbers(G const& graph) {
    for (auto range = vertices(graph); range.first != range.second; ++range.first) {
      expects(count_ < std::numeric_limits<int>::max(),
              "from_boost_graph: the graph has more than 2^31 - 1 vertices");
      add(*range.first);
    }
  }
  int count() const { return count_; }
  int operator[](BoostVertex<G> const& vertex) const {
    if constexpr (IndexedVertices<G>) {
      return numbers_[static_cast<std::size_t>(vertex)];
    } else {
      return numbers_.at(vertex);
    }
  }

 private:
  using Vertex = BoostVertex<G>;
  using Numbers = std::conditional_t<IndexedVertices<G>, std::vector<int>,
                                     std::unordered_map<Vertex, int, boost::hash<Vertex>>>;

  void add(Vertex const& vertex) {
    if constexpr (IndexedVertices<G>) {
      auto const key = static_cast<std::size_t>(vertex);
      if (key >= numbers_.size()) {
        numbers_.resize(key + 1);
      }
      numbers_[key] = count_++;
    } else {
      numbers_.emplace(vertex, count_++);
    }
  }

  Numbers numbers_;
  int count_ = 0;
};

/// Appends a row of features and checks that all rows have as many.
template <class Features>
void append_features(Features const& features, char const* what, std::size_t row,
                     std::vector<int>& all) {
  auto const before = all.size();
  for (auto const value : features) {
    all.push_back(static_cast<int>(value));
  }
  // The rows so far are of one width, so the first row tells it.
  expects(row == 0 || (all.size() - before) * row == before, "from_boost_graph: ", what, " ", row,
          " has ", all.size() - before, " features, but those before have ",
          before / (row ? row : 1), "; give each the same number");
}

}  // namespace detail

/// Copies a graph. Vertices are numbered in the order of `vertices(graph)`. An edge of a directed
/// graph becomes one edge; an edge of an undirected graph becomes two, one each way and next to
/// each other, and an undirected loop one. Parallel edges are kept.
/// @param node_features, edge_features called with a descriptor; all rows need the same number of
///   features. For edges it is called once, also where two are made.
/// @throws Error if the numbers of features differ or the graph exceeds 2^31 - 1 vertices.
template <class G, class NodeFeatures, class EdgeFeatures>
GraphRecord from_boost_graph(G const& graph, NodeFeatures const& node_features,
                             EdgeFeatures const& edge_features) {
  static_assert(
      BoostGraph<G>,
      "from_boost_graph: the graph must model Boost.Graph's VertexListGraph and EdgeListGraph: "
      "vertices, edges, source and target must work on it");
  static_assert(
      IntegerFeatures<NodeFeatures, BoostVertex<G>>,
      "from_boost_graph: node_features must take a vertex descriptor and give a range of int, "
      "such as std::array<int, 3>");
  static_assert(
      IntegerFeatures<EdgeFeatures, BoostEdge<G>>,
      "from_boost_graph: edge_features must take an edge descriptor and give a range of int, "
      "such as std::array<int, 3>");
  constexpr bool undirected =
      std::is_convertible_v<typename boost::graph_traits<G>::directed_category,
                            boost::undirected_tag>;
  detail::VertexNumbers<G> const numbers(graph);
  GraphRecord record;
  record.nodes = numbers.count();
  auto const rows = static_cast<std::size_t>(record.nodes);
  std::size_t row = 0;
  for (auto range = vertices(graph); range.first != range.second; ++range.first) {
    detail::append_features(node_features(*range.first), "vertex", row++, record.node_features);
    if (row == 1) {
      record.node_features.reserve(rows * record.node_features.size());
    }
  }
  // The iterators are not copied: g++ 14 takes those of directed lists for uninitialised when they
  // are.
  for (auto range = edges(graph); range.first != range.second; ++range.first) {
    BoostEdge<G> const edge = *range.first;
    int const from = numbers[source(edge, graph)];
    int const to = numbers[target(edge, graph)];
    auto const before = record.edge_features.size();
    detail::append_features(edge_features(edge), "edge", record.source.size(),
                            record.edge_features);
    auto const width = record.edge_features.size() - before;
    record.source.push_back(from);
    record.target.push_back(to);
    if (undirected && from != to) {
      for (std::size_t i = 0; i < width; ++i) {
        int const value = record.edge_features[before + i];
        record.edge_features.push_back(value);
      }
      record.source.push_back(to);
      record.target.push_back(from);
    }
  }
  return record;
}

}  // namespace m2u
