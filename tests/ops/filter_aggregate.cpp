// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/filter_aggregate.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/graph/graph_batch.hpp"
#include "m2u/ops/radial_basis.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::test::add_gradient_case;

template <class S>
m2u::GradientReport check(S const& space, std::vector<int> const& source,
                          std::vector<int> const& target, int nodes) {
  auto const sorted = m2u::sort_edges(source, target, nodes);
  auto const incoming = m2u::to_space(space, sorted.incoming);
  auto const from = m2u::to_space(space, sorted.source);
  auto const to = m2u::to_space<S>(space, sorted.target);
  return m2u::gradient_check(space, {},
                             {m2u::random_input(nodes, 3, {1}),
                              m2u::random_input(static_cast<int>(source.size()), 3, {2})},
                             [=](auto& tape, auto const& in) {
                               return m2u::filter_aggregate(tape, in[0], in[1], incoming, from, to);
                             });
}

template <class S>
m2u::GradientReport check_fade(S const& space, int edges) {
  std::vector<float> lengths(static_cast<std::size_t>(edges));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    lengths[i] = 0.9F * static_cast<float>(i);  // some beyond the cutoff
  }
  auto const distances = m2u::to_space<S>(space, m2u::host_vector("d", lengths));
  return m2u::gradient_check(space, {}, {m2u::random_input(edges, 4, {1})},
                             [=]<class R>(m2u::Tape<S, R>& tape, auto const& in) {
                               return m2u::fade(tape, in[0], distances, R(3));
                             });
}

bool const filter_aggregate_cases[] = {
    add_gradient_case("filter_aggregate", "a graph with an isolated node",
                      [](auto s) { return check(s, {0, 2, 1, 0, 0}, {1, 1, 0, 2, 0}, 4); }),
    add_gradient_case("filter_aggregate", "no edges", [](auto s) { return check(s, {}, {}, 3); }),
    add_gradient_case("filter_aggregate", "nothing", [](auto s) { return check(s, {}, {}, 0); }),
    add_gradient_case("radial_basis", "fade", [](auto s) { return check_fade(s, 5); }),
    add_gradient_case("radial_basis", "fade without edges",
                      [](auto s) { return check_fade(s, 0); }),
};

}  // namespace

TEST_CASE("Gaussians peak at their centres and filters fade at the cutoff", "[radial]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S, double> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const distances =
      m2u::to_space<S>(S{}, m2u::host_vector("d", std::vector<float>{0, 2, 4, 5}));
  auto const basis = m2u::to_host(S{}, m2u::radial_basis(tape, distances, 3, 4.0));
  CHECK(basis[0] == 1.0);
  CHECK(basis[4] == 1.0);
  CHECK(basis[8] == 1.0);
  CHECK(std::abs(basis[1] - std::exp(-0.5)) < 1e-12);
  auto const ones = tape.matrix(4, 1);
  Kokkos::deep_copy(ones, 1.0);
  auto const faded = m2u::to_host(S{}, m2u::fade(tape, tape.constant(ones), distances, 4.0).value);
  CHECK(std::abs(faded[0] - 1.0) < 1e-12);
  CHECK(std::abs(faded[1] - 0.5) < 1e-12);
  CHECK(std::abs(faded[2]) < 1e-12);
  CHECK(faded[3] == 0.0);
  CHECK_THROWS_WITH(m2u::radial_basis(tape, distances, 1, 4.0),
                    Catch::Matchers::ContainsSubstring("at least 2"));
  CHECK_THROWS_WITH(m2u::fade(tape, tape.constant(tape.matrix(3, 1)), distances, 4.0),
                    Catch::Matchers::ContainsSubstring("3 rows of filters, but 4 distances"));
}

TEST_CASE("filter_aggregate refuses shapes that do not fit", "[filter_aggregate]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const sorted = m2u::sort_edges({0, 1}, {1, 0}, 2);
  auto const aggregate = [&](int rows, int edges, int cols) {
    m2u::filter_aggregate(tape, tape.constant(tape.matrix(rows, 3)),
                          tape.constant(tape.matrix(edges, cols)),
                          m2u::to_space(S{}, sorted.incoming), m2u::to_space(S{}, sorted.source),
                          m2u::to_space<S>(S{}, sorted.target));
  };
  CHECK_NOTHROW(aggregate(2, 2, 3));
  CHECK_THROWS_WITH(aggregate(2, 2, 4), Catch::Matchers::ContainsSubstring("differ in columns"));
  CHECK_THROWS_WITH(aggregate(3, 2, 3), Catch::Matchers::ContainsSubstring("3 rows"));
  CHECK_THROWS_WITH(aggregate(2, 3, 3),
                    Catch::Matchers::ContainsSubstring("3 filters for 2 edges"));
}
