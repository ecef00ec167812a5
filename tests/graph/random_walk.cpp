// SPDX-License-Identifier: Apache-2.0
#include "m2u/graph/random_walk.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "m2u/core/random.hpp"

namespace {

using Catch::Approx;

/// Edges at random: `paired` ones with their reverse beside them, loops once.
m2u::GraphRecord random_graph(int nodes, int edges, bool paired, std::uint64_t seed) {
  m2u::GraphRecord graph;
  graph.nodes = nodes;
  for (int edge = 0; edge < edges; ++edge) {
    auto const random = m2u::Philox::block(seed, 1, static_cast<std::uint64_t>(edge));
    int const from = static_cast<int>(random.words[0] % static_cast<unsigned>(nodes));
    int const to = static_cast<int>(random.words[1] % static_cast<unsigned>(nodes));
    graph.source.push_back(from);
    graph.target.push_back(to);
    if (paired && from != to) {
      graph.source.push_back(to);
      graph.target.push_back(from);
    }
  }
  return graph;
}

/// Diagonals of powers of the dense matrix.
std::vector<double> dense_encoding(m2u::GraphRecord const& graph, int steps) {
  auto const n = static_cast<std::size_t>(graph.nodes);
  std::vector<double> walk(n * n, 0.0);
  for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
    walk[static_cast<std::size_t>(graph.source[edge]) * n +
         static_cast<std::size_t>(graph.target[edge])] += 1.0;
  }
  for (std::size_t i = 0; i < n; ++i) {
    double degree = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      degree += walk[i * n + j];
    }
    for (std::size_t j = 0; j < n; ++j) {
      walk[i * n + j] /= degree > 0.0 ? degree : 1.0;
    }
  }
  auto const columns = static_cast<std::size_t>(steps);
  std::vector<double> result(n * columns);
  auto power = walk;
  for (std::size_t k = 0; k < columns; ++k) {
    std::vector<double> next(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      result[i * columns + k] = power[i * n + i];
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t l = 0; l < n; ++l) {
          next[i * n + j] += power[i * n + l] * walk[l * n + j];
        }
      }
    }
    power.swap(next);
  }
  return result;
}

void check_against_dense(m2u::GraphRecord const& graph, int steps) {
  auto const found = m2u::random_walk_encoding(graph.view(), steps);
  auto const wanted = dense_encoding(graph, steps);
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("node " << i / static_cast<std::size_t>(steps) << ", step "
                 << i % static_cast<std::size_t>(steps) + 1);
    REQUIRE(static_cast<double>(found[i]) == Approx(wanted[i]).epsilon(1e-6).margin(1e-12));
  }
}

}  // namespace

TEST_CASE("random-walk encodings are the diagonals of the walk's powers", "[graph]") {
  // More and fewer nodes than are walked from at once, odd numbers of steps, loops, parallel edges
  // and nodes without edges.
  for (int const nodes : {1, 2, 7, 8, 9, 30}) {
    for (int const steps : {1, 2, 5, 20}) {
      INFO(nodes << " nodes, " << steps << " steps");
      auto const seed = static_cast<std::uint64_t>(nodes);
      check_against_dense(random_graph(nodes, nodes, true, seed), steps);
      check_against_dense(random_graph(nodes, 3 * nodes, true, seed), steps);
      check_against_dense(random_graph(nodes, 2 * nodes, false, seed), steps);
    }
  }
}

TEST_CASE("walks that can't end where they began are exactly zero", "[graph]") {
  m2u::GraphRecord ring;  // six nodes: only even walks return
  ring.nodes = 6;
  for (int node = 0; node < 6; ++node) {
    for (int const step : {0, 1}) {
      ring.source.push_back((node + step) % 6);
      ring.target.push_back((node + 1 - step) % 6);
    }
  }
  auto const encoding = m2u::random_walk_encoding(ring.view(), 20);
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    CHECK((encoding[i] == 0.0F) == (i % 2 == 0));
  }
}

TEST_CASE("random-walk encodings do not depend on how the edges are listed", "[graph]") {
  auto const paired = random_graph(12, 20, true, 5);
  auto reversed = paired;  // each edge still has its reverse, but not always beside it
  std::rotate(reversed.source.begin(), reversed.source.begin() + 1, reversed.source.end());
  std::rotate(reversed.target.begin(), reversed.target.begin() + 1, reversed.target.end());
  auto const a = m2u::random_walk_encoding(paired.view());
  auto const b = m2u::random_walk_encoding(reversed.view());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(static_cast<double>(a[i]) == Approx(static_cast<double>(b[i])).margin(1e-7));
  }
}
