// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/one_hot.hpp"

#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "chem/shared_data.hpp"
#include "m2u/chem/features.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace {

constexpr m2u::FeatureOptions one_hot{.encoding_steps = 3, .atoms = m2u::AtomInputs::one_hot};

m2u::GraphRecord graph_of(std::string const& smiles) {
  auto const parsed = m2u::parse_smiles(smiles);
  INFO(smiles << ": " << parsed.reason);
  REQUIRE(parsed);
  auto graph = m2u::featurise(*parsed.mol, one_hot);
  m2u::check_graph(graph.view(), m2u::molecule_columns(one_hot), "test");
  return graph;
}

/// The columns of row `i` that are not 0, with what they hold.
using Set = std::map<std::size_t, float>;
Set set_of(std::vector<float> const& values, std::size_t columns, std::size_t i) {
  Set set;
  for (std::size_t c = 0; c < columns; ++c) {
    if (float const value = values[i * columns + c]; value != 0.0F) {
      set[c] = value;
    }
  }
  return set;
}
Set atom(m2u::GraphRecord const& graph, std::size_t i) {
  return set_of(graph.node_values, m2u::one_hot_atom_columns, i);
}
Set bond(m2u::GraphRecord const& graph, std::size_t i) {
  return set_of(graph.edge_values, m2u::one_hot_bond_columns, 2 * i);  // two edges each
}

}  // namespace

// Where each group of columns starts: degree 72, implicit valence 83, charge 90, radicals 91,
// hybridisation 92, aromatic 97, hydrogens 98.
TEST_CASE("one-hot features of atoms", "[chem]") {
  auto const ethanol = graph_of("CCO");
  CHECK(ethanol.node_features.empty());
  CHECK(ethanol.edge_features.empty());
  CHECK(ethanol.encoding.size() == 9);
  CHECK(atom(ethanol, 0) == Set{{69, 1}, {73, 1}, {86, 1}, {94, 1}, {101, 1}});  // CH3
  CHECK(atom(ethanol, 1) == Set{{69, 1}, {74, 1}, {85, 1}, {94, 1}, {100, 1}});  // CH2
  CHECK(atom(ethanol, 2) == Set{{13, 1}, {73, 1}, {84, 1}, {94, 1}, {99, 1}});   // OH
  CHECK(atom(graph_of("c1ccncc1"), 3) == Set{{41, 1}, {74, 1}, {83, 1}, {93, 1}, {97, 1}, {98, 1}});
  // Hydrogens in brackets are not implicit.
  CHECK(atom(graph_of("[NH4+]"), 0) == Set{{41, 1}, {72, 1}, {83, 1}, {90, 1}, {94, 1}, {102, 1}});
  CHECK(atom(graph_of("[CH3]"), 0) == Set{{69, 1}, {72, 1}, {83, 1}, {91, 1}, {94, 1}, {101, 1}});
  CHECK(atom(graph_of("CC(=O)[O-]"), 3)[90] == -1.0F);
  CHECK(atom(graph_of("N#N"), 0).contains(92));
}

TEST_CASE("one-hot features take what the columns have no place for", "[chem]") {
  CHECK(atom(graph_of("[U]"), 0).contains(71));
  CHECK(atom(graph_of("*C"), 0).contains(71));
  CHECK(atom(graph_of("C"), 0) == Set{{69, 1}, {72, 1}, {87, 1}, {94, 1}, {102, 1}});
  auto const crowded = atom(graph_of("F[U](F)(F)(F)(F)(F)(F)(F)(F)(F)(F)F"), 1);
  CHECK(crowded.contains(82));  // 12 neighbours
  auto const lone = atom(graph_of("[H+]"), 0);
  CHECK(lone.contains(53));
  CHECK(lone.contains(96));  // hybridisation S
}

TEST_CASE("one-hot features of bonds", "[chem]") {
  auto const vinyl = graph_of("C=CC#N");
  CHECK(bond(vinyl, 0) == Set{{1, 1}, {4, 1}});
  CHECK(bond(vinyl, 1) == Set{{0, 1}, {4, 1}});
  CHECK(bond(vinyl, 2) == Set{{2, 1}, {4, 1}});
  CHECK(bond(graph_of("CC"), 0) == Set{{0, 1}});
  CHECK(bond(graph_of("C1CC1"), 0) == Set{{0, 1}, {5, 1}});
  CHECK(bond(graph_of("c1ccccc1"), 0) == Set{{3, 1}, {4, 1}, {5, 1}});
  CHECK(bond(graph_of("N->[Pt]"), 0).empty());
  auto const both = graph_of("C1CC1C");
  REQUIRE(both.source.size() == 8);
  for (std::size_t edge = 0; edge < 8; ++edge) {  // both directions of a bond are alike
    bool const ring = both.source[edge] != 3 && both.target[edge] != 3;
    CHECK(set_of(both.edge_values, 6, edge) == (ring ? Set{{0, 1}, {5, 1}} : Set{{0, 1}}));
  }
}

TEST_CASE("atom inputs have names", "[chem]") {
  CHECK(m2u::atom_inputs_from_string("one-hot") == m2u::AtomInputs::one_hot);
  CHECK(m2u::atom_inputs_from_string("ogb") == m2u::AtomInputs::ogb);
  CHECK(to_string(m2u::AtomInputs::one_hot) == "one-hot");
  CHECK_THROWS_WITH(
      m2u::atom_inputs_from_string("ecfp", "--atoms"),
      Catch::Matchers::ContainsSubstring("--atoms: there are no atom inputs \"ecfp\""));
  CHECK(m2u::molecule_columns(one_hot) == m2u::GraphColumns{0, 0, 3, 103, 6});
}

TEST_CASE("one-hot features are those of M2UMol's package", "[chem][shared]") {
  auto const manifest_path = m2u::test::shared_file("reference/manifest.json");
  auto const manifest = nlohmann::json::parse(std::ifstream(manifest_path));
  for (auto const& [name, batch] : manifest.at("batches").items()) {
    INFO("batch " << name);
    m2u::SafetensorsFile const file(manifest_path.parent_path() /
                                    batch.at("file").get<std::string>());
    std::vector<float> atoms;
    std::map<std::pair<int, int>, Set> bonds;
    int first = 0;
    for (auto const& smiles : batch.at("smiles")) {
      auto const graph = graph_of(smiles.get<std::string>());
      atoms.insert(atoms.end(), graph.node_values.begin(), graph.node_values.end());
      for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
        bonds[{first + graph.source[edge], first + graph.target[edge]}] =
            set_of(graph.edge_values, m2u::one_hot_bond_columns, edge);
      }
      first += graph.nodes;
    }
    CHECK(atoms == file.tensor("in.x_onehot").values);
    auto const ends = file.integers("in.edge_index");
    auto const flags = file.integers("in.edge_onehot");
    std::vector<float> const values(flags.begin(), flags.end());
    std::map<std::pair<int, int>, Set> expected;
    for (std::size_t edge = 0; edge < ends.size() / 2; ++edge) {
      auto const from = static_cast<int>(ends[edge]);
      auto const to = static_cast<int>(ends[ends.size() / 2 + edge]);
      expected[{from, to}] = set_of(values, m2u::one_hot_bond_columns, edge);
    }
    CHECK(bonds == expected);
  }
}
