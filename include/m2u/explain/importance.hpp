// SPDX-License-Identifier: Apache-2.0
/// @file
/// How much each node and edge of a graph matters, and what is made of those numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/graph/graph_batch.hpp"

namespace m2u {

/// Scores of the rows of a batch of graphs, on the host.
struct RowImportance {
  std::vector<double> nodes;  ///< [nodes]
  std::vector<double> edges;  ///< [edges], in the batch's order
};

/// Scores of one undirected graph, such as a molecule: atoms and bonds.
struct Importance {
  std::vector<double> nodes;               ///< [nodes]
  std::vector<std::pair<int, int>> bonds;  ///< ends of each bond, the smaller first, rising
  std::vector<double> edges;               ///< [bonds]
};

/// The directed edges of each undirected one of a batch, which share its ends.
/// @return pairs of nodes (smaller first), rising, and for each the edges between the two
inline std::map<std::pair<int, int>, std::vector<int>> edges_of_bonds(
    GraphBatch<Host> const& graph) {
  std::map<std::pair<int, int>, std::vector<int>> bonds;
  for (int edge = 0; edge < graph.edges(); ++edge) {
    auto const ends = std::minmax(graph.source.rows(edge), graph.target(edge));
    bonds[{ends.first, ends.second}].push_back(edge);
  }
  return bonds;
}

/// The scores with a bond's directed edges added up (gradients, which add) or averaged (attention).
enum class BondScore { sum, mean };

/// @param graph of one graph, or the bonds of all of them come in one list
/// @throws Error if there is not one score per row of the batch.
inline Importance undirected(RowImportance const& rows, GraphBatch<Host> const& graph,
                             BondScore how) {
  expects(rows.nodes.size() == static_cast<std::size_t>(graph.size()) &&
              rows.edges.size() == static_cast<std::size_t>(graph.edges()),
          "undirected: ", rows.nodes.size(), " scores of nodes and ", rows.edges.size(),
          " of edges do not fit a batch of ", graph.size(), " nodes and ", graph.edges(), " edges");
  Importance result{rows.nodes, {}, {}};
  for (auto const& [ends, edges] : edges_of_bonds(graph)) {
    double sum = 0.0;
    for (int const edge : edges) {
      sum += rows.edges[static_cast<std::size_t>(edge)];
    }
    result.bonds.push_back(ends);
    result.edges.push_back(how == BondScore::sum ? sum : sum / static_cast<double>(edges.size()));
  }
  return result;
}

/// Subtracts the mean. What is equal, such as the one score of a single atom, becomes exactly 0.
inline void centre(std::vector<double>& scores) {
  if (scores.empty()) {
    return;
  }
  auto const [least, most] = std::minmax_element(scores.begin(), scores.end());
  if (*least == *most) {
    std::fill(scores.begin(), scores.end(), 0.0);
    return;
  }
  double const mean =
      std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  for (double& score : scores) {
    score -= mean;
  }
}

/// The largest magnitude; 0 of nothing.
inline double largest_magnitude(std::span<double const> scores) {
  double largest = 0.0;
  for (double const score : scores) {
    largest = std::max(largest, std::abs(score));
  }
  return largest;
}

/// The scores divided by their largest magnitude, so that they are in [-1, 1]. Zeros stay zeros.
inline std::vector<double> to_unit(std::span<double const> scores, double largest) {
  std::vector<double> result(scores.begin(), scores.end());
  for (double& score : result) {
    score = largest > 0.0 ? score / largest : 0.0;
  }
  return result;
}

/// A part of a graph.
using NodeGroup = std::vector<int>;

/// @throws Error if a group is empty, or holds a node twice or one that the graph does not have.
inline void check_groups(std::span<NodeGroup const> groups, int nodes) {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    expects(!groups[g].empty(), "explain: group ", g, " has no nodes");
    std::vector<bool> seen(static_cast<std::size_t>(nodes), false);
    for (int const node : groups[g]) {
      expects(node >= 0 && node < nodes, "explain: group ", g, " has the node ", node,
              ", but the graph has ", nodes, " nodes");
      expects(!seen[static_cast<std::size_t>(node)], "explain: group ", g, " has the node ", node,
              " twice");
      seen[static_cast<std::size_t>(node)] = true;
    }
  }
}

/// Mean of the scores of each group's nodes: for scores that compare nodes, such as attention.
inline std::vector<double> group_means(Importance const& importance,
                                       std::span<NodeGroup const> groups) {
  check_groups(groups, static_cast<int>(importance.nodes.size()));
  std::vector<double> result;
  for (auto const& group : groups) {
    double sum = 0.0;
    for (int const node : group) {
      sum += importance.nodes[static_cast<std::size_t>(node)];
    }
    result.push_back(sum / static_cast<double>(group.size()));
  }
  return result;
}

/// Sum of the scores of each group's nodes and of the bonds between them: for scores that add up,
/// such as gradient × input.
inline std::vector<double> group_sums(Importance const& importance,
                                      std::span<NodeGroup const> groups) {
  check_groups(groups, static_cast<int>(importance.nodes.size()));
  std::vector<double> result;
  for (auto const& group : groups) {
    std::vector<bool> inside(importance.nodes.size(), false);
    double sum = 0.0;
    for (int const node : group) {
      inside[static_cast<std::size_t>(node)] = true;
      sum += importance.nodes[static_cast<std::size_t>(node)];
    }
    for (std::size_t bond = 0; bond < importance.bonds.size(); ++bond) {
      auto const [a, b] = importance.bonds[bond];
      if (inside[static_cast<std::size_t>(a)] && inside[static_cast<std::size_t>(b)]) {
        sum += importance.edges[bond];
      }
    }
    result.push_back(sum);
  }
  return result;
}

/// Numbers of the scores from the highest to the lowest; equal ones keep their order.
inline std::vector<std::size_t> ranked(std::span<double const> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

}  // namespace m2u
