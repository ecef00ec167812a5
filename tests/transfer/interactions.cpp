// SPDX-License-Identifier: Apache-2.0
// Molecules and proteins: the model of interactions, its data set and gradients.
#include "m2u/data/interaction_dataset.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/trainer.hpp"
#include "support/spaces.hpp"
#include "support/toy_graphs.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

m2u::InteractionModel<m2u::Gps> toy_model(m2u::ParameterLayout& layout) {
  return {layout.scope("head"),
          m2u::Gps{layout.scope("hub"),
                   {.width = 8,
                    .layers = 1,
                    .heads = 2,
                    .dropout = 0.0F,
                    .attention_dropout = 0.0F,
                    .node_vocabularies = {7, 3},
                    .edge_vocabularies = {4},
                    .encoding_steps = 4,
                    .encoding_width = 4}},
          {.molecule_width = 8,
           .proteins = {.width = 8, .windows = {3, 2}},
           .joint = 6,
           .factors = 2,
           .hidden = 12,
           .middle = 6,
           .dropout = 0.0F}};
}

using ToyMolecules = m2u::test::ToyGraphs<6>;

std::vector<int> toy_atoms() {
  std::vector<int> counts;
  for (int id = 0; id < ToyMolecules{}.size(); ++id) {
    counts.push_back(m2u::test::toy_graph(id).nodes);
  }
  return counts;
}

/// A pair interacts if the molecule's number and whether the protein has a W are both odd or even.
m2u::Interactions toy_interactions() {
  m2u::Interactions all{{"MKTAYW", "GGAAC", "WWLK", "MKTLLA"}, {}, {}, {}};
  for (int molecule = 0; molecule < 6; ++molecule) {
    for (int protein = 0; protein < 4; ++protein) {
      all.molecule.push_back(molecule);
      all.protein.push_back(protein);
      bool const tryptophan =
          all.proteins[static_cast<std::size_t>(protein)].find('W') != std::string::npos;
      all.labels.push_back((molecule % 2 == 1) == tryptophan ? 1.0F : 0.0F);
    }
  }
  return all;
}

m2u::InteractionDataset<ToyMolecules> toy_pairs() {
  return {ToyMolecules{}, toy_atoms(), toy_interactions()};
}

}  // namespace

TEST_CASE("gradients of the interaction model agree with central differences",
          "[interactions][gradients]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  auto const model = toy_model(layout);
  auto const batch = toy_pairs().collate<S>(std::vector{0, 5, 6, 13, 22}).to_space(S{});
  auto const report = m2u::gradient_check(
      S{}, layout, {m2u::random_input(1, 1, {1})}, [&](auto& tape, auto const& in) {
        return add(tape, model.losses(tape, batch).total, matmul(tape, in[0], in[0]));
      });
  INFO(report);
  CHECK(report.difference_error < 1e-6);
  CHECK(report.float_error < 1e-4);
}

TEMPLATE_LIST_TEST_CASE("the interaction model learns which pairs interact", "[interactions]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::ParameterLayout layout;
  auto const model = toy_model(layout);
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{5});
  m2u::Adam<S> adam{theta, {.learning_rate = 5e-3}};
  m2u::SequentialBatches<S, m2u::InteractionDataset<ToyMolecules>> source(
      toy_pairs(), {.size = 24, .shuffle = false});
  m2u::Trainer trainer{model, theta, adam};
  trainer.fit(source, {.epochs = 200});
  m2u::Tape<S> tape(space, theta, m2u::Mode::training);
  auto const batch = toy_pairs().template collate<S>(m2u::all_ids(24)).to_space(space);
  auto const logits = m2u::to_host(space, model.predict(tape, batch).value);
  auto const labels = toy_interactions().labels;
  REQUIRE(logits.size() == 24);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    CHECK((logits[i] > 0.0F) == (labels[i] > 0.5F));
  }
}

// In evaluation nothing depends on the other pairs of a batch.
TEST_CASE("a pair's logit does not depend on its batch", "[interactions]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  auto const model = toy_model(layout);
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{5});
  auto const logits = [&](std::vector<int> const& ids) {
    m2u::Tape<S> tape(S{}, theta, m2u::Mode::evaluation);
    auto const batch = toy_pairs().collate<S>(ids).to_space(S{});
    return m2u::to_host(S{}, model.predict(tape, batch).value);
  };
  auto const together = logits({0, 5, 6, 13, 22, 5});
  CHECK(std::abs(together[1] - together[5]) < 1e-6F);
  auto const alone = logits({13});
  CHECK(std::abs(alone[0] - together[3]) < 1e-5F);
}

TEST_CASE("proteins become letters, and what does not fit is refused", "[interactions]") {
  auto const batch = m2u::make_protein_batch({"AcZ*", "MK"}, 3);
  CHECK(m2u::to_host(m2u::Host{}, batch.letters) == std::vector{1, 3, 26, 13, 11});
  CHECK(batch.sequences.groups == 2);
  CHECK_THROWS_WITH(m2u::make_protein_batch({""}, 3), ContainsSubstring("empty"));
  auto all = toy_interactions();
  all.labels.pop_back();
  CHECK_THROWS_WITH(m2u::InteractionDataset(ToyMolecules{}, toy_atoms(), all),
                    ContainsSubstring("23 labels"));
  all = toy_interactions();
  all.protein[3] = 9;
  CHECK_THROWS_WITH(m2u::InteractionDataset(ToyMolecules{}, toy_atoms(), all),
                    ContainsSubstring("pair 3"));
}
