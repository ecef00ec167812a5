// SPDX-License-Identifier: Apache-2.0
#include "m2u/transfer/embedder.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <cstddef>
#include <span>

#include "support/spaces.hpp"
#include "support/toy.hpp"

TEMPLATE_LIST_TEST_CASE("an Embedder gives the hub's vectors, call after call", "[embed]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::test::ToyModel const toy;
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  int const samples = 6;

  m2u::Tape<S> tape(space, theta, m2u::Mode::evaluation);
  auto const batch = m2u::test::make_toy_batch(space, samples);
  auto const together = m2u::to_host(space, toy.model.hub(tape, batch).value);

  m2u::Embedder embedder(space, toy.model, theta);
  CHECK(embedder.width() == 0);
  for (int round = 0; round < 2; ++round) {
    for (int sample = 0; sample < samples; ++sample) {
      auto const graph = m2u::test::toy_graph(sample);
      auto const view = graph.view();
      auto const alone = m2u::make_graph_batch(std::span(&view, 1), {2, 1, 4});
      auto const found = embedder(m2u::to_space(space, alone));
      REQUIRE(embedder.width() == m2u::test::toy_width);
      REQUIRE(found.size() == static_cast<std::size_t>(m2u::test::toy_width));
      for (std::size_t i = 0; i < found.size(); ++i) {
        // In evaluation mode no sample sees another; sums may be split into other blocks.
        auto const wanted = together[static_cast<std::size_t>(sample) * found.size() + i];
        CHECK(std::abs(found[i] - wanted) <= 1e-5F * (1.0F + std::abs(wanted)));
      }
    }
  }
}
