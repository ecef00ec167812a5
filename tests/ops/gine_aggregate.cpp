// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/gine_aggregate.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/kernels/arithmetic.hpp"
#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::random_input;
using m2u::test::add_gradient_case;

// Edges sorted by target.
struct GineEdges {
  std::vector<int> lengths;  // edges into each node
  std::vector<int> sources;
};

template <class S>
struct OnSpace {
  m2u::Ragged<S> incoming;
  m2u::RowIndex<S> source;
  OnSpace(S const& space, GineEdges const& edges)
      : incoming(to_space(space, m2u::make_ragged(edges.lengths))),
        source(to_space(
            space, m2u::make_row_index(edges.sources, static_cast<int>(edges.lengths.size())))) {}
};

// A node without edges, one that only sends, one that only receives, a loop and a double edge.
GineEdges const some_edges{{2, 0, 3, 1, 0, 2}, {1, 3, 0, 0, 2, 5, 3, 0}};
GineEdges const no_edges{{0, 0, 0}, {}};
GineEdges const no_nodes{{}, {}};

template <class S>
m2u::GradientReport check(S const& space, GineEdges const& edges, bool with_features, int cols) {
  OnSpace<S> const graph(space, edges);
  int const nodes = static_cast<int>(edges.lengths.size());
  int const count = static_cast<int>(edges.sources.size());
  if (with_features) {
    return m2u::gradient_check(
        space, {}, {random_input(nodes, cols, {1}), random_input(count, cols, {2})},
        [&](auto& tape, auto const& in) {
          return m2u::gine_aggregate(tape, in[0], in[1], graph.incoming, graph.source, 0.25);
        });
  }
  return m2u::gradient_check(
      space, {}, {random_input(nodes, cols, {1})}, [&](auto& tape, auto const& in) {
        return m2u::gin_aggregate(tape, in[0], graph.incoming, graph.source, 0.25);
      });
}

// Edges with a kind each: of four kinds one is never used, others are shared.
template <class S>
m2u::Vector<int, S> some_kinds(S const& space) {
  auto const kinds = m2u::make_vector<int>(space, "kinds", 8);
  m2u::from_host(space, std::span<int const>(std::array{2, 0, 0, 3, 2, 2, 0, 3}), kinds);
  return kinds;
}

template <class S>
m2u::GradientReport check_kinds(S const& space) {
  OnSpace<S> const graph(space, some_edges);
  auto const kinds = some_kinds(space);
  return m2u::gradient_check(space, {}, {random_input(6, 5, {1}), random_input(4, 5, {2})},
                             [&](auto& tape, auto const& in) {
                               return m2u::gine_aggregate(tape, in[0], in[1], graph.incoming,
                                                          graph.source, 0.25, kinds);
                             });
}

// The same with nodes that need no gradient.
template <class S>
m2u::GradientReport check_kinds_alone(S const& space) {
  OnSpace<S> const graph(space, some_edges);
  auto const kinds = some_kinds(space);
  return m2u::gradient_check(space, {}, {random_input(4, 5, {2})}, [&](auto& tape, auto const& in) {
    auto const x = tape.matrix(6, 5);
    m2u::kernels::fill(tape.space(), x, {});
    return m2u::gine_aggregate(tape, tape.constant(x), in[0], graph.incoming, graph.source, 0.25,
                               kinds);
  });
}

bool const gine_aggregate_cases[] = {
    add_gradient_case("gine_aggregate", "edges",
                      [](auto s) { return check(s, some_edges, true, 5); }),
    add_gradient_case("gine_aggregate", "no edges",
                      [](auto s) { return check(s, no_edges, true, 3); }),
    add_gradient_case("gine_aggregate", "no nodes",
                      [](auto s) { return check(s, no_nodes, true, 3); }),
    add_gradient_case("gine_aggregate", "one node with a loop",
                      [](auto s) { return check(s, {{1}, {0}}, true, 3); }),
    add_gradient_case("gine_aggregate", "gin",
                      [](auto s) { return check(s, some_edges, false, 5); }),
    add_gradient_case("gine_aggregate", "gin without edges",
                      [](auto s) { return check(s, no_edges, false, 3); }),
    add_gradient_case(
        "gine_aggregate", "gin twice",
        [](auto s) {
          OnSpace const graph(s, some_edges);
          return m2u::gradient_check(
              s, {}, {random_input(6, 4, {1}), random_input(8, 4, {2})},
              [&](auto& tape, auto const& in) {
                auto const once = m2u::gin_aggregate(tape, in[0], graph.incoming, graph.source);
                return m2u::gine_aggregate(tape, once, in[1], graph.incoming, graph.source);
              });
        }),
    add_gradient_case("gine_aggregate", "kinds of edges", [](auto s) { return check_kinds(s); }),
    add_gradient_case("gine_aggregate", "kinds of edges alone",
                      [](auto s) { return check_kinds_alone(s); }),
    add_gradient_case("gine_aggregate", "features used twice",
                      [](auto s) {
                        // Two nodes, two edges: x serves as the edges' features as well.
                        OnSpace const graph(s, GineEdges{{1, 1}, {1, 0}});
                        return m2u::gradient_check(
                            s, {}, {random_input(2, 4, {1})}, [&](auto& tape, auto const& in) {
                              return m2u::gine_aggregate(tape, in[0], in[0], graph.incoming,
                                                         graph.source);
                            });
                      }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("gine_aggregate and gin_aggregate agree with plain loops",
                        "[gine_aggregate]", m2u::test::Spaces) {
  int const cols = GENERATE(1, 33);
  OnSpace<TestType> const graph(TestType{}, some_edges);
  auto const x = random_input(6, cols, {1});
  auto const e = random_input(8, cols, {2});
  auto const at = [&](m2u::CheckInput const& matrix, int row, int col) {
    return matrix.values[static_cast<std::size_t>(row * cols + col)];
  };
  std::vector<double> gine;
  std::vector<double> gin;
  int edge = 0;
  for (int i = 0; i < 6; ++i) {
    int const end = edge + some_edges.lengths[static_cast<std::size_t>(i)];
    for (int j = 0; j < cols; ++j) {
      double with = 1.5 * at(x, i, j);
      double without = with;
      for (int k = edge; k < end; ++k) {
        double const from = at(x, some_edges.sources[static_cast<std::size_t>(k)], j);
        with += std::max(0.0, from + at(e, k, j));
        without += from;
      }
      gine.push_back(with);
      gin.push_back(without);
    }
    edge = end;
  }
  auto const got = m2u::test::evaluate(TestType{}, {}, {x, e}, [&](auto& tape, auto const& in) {
    return m2u::gine_aggregate(tape, in[0], in[1], graph.incoming, graph.source, 0.5F);
  });
  CHECK(m2u::test::largest_error(got.values, gine) < 1e-5);
  auto const plain = m2u::test::evaluate(TestType{}, {}, {x}, [&](auto& tape, auto const& in) {
    return m2u::gin_aggregate(tape, in[0], graph.incoming, graph.source, 0.5F);
  });
  CHECK(m2u::test::largest_error(plain.values, gin) < 1e-5);
}

TEMPLATE_LIST_TEST_CASE("gine_aggregate of kinds gives what rows of edges give", "[gine_aggregate]",
                        m2u::test::Spaces) {
  OnSpace<TestType> const graph(TestType{}, some_edges);
  auto const kinds = some_kinds(TestType{});
  auto const x = random_input(6, 33, {1});
  auto const table = random_input(4, 33, {2});
  m2u::CheckInput rows{8, 33, {}};
  for (int const kind : m2u::to_host(TestType{}, kinds)) {
    auto const first = table.values.begin() + kind * 33;
    rows.values.insert(rows.values.end(), first, first + 33);
  }
  auto const by_kind =
      m2u::test::evaluate(TestType{}, {}, {x, table}, [&](auto& tape, auto const& in) {
        return m2u::gine_aggregate(tape, in[0], in[1], graph.incoming, graph.source, 0, kinds);
      });
  auto const by_row =
      m2u::test::evaluate(TestType{}, {}, {x, rows}, [&](auto& tape, auto const& in) {
        return m2u::gine_aggregate(tape, in[0], in[1], graph.incoming, graph.source);
      });
  CHECK(by_kind.values == by_row.values);
  CHECK(by_kind.gradients[0] == by_row.gradients[0]);
}

TEST_CASE("gine_aggregate refuses shapes that do not fit", "[gine_aggregate]") {
  using Catch::Matchers::ContainsSubstring;
  using S = Kokkos::DefaultExecutionSpace;
  OnSpace<S> const graph(S{}, some_edges);
  OnSpace<S> const other(S{}, no_edges);
  OnSpace<S> const fewer(S{}, {{0, 0, 0, 0, 0, 1}, {0}});
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const x = tape.constant(tape.matrix(6, 3));
  auto const e = tape.constant(tape.matrix(8, 3));
  CHECK_THROWS_WITH(
      m2u::gine_aggregate(tape, x, tape.constant(tape.matrix(8, 4)), graph.incoming, graph.source),
      ContainsSubstring("edge features [8, 4]"));
  CHECK_THROWS_WITH(
      m2u::gine_aggregate(tape, x, tape.constant(tape.matrix(7, 3)), graph.incoming, graph.source),
      ContainsSubstring("must be [8, 3]"));
  CHECK_THROWS_WITH(m2u::gine_aggregate(tape, x, e, other.incoming, other.source),
                    ContainsSubstring("the nodes are 6"));
  CHECK_THROWS_WITH(m2u::gin_aggregate(tape, x, graph.incoming, fewer.source),
                    ContainsSubstring("8 edges lead into nodes, but 1"));
  CHECK_THROWS_WITH(m2u::gine_aggregate(tape, x, e, graph.incoming, graph.source, 0,
                                        m2u::make_vector<int>(S{}, "kinds", 7)),
                    ContainsSubstring("of 7 edges with a kind"));
}
