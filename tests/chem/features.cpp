// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/features.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <GraphMol/SmilesParse/SmilesWrite.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "chem/shared_data.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/chem/read.hpp"

namespace {

using Atom = std::array<int, 9>;
using Bond = std::array<int, 3>;

m2u::GraphRecord graph_of(std::string const& smiles, int steps = 20) {
  auto const parsed = m2u::parse_smiles(smiles);
  INFO(smiles << ": " << parsed.reason);
  REQUIRE(parsed);
  return m2u::featurise(*parsed.mol, {.encoding_steps = steps});
}

Atom atom(m2u::GraphRecord const& graph, std::size_t i) {
  Atom result;
  std::copy_n(graph.node_features.begin() + static_cast<std::ptrdiff_t>(9 * i), 9, result.begin());
  return result;
}
Bond bond(m2u::GraphRecord const& graph, std::size_t i) {
  Bond result;
  std::copy_n(graph.edge_features.begin() + static_cast<std::ptrdiff_t>(6 * i), 3, result.begin());
  return result;
}

void check_vocabularies(m2u::GraphRecord const& graph) {
  m2u::check_graph(graph.view(), m2u::molecule_columns(), "test");
  for (std::size_t i = 0; i < graph.node_features.size(); ++i) {
    REQUIRE(graph.node_features[i] >= 0);
    REQUIRE(graph.node_features[i] < m2u::atom_vocabularies[i % 9]);
  }
  for (std::size_t i = 0; i < graph.edge_features.size(); ++i) {
    REQUIRE(graph.edge_features[i] >= 0);
    REQUIRE(graph.edge_features[i] < m2u::bond_vocabularies[i % 3]);
  }
}

}  // namespace

TEST_CASE("featurise gives the features of ethanol", "[chem]") {
  auto const graph = graph_of("CCO");
  CHECK(graph.nodes == 3);
  CHECK(graph.source == std::vector{0, 1, 1, 2});
  CHECK(graph.target == std::vector{1, 0, 2, 1});
  CHECK(atom(graph, 0) == Atom{5, 0, 4, 5, 3, 0, 2, 0, 0});
  CHECK(atom(graph, 1) == Atom{5, 0, 4, 5, 2, 0, 2, 0, 0});
  CHECK(atom(graph, 2) == Atom{7, 0, 2, 5, 1, 0, 2, 0, 0});
  CHECK(bond(graph, 0) == Bond{0, 0, 0});
  // From an end the walk is back after two steps with chance 1/2, from the middle surely.
  CHECK(graph.encoding.size() == 60);
  CHECK(graph.encoding[1] == 0.5F);
  CHECK(graph.encoding[21] == 1.0F);
  CHECK(graph.encoding[0] == 0.0F);
}

TEST_CASE("featurise sees charges, rings, aromaticity, hybridisation and bond types", "[chem]") {
  auto const pyridine = graph_of("c1ccncc1");
  CHECK(atom(pyridine, 3) == Atom{6, 0, 2, 5, 0, 0, 1, 1, 1});
  CHECK(bond(pyridine, 0) == Bond{3, 0, 1});
  auto const nitrile = graph_of("CC#N");
  CHECK(atom(nitrile, 1)[6] == 0);
  CHECK(bond(nitrile, 1) == Bond{2, 0, 0});
  auto const salt = graph_of("[Ca+2].[O-]C(=O)C");
  CHECK(atom(salt, 0) == Atom{19, 0, 0, 7, 0, 0, atom(salt, 0)[6], 0, 0});
  CHECK(atom(salt, 1)[3] == 4);
  auto const radical = graph_of("[CH3]");
  CHECK(atom(radical, 0)[4] == 3);
  CHECK(atom(radical, 0)[5] == 1);
  auto const sulphur = graph_of("FS(F)(F)(F)(F)F");
  CHECK(atom(sulphur, 1)[6] == 4);
  CHECK(atom(sulphur, 1)[2] == 6);
  auto const dative = graph_of("N->[Pt]");
  CHECK(bond(dative, 0)[0] == 4);
  CHECK(atom(graph_of("*C"), 0)[0] == 118);
}

TEST_CASE("featurise sees stereochemistry", "[chem]") {
  auto const left = atom(graph_of("C[C@@H](N)C(=O)O"), 1)[1];
  auto const right = atom(graph_of("C[C@H](N)C(=O)O"), 1)[1];
  CHECK(std::min(left, right) == 1);
  CHECK(std::max(left, right) == 2);
  CHECK(atom(graph_of("CC(N)C(=O)O"), 1)[1] == 0);
  CHECK(bond(graph_of("F/C=C/F"), 1) == Bond{1, 2, 0});
  CHECK(bond(graph_of("F/C=C\\F"), 1) == Bond{1, 1, 0});
  CHECK(bond(graph_of("FC=CF"), 1) == Bond{1, 0, 0});
}

TEST_CASE("featurise takes what is unusual", "[chem]") {
  for (auto const* const smiles :
       {"[Na+]", "[H][H]", "[2H]O[2H]", "[H+]", "*", "[U]", "[Na+].[Na+].[O-]S(=O)(=O)[O-]",
        "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "[C-]#[O+]", "F[P-](F)(F)(F)(F)F"}) {
    INFO(smiles);
    check_vocabularies(graph_of(smiles));
  }
  CHECK(graph_of("[Na+]").source.empty());
  CHECK(graph_of("C1CC1", 0).encoding.empty());
}

TEST_CASE("featurise leaves explicit hydrogens out", "[chem]") {
  auto const parsed = m2u::parse_smiles("C[C@@H](N)C(=O)O");
  RDKit::RWMol full(*parsed.mol);
  RDKit::MolOps::addHs(full);
  auto const bare = m2u::featurise(*parsed.mol);
  auto const again = m2u::featurise(full);
  CHECK(again.node_features == bare.node_features);
  CHECK(again.edge_features == bare.edge_features);
  CHECK(again.encoding == bare.encoding);
  RDKit::RWMol const raw;  // never sanitised
  CHECK_THROWS_WITH(m2u::featurise(raw), Catch::Matchers::ContainsSubstring("sanitised"));
}

// parse_smiles leaves out steps of MolFromSmiles; these molecules need those that are left.
TEST_CASE("parse_smiles gives the molecules of MolFromSmiles", "[chem]") {
  auto const compare = [](std::string const& smiles) {
    INFO(smiles);
    m2u::RdkitLog const silent;
    std::unique_ptr<RDKit::RWMol> expected;
    try {
      expected = RDKit::v2::SmilesParse::MolFromSmiles(smiles);
    } catch (std::exception const&) {
      // a null molecule: refused
    }
    auto const parsed = m2u::parse_smiles(smiles);
    REQUIRE(static_cast<bool>(parsed) == (expected != nullptr));
    if (expected == nullptr) {
      return;
    }
    CHECK(RDKit::MolToSmiles(*parsed.mol) == RDKit::MolToSmiles(*expected));
    auto const found = m2u::featurise(*parsed.mol);
    auto const wanted = m2u::featurise(*expected);
    CHECK(found.node_features == wanted.node_features);
    CHECK(found.edge_features == wanted.edge_features);
    CHECK(found.source == wanted.source);
    CHECK(found.target == wanted.target);
    m2u::FeatureOptions const one_hot{.encoding_steps = 0, .atoms = m2u::AtomInputs::one_hot};
    CHECK(m2u::featurise(*parsed.mol, one_hot).node_values ==
          m2u::featurise(*expected, one_hot).node_values);
  };
  for (char const* const smiles : {"*C1CC1",
                                   "[H][H]",
                                   "[2H]C",
                                   "[H]C([2H])F",
                                   "[H+]",
                                   "[H]O[H]",
                                   "[H]/N=C/C",
                                   "[H]N=C",
                                   "[H]/C(F)=C/F",
                                   "[H][C@](F)(Cl)Br",
                                   "[H][C@@]12CCCC[C@]1([H])CCC2",
                                   "[CH2:1]=[CH2:2]",
                                   "[Pt@SP1](F)(Cl)(Br)I",
                                   "F[Co@OH5](Cl)(Br)(I)(N)O",
                                   "N[Pt](N)(Cl)Cl",
                                   "[NH3][Pt](Cl)Cl",
                                   "CC[Hg]C",
                                   "[Cu]<-N",
                                   "[Fe]",
                                   "C(=[C@AL1](F)Cl)=C(Br)I",
                                   "[Na+].[O-]C(=O)C",
                                   "CN(=O)=O",
                                   "C[N+](=O)[O-]",
                                   "c1ccc2c(c1)[nH]c1ccccc12",
                                   "C1=CC=CC=C1",
                                   "C1=CNC=C1",
                                   "F/C=C/F",
                                   "F/C=C\\F",
                                   "C/C=C/C=C\\C",
                                   "C[C@H](O)[C@@H](C)O",
                                   "C[C@H](C)O",
                                   "C[C@@H]1CC[C@H](C)CC1",
                                   "C[S@](=O)CC",
                                   "C[P@](=O)(O)CC",
                                   "[SiH4]",
                                   "[Se]1C=CC=C1",
                                   "[C]",
                                   "[CH3]",
                                   "[O][O]",
                                   "C[C@H](F)O |&1:1|",
                                   "CC name",
                                   "C~C",
                                   "C1CC",
                                   "C[N](C)(C)(C)C",
                                   "n1cccc1"}) {
    compare(smiles);
  }
  m2u::Rejects rejects;
  for (auto const& drug : m2u::read_molecules(M2U_SOURCE_DIR "/examples/data/drugs.tsv", rejects)) {
    compare(drug.smiles);
  }
}

// Sums over features that OGB's own Python code gave for these molecules, weighted by the atom's
// position modulo 101, so that the order counts.
TEST_CASE("featurise gives OGB's features for 975 drugs", "[chem][shared]") {
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(m2u::test::shared_file("peers/mols.tsv"), rejects);
  REQUIRE(records.size() == 975);
  std::array<long, 9> atoms{};
  std::array<long, 3> bonds{};
  std::array<double, 20> encoding{};
  long count = 0;
  std::size_t edges = 0;
  for (auto const& record : records) {
    auto const graph = graph_of(record.smiles);
    check_vocabularies(graph);
    edges += graph.source.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(graph.nodes); ++i) {
      ++count;
      for (std::size_t k = 0; k < 9; ++k) {
        atoms[k] += (count % 101) * graph.node_features[9 * i + k];
      }
      for (std::size_t k = 0; k < 20; ++k) {
        encoding[k] += static_cast<double>(graph.encoding[20 * i + k]);
      }
    }
    for (std::size_t i = 0; i < graph.edge_features.size(); ++i) {
      bonds[i % 3] += graph.edge_features[i];
    }
  }
  CHECK(count == 24927);
  CHECK(edges == 53350);
  CHECK(atoms == std::array<long, 9>{7113750, 128669, 3802588, 6229978, 1138092, 182, 1770760,
                                     428998, 707145});
  CHECK(bonds == std::array<long, 3>{56480, 460, 26786});
  CHECK(encoding[1] == Catch::Approx(11019.1947530508).epsilon(1e-5));
  CHECK(encoding[4] == Catch::Approx(78.5866219361).epsilon(1e-5));
  CHECK(encoding[19] == Catch::Approx(3603.3990472499).epsilon(1e-5));
}
