// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random-walk positional encodings (Dwivedi et al., ICLR 2022).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "m2u/graph/graph_record.hpp"

namespace m2u {

/// Diagonals of (D⁻¹A)^k for k = 1 … steps: the chance that a random walk from a node is back after
/// k steps. Nodes without edges give zeros. Computed in double per graph, O(steps · nodes · edges).
/// @return [nodes, steps], row-major.
inline std::vector<float> random_walk_encoding(GraphView const& graph, int steps = 20) {
  auto const nodes = static_cast<std::size_t>(graph.nodes);
  auto const columns = static_cast<std::size_t>(steps);
  std::vector<float> encoding(nodes * columns, 0.0F);
  std::vector<double> degree(nodes, 0.0);
  for (int const from : graph.source) {
    degree[static_cast<std::size_t>(from)] += 1.0;
  }
  // All walks at once: row v of `chance` spreads the starts over the lanes, so that the inner loop
  // is contiguous. chance(v, start) after k steps is ((D⁻¹A)^k)(start, v).
  std::vector<double> chance(nodes * nodes, 0.0);
  std::vector<double> next(nodes * nodes);
  for (std::size_t v = 0; v < nodes; ++v) {
    chance[v * nodes + v] = 1.0;
  }
  for (std::size_t k = 0; k < columns; ++k) {
    std::fill(next.begin(), next.end(), 0.0);
    for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
      auto const from = static_cast<std::size_t>(graph.source[edge]);
      auto const to = static_cast<std::size_t>(graph.target[edge]);
      double const weight = 1.0 / degree[from];
      double const* const in = chance.data() + from * nodes;
      double* const out = next.data() + to * nodes;
      for (std::size_t start = 0; start < nodes; ++start) {
        out[start] += weight * in[start];
      }
    }
    chance.swap(next);
    for (std::size_t v = 0; v < nodes; ++v) {
      encoding[v * columns + k] = static_cast<float>(chance[v * nodes + v]);
    }
  }
  return encoding;
}

}  // namespace m2u
