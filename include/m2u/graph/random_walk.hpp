// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random-walk positional encodings (Dwivedi et al., ICLR 2022).
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "m2u/graph/graph_record.hpp"

namespace m2u {

namespace detail {

/// Whether every edge is a loop or has its reverse right beside it, as in graphs of
/// from_boost_graph: then walks are reversible.
inline bool edges_are_paired(GraphView const& graph) {
  std::size_t edge = 0;
  auto const edges = graph.source.size();
  while (edge < edges) {
    if (graph.source[edge] == graph.target[edge]) {
      ++edge;
    } else if (edge + 1 < edges && graph.source[edge] == graph.target[edge + 1] &&
               graph.target[edge] == graph.source[edge + 1]) {
      edge += 2;
    } else {
      return false;
    }
  }
  return true;
}

/// The nodes from which edges lead to each node: those of node v are at first[v] … first[v + 1] - 1
/// of `from`. The number of edges that leave each node is its degree.
struct WalkGraph {
  explicit WalkGraph(GraphView const& graph)
      : degree(static_cast<std::size_t>(graph.nodes), 0.0),
        inverse_degree(degree.size(), 0.0),
        first(degree.size() + 1, 0),
        from(graph.source.size()) {
    for (std::size_t edge = 0; edge < from.size(); ++edge) {
      degree[static_cast<std::size_t>(graph.source[edge])] += 1.0;
      ++first[static_cast<std::size_t>(graph.target[edge]) + 1];
    }
    for (std::size_t v = 0; v < degree.size(); ++v) {
      first[v + 1] += first[v];
      inverse_degree[v] = degree[v] > 0.0 ? 1.0 / degree[v] : 0.0;
    }
    auto next = first;
    for (std::size_t edge = 0; edge < from.size(); ++edge) {
      from[next[static_cast<std::size_t>(graph.target[edge])]++] =
          static_cast<std::size_t>(graph.source[edge]);
    }
  }
  std::vector<double> degree;
  std::vector<double> inverse_degree;  // 0 where no edge leaves
  std::vector<std::size_t> first;
  std::vector<std::size_t> from;
};

/// Walks from some start nodes at once, one per lane. The compilers' vectors (GCC, Clang, nvcc)
/// keep the sums in registers; loops over arrays of this length came out scalar.
inline constexpr std::size_t walk_lanes = 8;
struct WalkLanes {
  using Values [[gnu::vector_size(walk_lanes * sizeof(double))]] = double;
  Values values = {};
};

/// Scratch of the walks: a value per node and lane, now and after the next step. (nvcc does not
/// take a std::vector of the compiler's vectors.)
struct WalkState {
  explicit WalkState(std::size_t node_count)
      : nodes(node_count),
        now(std::make_unique<WalkLanes[]>(nodes)),
        next(std::make_unique<WalkLanes[]>(nodes)) {}
  /// Puts each lane at its start.
  void begin(std::size_t first_start, std::size_t starts, std::vector<double> const& value) {
    std::fill_n(now.get(), nodes, WalkLanes{});
    for (std::size_t lane = 0; lane < starts; ++lane) {
      now[first_start + lane].values[lane] = value[first_start + lane];
    }
  }
  std::size_t nodes;
  std::unique_ptr<WalkLanes[]> now;
  std::unique_ptr<WalkLanes[]> next;
};

/// The columns k and k + 1 of the encoding with each step of the walks. With C(v) the chance to be
/// at v after i + 1 steps and Q(v) = that after i steps / degree(v), reversibility (degree(u)
/// P^i(u, v) = degree(v) P^i(v, u)) makes the chance to be back after 2i + 1 steps degree(start)
/// Σ C(v) Q(v), and after 2i + 2 steps degree(start) Σ C(v)² / degree(v).
inline void reversible_walks(WalkGraph const& graph, std::size_t first_start, std::size_t steps,
                             WalkState& state, float* encoding) {
  auto const nodes = graph.degree.size();
  auto const starts = std::min(walk_lanes, nodes - first_start);
  state.begin(first_start, starts, graph.inverse_degree);
  for (std::size_t k = 0; k < steps; k += 2) {
    WalkLanes odd;
    WalkLanes even;
    for (std::size_t v = 0; v < nodes; ++v) {
      WalkLanes chance;
      for (auto i = graph.first[v]; i < graph.first[v + 1]; ++i) {
        chance.values += state.now[graph.from[i]].values;
      }
      auto const share = chance.values * graph.inverse_degree[v];
      odd.values += chance.values * state.now[v].values;
      even.values += chance.values * share;
      state.next[v].values = share;
    }
    state.now.swap(state.next);
    for (std::size_t lane = 0; lane < starts; ++lane) {
      auto const start = first_start + lane;
      encoding[start * steps + k] = static_cast<float>(graph.degree[start] * odd.values[lane]);
      if (k + 1 < steps) {
        encoding[start * steps + k + 1] =
            static_cast<float>(graph.degree[start] * even.values[lane]);
      }
    }
  }
}

/// The same of any directed graph, one column with each step.
inline void directed_walks(WalkGraph const& graph, std::size_t first_start, std::size_t steps,
                           WalkState& state, float* encoding) {
  auto const nodes = graph.degree.size();
  auto const starts = std::min(walk_lanes, nodes - first_start);
  state.begin(first_start, starts, std::vector<double>(nodes, 1.0));
  for (std::size_t k = 0; k < steps; ++k) {
    for (std::size_t v = 0; v < nodes; ++v) {
      WalkLanes chance;
      for (auto i = graph.first[v]; i < graph.first[v + 1]; ++i) {
        auto const from = graph.from[i];
        chance.values += state.now[from].values * graph.inverse_degree[from];
      }
      state.next[v] = chance;
    }
    state.now.swap(state.next);
    for (std::size_t lane = 0; lane < starts; ++lane) {
      auto const start = first_start + lane;
      encoding[start * steps + k] = static_cast<float>(state.now[start].values[lane]);
    }
  }
}

}  // namespace detail

/// Diagonals of (D⁻¹A)^k for k = 1 … steps: the chance that a random walk from a node is back after
/// k steps. Nodes without edges give zeros. Computed in double, O(steps · nodes · edges); graphs
/// whose edges come in pairs, each with its reverse, take half of the steps.
/// @return [nodes, steps], row-major.
inline std::vector<float> random_walk_encoding(GraphView const& graph, int steps = 20) {
  auto const nodes = static_cast<std::size_t>(graph.nodes);
  auto const columns = static_cast<std::size_t>(steps);
  std::vector<float> encoding(nodes * columns, 0.0F);
  detail::WalkGraph const walks(graph);
  detail::WalkState state(nodes);
  bool const paired = detail::edges_are_paired(graph);
  for (std::size_t start = 0; start < nodes; start += detail::walk_lanes) {
    if (paired) {
      detail::reversible_walks(walks, start, columns, state, encoding.data());
    } else {
      detail::directed_walks(walks, start, columns, state, encoding.data());
    }
  }
  return encoding;
}

}  // namespace m2u
