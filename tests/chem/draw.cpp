// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/draw.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>
#include <vector>

#include "m2u/chem/molecule.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("draw_svg draws molecules", "[chem]") {
  for (auto const* const smiles :
       {"CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "C", "*", "C[C@@H](N)C(=O)O"}) {
    auto const svg = m2u::draw_svg(*m2u::parse_smiles(smiles).mol, {.width = 200, .height = 100});
    CHECK(svg.starts_with("<svg"));
    CHECK_THAT(svg,
               ContainsSubstring("width='200px' height='100px'") && ContainsSubstring("</svg>"));
  }
}

TEST_CASE("draw_svg colours atoms and bonds by weight", "[chem]") {
  auto const mol = m2u::parse_smiles("CCO");
  auto const plain = m2u::draw_svg(*mol.mol);
  auto const coloured = m2u::draw_svg(*mol.mol, {.weights = {1.0F, 0.0F, -1.0F}});
  CHECK(plain.find("ellipse") == std::string::npos);
  CHECK(plain.find("<rect") == std::string::npos);
  // The ends of heat_colour, and the drawing's own paper.
  CHECK_THAT(coloured, ContainsSubstring("#F49E32") && ContainsSubstring("#5BA8EA") &&
                           ContainsSubstring("<rect"));
  auto const bonds = m2u::draw_svg(*mol.mol, {.bond_weights = {1.0F, -1.0F}});
  CHECK_THAT(bonds, ContainsSubstring("#F49E32") && ContainsSubstring("#5BA8EA"));
  auto const zero = m2u::draw_svg(*mol.mol, {.weights = {0.0F, 0.0F, 0.0F}});
  CHECK(zero.find("ellipse") == std::string::npos);
  CHECK_THROWS_WITH(m2u::draw_svg(*mol.mol, {.weights = {1.0F}}),
                    ContainsSubstring("3 atoms, but 1 weights"));
  CHECK_THROWS_WITH(m2u::draw_svg(*mol.mol, {.bond_weights = {1.0F}}),
                    ContainsSubstring("2 bonds, but 1 weights"));
  CHECK_THROWS_WITH(m2u::draw_svg(*mol.mol, {.width = 0}), ContainsSubstring("cannot be drawn"));
}
