// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/molecule_embedder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>
#include <vector>

#include "m2u/encoders/gps.hpp"
#include "m2u/transfer/multi_to_uni.hpp"

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Catch::Matchers::ContainsSubstring;

std::vector<float> copy(std::span<float const> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("MoleculeEmbedder turns SMILES into vectors", "[chem]") {
  for (auto const atoms : {m2u::AtomInputs::ogb, m2u::AtomInputs::one_hot}) {
    m2u::FeatureOptions const features{.encoding_steps = 6, .atoms = atoms};
    m2u::GpsOptions options{.width = 16, .layers = 1, .heads = 2, .encoding_steps = 6};
    if (atoms == m2u::AtomInputs::one_hot) {
      options.node_vocabularies.clear();
      options.edge_vocabularies.clear();
      options.node_values = m2u::one_hot_atom_columns;
      options.edge_values = m2u::one_hot_bond_columns;
    }
    m2u::ParameterLayout layout;
    m2u::MultiToUni const model{m2u::hub(m2u::Gps{layout.scope("hub"), options})};
    m2u::Parameters<Space> const theta(Space{}, layout, m2u::Seed{3});
    m2u::MoleculeEmbedder embedder(Space{}, model, theta, features);

    auto const ethanol = copy(embedder("CCO"));
    REQUIRE(ethanol.size() == 16);
    CHECK(copy(embedder("c1ccccc1")) != ethanol);
    CHECK(copy(embedder(" CCO\t")) == ethanol);
    CHECK(copy(embedder(*m2u::parse_smiles("CCO").mol)) == ethanol);
    CHECK(copy(embedder("C")).size() == 16);  // no bonds
    CHECK_THROWS_WITH(embedder("C1CC"), ContainsSubstring("\"C1CC\" can't be used: ") &&
                                            ContainsSubstring("unclosed ring"));
    CHECK(copy(embedder("CCO")) == ethanol);  // an error leaves it as it was
  }
}
