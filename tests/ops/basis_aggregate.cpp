// SPDX-License-Identifier: Apache-2.0
// basis_aggregate, graph_norm, matmul, spherical_basis.
#include "m2u/ops/basis_aggregate.hpp"

#include <cmath>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/graph/graph_batch.hpp"
#include "m2u/ops/graph_norm.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/ops/spherical_basis.hpp"
#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::evaluate;
using m2u::test::largest_error;

/// Edges that leave some nodes without any.
struct Edges {
  int nodes = 0;
  std::vector<int> source;
  std::vector<int> target;
};
Edges random_edges(int nodes, int edges) {
  m2u::RandomStream const random{5, 6};
  Edges result{nodes, {}, {}};
  for (int k = 0; k < edges; ++k) {
    auto const draw = [&](int which) {
      return static_cast<int>(random.uniform(static_cast<std::uint64_t>(2 * k + which)) *
                              static_cast<float>(nodes - 1));
    };
    result.source.push_back(draw(0));
    result.target.push_back(1 + draw(1));
  }
  return result;
}

/// basis_aggregate on these edges with fixed features.
template <class S>
auto aggregate_on(S const& space, Edges const& edges, int features) {
  auto const sorted = m2u::sort_edges(edges.source, edges.target, edges.nodes);
  auto const values = random_input(static_cast<int>(edges.source.size()), features, {9}).values;
  auto const incoming = m2u::to_space(space, sorted.incoming);
  auto const source = m2u::to_space(space, sorted.source);
  auto const target = m2u::to_space<S>(space, sorted.target);
  return [=]<class R>(m2u::Tape<S, R>& tape, std::vector<m2u::Tensor<S, R>> const& in) {
    std::vector<R> const converted(values.begin(), values.end());
    auto const f = tape.matrix(target.extent_int(0), features);
    m2u::from_host(tape.space(), std::span<R const>(converted), f);
    return m2u::basis_aggregate(tape, in[0], in[1], f, incoming, source, target);
  };
}
std::vector<m2u::CheckInput> inputs_of(Edges const& edges, int width, int features) {
  return {random_input(edges.nodes, width, {1}), random_input(width, features, {2})};
}

template <class S>
m2u::GradientReport check_aggregate(S const& space, Edges const& edges, int width, int features) {
  return m2u::gradient_check(space, {}, inputs_of(edges, width, features),
                             aggregate_on(space, edges, features));
}

// With the usual eps the gradient of a single row is nearly 0, a difference of equal numbers.
template <class S>
m2u::GradientReport check_norm(S const& space, std::vector<int> const& lengths) {
  auto const groups = m2u::to_space(space, m2u::make_ragged(lengths));
  return m2u::gradient_check(space, {},
                             {random_input(groups.total, 5, {1}), random_input(1, 5, {2}),
                              random_input(1, 5, {3}), random_input(1, 5, {4})},
                             [=](auto& tape, auto const& in) {
                               return m2u::graph_norm(tape, in[0], groups, in[1], in[2], in[3],
                                                      0.5F);
                             });
}

template <class S>
m2u::GradientReport check_matmul(S const& space, int rows, int inner, int cols) {
  return m2u::gradient_check(space, {},
                             {random_input(rows, inner, {1}), random_input(inner, cols, {2})},
                             [](auto& tape, auto const& in) {
                               auto const y = m2u::matmul(tape, in[0], in[1]);
                               return m2u::matmul(tape, y, m2u::matmul(tape, in[0], in[1]));
                             });
}

/// Geometry of four edges, the first of length 0, the last beyond the cutoff of 5.
template <class S>
struct FourEdges {
  m2u::Vector<float, S> distances;
  m2u::Matrix<float, S> geometry;
  explicit FourEdges(S const& space)
      : distances(
            m2u::to_space<S>(space, m2u::host_vector("d", std::vector<float>{0, 0.01F, 2.5F, 6}))),
        geometry(m2u::to_space<S>(
            space, m2u::host_matrix("g", 4, 5, std::vector<float>{0,     1,  0,    -1, 1,     //
                                                                  0.5F,  -1, 0.2F, 0,  0.5F,  //
                                                                  -0.1F, 0,  0.7F, 1,  1,     //
                                                                  0.3F,  0,  0,    1,  0}))) {}
};

// The basis has no gradient of its own; what uses it has.
template <class S>
m2u::GradientReport check_basis(S const& space) {
  auto const sorted = m2u::sort_edges({0, 1, 2, 0}, {1, 0, 0, 2}, 3);
  auto const incoming = m2u::to_space(space, sorted.incoming);
  auto const source = m2u::to_space(space, sorted.source);
  auto const target = m2u::to_space<S>(space, sorted.target);
  FourEdges<S> const edges(space);
  return m2u::gradient_check(
      space, {}, {random_input(3, 4, {1}), random_input(4, 8, {2})},
      [=]<class R>(m2u::Tape<S, R>& tape, auto const& in) {
        auto const basis = m2u::spherical_basis(tape, edges.distances, edges.geometry, 2, R(5));
        return m2u::basis_aggregate(tape, in[0], in[1], basis.angles, incoming, source, target);
      });
}

bool const basis_aggregate_cases[] = {
    add_gradient_case("basis_aggregate", "whole and partial pieces of columns and features",
                      [](auto s) { return check_aggregate(s, random_edges(20, 60), 35, 9); }),
    add_gradient_case("basis_aggregate", "a loop at one node",
                      [](auto s) { return check_aggregate(s, {1, {0}, {0}}, 3, 6); }),
    add_gradient_case("basis_aggregate", "no edges",
                      [](auto s) { return check_aggregate(s, {3, {}, {}}, 4, 2); }),
    add_gradient_case("basis_aggregate", "nothing",
                      [](auto s) { return check_aggregate(s, {0, {}, {}}, 4, 2); }),
    add_gradient_case("graph_norm", "groups with an empty one",
                      [](auto s) { return check_norm(s, {4, 0, 3, 7}); }),
    add_gradient_case("graph_norm", "one row", [](auto s) { return check_norm(s, {1}); }),
    add_gradient_case("graph_norm", "no groups", [](auto s) { return check_norm(s, {}); }),
    add_gradient_case("matmul", "square", [](auto s) { return check_matmul(s, 3, 3, 3); }),
    add_gradient_case("matmul", "one number", [](auto s) { return check_matmul(s, 1, 1, 1); }),
    add_gradient_case("matmul", "nothing", [](auto s) { return check_matmul(s, 0, 0, 0); }),
    add_gradient_case("spherical_basis", "through an aggregation",
                      [](auto s) { return check_basis(s); }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("basis_aggregate sums neighbours' rows times W f", "[basis_aggregate]",
                        m2u::test::Spaces) {
  TestType const space;
  constexpr std::size_t width = 40;
  constexpr std::size_t features = 12;
  auto const edges = random_edges(70, 300);
  auto const inputs = inputs_of(edges, width, features);
  auto const result = evaluate(space, {}, inputs, aggregate_on(space, edges, features));
  auto const sorted = m2u::sort_edges(edges.source, edges.target, edges.nodes);
  auto const f = random_input(300, features, {9}).values;
  auto const weights = random_input(70, width, m2u::Seed{77}).values;
  std::vector<double> y(70 * width, 0.0);
  std::vector<double> dx(70 * width, 0.0);
  std::vector<double> dw(width * features, 0.0);
  for (std::size_t k = 0; k < 300; ++k) {
    auto const edge = static_cast<std::size_t>(sorted.order[k]);
    auto const from = static_cast<std::size_t>(edges.source[edge]);
    auto const to = static_cast<std::size_t>(edges.target[edge]);
    for (std::size_t c = 0; c < width; ++c) {
      double const x = inputs[0].values[from * width + c];
      double const dy = weights[to * width + c];
      for (std::size_t b = 0; b < features; ++b) {
        double const filter = inputs[1].values[c * features + b] * f[k * features + b];
        y[to * width + c] += x * filter;
        dx[from * width + c] += dy * filter;
        dw[c * features + b] += x * dy * f[k * features + b];
      }
    }
  }
  CHECK(largest_error(result.values, y) < 1e-5);
  CHECK(largest_error(result.gradients[0], dx) < 1e-5);
  CHECK(largest_error(result.gradients[1], dw) < 1e-5);
  if (auto const single = m2u::test::fewer_threads<TestType>()) {
    CHECK(evaluate(*single, {}, inputs, aggregate_on(*single, edges, features)) == result);
  }
}

TEMPLATE_LIST_TEST_CASE("graph_norm normalises columns within groups", "[graph_norm]",
                        m2u::test::Spaces) {
  m2u::test::OpTape<TestType> tape;
  std::vector<int> const lengths{3, 0, 1};
  auto const groups = m2u::to_space(tape.space(), m2u::make_ragged(lengths));
  auto const y = m2u::graph_norm(tape, tape.input(4, 2, {1, 5, 2, 5, 6, 5, 8, -3}), groups,
                                 tape.input(1, 2, {2, 1}), tape.input(1, 2, {0.5, 0.25}),
                                 tape.input(1, 2, {1, 0.5}));
  // The first column is centred: -2, -1, 3 with the mean square 14 / 3. Of the second, half the
  // mean is taken off: 2.5, whose mean square is its square.
  double const first = 2.0 / std::sqrt(14.0 / 3.0 + 1e-5);
  double const second = 2.5 / std::sqrt(6.25 + 1e-5) + 0.25;
  std::vector<double> const expected{
      0.5 - 2 * first, second, 0.5 - first, second,
      0.5 + 3 * first, second, 0.5,         -1.5 / std::sqrt(2.25 + 1e-5) + 0.25};
  CHECK(m2u::test::largest_difference(tape.values(y), expected) < 1e-7);  // eps is a float
}

TEST_CASE("the spherical basis has the published columns", "[spherical_basis]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::test::OpTape<S> tape;
  FourEdges<S> const edges(tape.space());
  auto const basis = m2u::spherical_basis(tape, edges.distances, edges.geometry, 2, 5.0);
  auto const angles = m2u::to_host(tape.space(), basis.angles);
  auto const torsions = m2u::to_host(tape.space(), basis.torsions);
  REQUIRE(angles.size() == 32);
  REQUIRE(torsions.size() == 16);
  // tan z = z
  double const zeros[] = {4.493409457909064, 7.725251836937707};
  auto const geometry = m2u::to_host(tape.space(), edges.geometry);
  double const distances[] = {0.0, static_cast<double>(0.01F), 2.5, 6.0};
  for (std::size_t e = 0; e < 4; ++e) {
    for (std::size_t n = 0; n < 2; ++n) {
      double const at0 = static_cast<double>(n + 1) * M_PI * distances[e] / 5.0;
      double const at1 = zeros[n] * distances[e] / 5.0;
      double const j0 = at0 > 0 ? std::sin(at0) / at0 : 1.0;
      double const j1 = at1 > 0 ? std::sph_bessel(1, at1) : 0.0;
      double const envelope = static_cast<double>(geometry[5 * e + 4]);
      double const even = envelope * j0 * std::sqrt(2.0) * static_cast<double>(n + 1) * M_PI *
                          std::sqrt(1 / (4 * M_PI));
      double const odd = envelope * j1 * std::sqrt(2.0) / std::abs(std::sph_bessel(2, zeros[n])) *
                         std::sqrt(3 / (4 * M_PI));
      CHECK(std::abs(angles[8 * e + n] - even) < 1e-9);
      CHECK(std::abs(torsions[4 * e + n] - even) < 1e-9);
      for (std::size_t k = 0; k < 3; ++k) {
        double const direction = static_cast<double>(geometry[5 * e + k]);
        CHECK(std::abs(angles[8 * e + 2 * (k + 1) + n] - odd * direction) < 1e-9);
      }
      CHECK(std::abs(torsions[4 * e + 2 + n] - odd * static_cast<double>(geometry[5 * e + 3])) <
            1e-9);
    }
  }
}

TEST_CASE("ops of ComENet refuse shapes that do not fit", "[basis_aggregate]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::test::OpTape<S> tape;
  auto const sorted = m2u::sort_edges({0, 1}, {1, 0}, 2);
  auto const matrix = [&](int rows, int cols) { return tape.constant(tape.matrix(rows, cols)); };
  auto const aggregate = [&](int rows, int cols, int edges, int features) {
    m2u::basis_aggregate(tape, matrix(rows, 3), matrix(cols, features), tape.matrix(edges, 4),
                         m2u::to_space(S{}, sorted.incoming), m2u::to_space(S{}, sorted.source),
                         m2u::to_space<S>(S{}, sorted.target));
  };
  CHECK_NOTHROW(aggregate(2, 3, 2, 4));
  CHECK_THROWS_WITH(aggregate(2, 4, 2, 4), ContainsSubstring("it must be [3, 4]"));
  CHECK_THROWS_WITH(aggregate(2, 3, 2, 5), ContainsSubstring("it must be [3, 4]"));
  CHECK_THROWS_WITH(aggregate(3, 3, 2, 4), ContainsSubstring("3 rows"));
  CHECK_THROWS_WITH(aggregate(2, 3, 3, 4), ContainsSubstring("3 edges with features"));
  CHECK_THROWS_WITH(m2u::matmul(tape, matrix(2, 3), matrix(2, 3)),
                    ContainsSubstring("[2, 3] and [2, 3] do not fit"));
  auto const groups = m2u::to_space(S{}, m2u::make_ragged(std::vector{2}));
  CHECK_THROWS_WITH(
      m2u::graph_norm(tape, matrix(2, 3), groups, matrix(1, 3), matrix(1, 2), matrix(1, 3)),
      ContainsSubstring("all must be [1, 3]"));
  CHECK_THROWS_WITH(
      m2u::graph_norm(tape, matrix(3, 3), groups, matrix(1, 3), matrix(1, 3), matrix(1, 3)),
      ContainsSubstring("cover 2 rows"));
  FourEdges<S> const edges(tape.space());
  CHECK_THROWS_WITH(m2u::spherical_basis(tape, edges.distances, edges.geometry, 17, 5.0),
                    ContainsSubstring("1 … 16"));
  CHECK_THROWS_WITH(m2u::spherical_basis(tape, edges.distances, edges.geometry, 2, 0.0),
                    ContainsSubstring("cutoff must be positive"));
  CHECK_THROWS_WITH(
      m2u::spherical_basis(tape, edges.distances, m2u::Matrix<float, S>("g", 4, 4), 2, 5.0),
      ContainsSubstring("it must be [4, 5]"));
}
