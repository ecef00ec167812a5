// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/functional_groups.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "m2u/chem/molecule.hpp"

namespace {

using Groups = std::vector<m2u::AtomGroup>;
using m2u::GroupKind;

Groups hierarchy(std::string const& smiles) {
  return m2u::hierarchy_groups(*m2u::parse_smiles(smiles).mol);
}
Groups rings(std::string const& smiles) {
  return m2u::ring_systems(*m2u::parse_smiles(smiles).mol);
}
Groups fragments(std::string const& smiles) {
  return m2u::brics_fragments(*m2u::parse_smiles(smiles).mol);
}

}  // namespace

TEST_CASE("functional groups have the most special names and the right atoms", "[chem]") {
  // Nitrobenzoic acid with an amino group: C0 O1 O2, ring 3 … 8, N9, N10 O11 O12.
  CHECK(hierarchy("C(=O)(O)c1ccc(N)c([N+](=O)[O-])c1") ==
        Groups{{"CarboxylicAcid.Aromatic", GroupKind::hierarchy, {0, 1, 2}},
               {"Amine.Primary.Aromatic", GroupKind::hierarchy, {7}},
               {"Nitro.Aromatic", GroupKind::hierarchy, {9, 10, 11}}});
  CHECK(hierarchy("CCO") == Groups{{"Alcohol.Aliphatic", GroupKind::hierarchy, {2}}});
  CHECK(hierarchy("BrCCC") == Groups{{"Halogen.Bromine.Aliphatic", GroupKind::hierarchy, {0}}});
  // A carboxylic acid's own alcohol and an amide's nitrogen have no name of their own.
  CHECK(hierarchy("CC(=O)O") ==
        Groups{{"CarboxylicAcid.Aliphatic", GroupKind::hierarchy, {1, 2, 3}}});
  CHECK(hierarchy("CC(=O)NC").empty());
  CHECK(hierarchy("C").empty());
  CHECK(hierarchy("[Na+].[Cl-]").empty());
  CHECK(hierarchy("*").empty());
}

TEST_CASE("ring systems are rings that share atoms", "[chem]") {
  CHECK(rings("c1ccccc1CC1CC1") == Groups{{"c1ccccc1", GroupKind::ring, {0, 1, 2, 3, 4, 5}},
                                          {"C1CC1", GroupKind::ring, {7, 8, 9}}});
  auto const naphthalene = rings("c1ccc2ccccc2c1");
  REQUIRE(naphthalene.size() == 1);
  CHECK(naphthalene[0].atoms.size() == 10);
  CHECK(rings("C1CCC2(CC1)CC2").size() == 1);  // a spiro atom is shared too
  // Three fused rings where the first and the last share nothing.
  CHECK(rings("c1ccc2cc3ccccc3cc2c1").size() == 1);
  CHECK(rings("CCO").empty());
  RDKit::RWMol const unsanitised;
  CHECK_THROWS_WITH(m2u::ring_systems(unsanitised),
                    Catch::Matchers::ContainsSubstring("was not sanitised"));
}

TEST_CASE("BRICS fragments partition a molecule", "[chem]") {
  CHECK(fragments("CC(=O)Nc1ccccc1") == Groups{{"CC=O", GroupKind::brics, {0, 1, 2}},
                                               {"N", GroupKind::brics, {3}},
                                               {"c1ccccc1", GroupKind::brics, {4, 5, 6, 7, 8, 9}}});
  for (auto const* const smiles :
       {"CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CCNC(=O)c1ccc(N)cc1", "C", "[Na+].[Cl-]", "C1CC1",
        "O=[N+]([O-])c1ccc(Oc2ccccc2)cc1", "C[C@@H](N)C(=O)O", "*CCO", "[13CH3]CCO"}) {
    INFO(smiles);
    auto const mol = m2u::parse_smiles(smiles);
    std::vector<int> all;
    for (auto const& group : m2u::brics_fragments(*mol.mol)) {
      CHECK_FALSE(group.name.empty());
      CHECK(std::is_sorted(group.atoms.begin(), group.atoms.end()));
      all.insert(all.end(), group.atoms.begin(), group.atoms.end());
    }
    std::sort(all.begin(), all.end());
    std::vector<int> expected(mol.mol->getNumAtoms());
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(all == expected);
  }
}
