// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/conformers.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "m2u/chem/molecule.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

m2u::ConformerResult conformer_of(std::string const& smiles,
                                  m2u::ConformerOptions const& options = {}) {
  auto const parsed = m2u::parse_smiles(smiles);
  INFO(smiles << ": " << parsed.reason);
  REQUIRE(parsed);
  return m2u::compute_conformer(*parsed.mol, options);
}

double distance(m2u::ConformerRecord const& conformer, std::size_t a, std::size_t b) {
  double squared = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    double const d = static_cast<double>(conformer.positions[3 * a + k]) -
                     static_cast<double>(conformer.positions[3 * b + k]);
    squared += d * d;
  }
  return std::sqrt(squared);
}

}  // namespace

TEST_CASE("compute_conformer gives ethanol its hydrogens and sensible bonds", "[chem]") {
  auto const result = conformer_of("CCO");
  REQUIRE(result);
  CHECK(result.reason.empty());
  CHECK(result.force_field == "MMFF94");
  CHECK(result.conformer.atomic_numbers == std::vector{6, 6, 8, 1, 1, 1, 1, 1, 1});
  CHECK(std::abs(distance(result.conformer, 0, 1) - 1.51) < 0.03);
  CHECK(std::abs(distance(result.conformer, 1, 2) - 1.42) < 0.03);
  CHECK(result.conformer.source.size() == 72);  // all within 8 Å
}

TEST_CASE("compute_conformer depends on the seed alone", "[chem]") {
  auto const first = conformer_of("CC(=O)Oc1ccccc1C(=O)O");
  auto const again = conformer_of("CC(=O)Oc1ccccc1C(=O)O");
  auto const other = conformer_of("CC(=O)Oc1ccccc1C(=O)O", {.seed = 7});
  CHECK(first.conformer.positions == again.conformer.positions);
  CHECK(first.conformer.source == again.conformer.source);
  CHECK(first.conformer.positions != other.conformer.positions);
  auto const rough = conformer_of("CC(=O)Oc1ccccc1C(=O)O", {.mmff = false});
  CHECK(rough.force_field.empty());
  CHECK(rough.conformer.positions != first.conformer.positions);
}

TEST_CASE("compute_conformer takes single atoms, salts and elements without parameters", "[chem]") {
  for (auto const* const smiles :
       {"[Na+]", "[He]", "[U]", "[H][H]", "C", "[Na+].[Cl-]", "[Na+].[Na+].[O-]S(=O)(=O)[O-]", "*C",
        "CC[Si](C)(C)[Pt](Cl)(Cl)N", "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "C12C3C4C1C5C2C3C45"}) {
    auto const result = conformer_of(smiles);
    INFO(smiles << ": " << result.reason);
    REQUIRE(result);
    CHECK(std::all_of(result.conformer.positions.begin(), result.conformer.positions.end(),
                      [](float x) { return std::isfinite(x); }));
    auto const view = result.conformer.view();
    m2u::make_conformer_batch(std::vector{view});
  }
}

TEST_CASE("compute_conformer says why there is none", "[chem]") {
  CHECK_THAT(conformer_of("C1#CC1").reason, ContainsSubstring("no embedding"));
  CHECK_THAT(conformer_of("CCCCCCCC", {.max_atoms = 20}).reason,
             ContainsSubstring("26 atoms with hydrogens, more than the limit of 20"));
  CHECK_THAT(m2u::compute_conformer(RDKit::RWMol()).reason, ContainsSubstring("no atoms"));
}

TEST_CASE("compute_conformer gives up in time", "[chem]") {
  // Alkynes that a ring of this size cannot hold: every attempt fails.
  auto const begin = std::chrono::steady_clock::now();
  auto const result = conformer_of("C1CCCCCCCCCCCCCCCCCCCCCCCCCCCCC#CC#CC#CC1",
                                   {.max_seconds = 1.0, .attempts = 1000000, .mmff = false});
  auto const seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CHECK(seconds < 30.0);
  CHECK_THAT(result.reason, ContainsSubstring("1 s"));
}

TEST_CASE("conformer_from_mol keeps the coordinates and adds implied hydrogens", "[chem]") {
  std::string const water =
      "water\n  test  3D\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n"
      "    0.0000    0.0000    0.1173 O   0  0\n    0.0000    0.7572   -0.4692 H   0  0\n"
      "    0.0000   -0.7572   -0.4692 H   0  0\n  1  2  1  0\n  1  3  1  0\nM  END\n";
  auto const parsed = m2u::parse_mol_block(water);
  REQUIRE(parsed);
  CHECK(parsed.mol->getNumAtoms() == 1);
  REQUIRE(parsed.mol_3d != nullptr);
  auto const result = m2u::conformer_from_mol(*parsed.mol_3d);
  CHECK(result.conformer.atomic_numbers == std::vector{8, 1, 1});
  CHECK(result.conformer.positions[4] == 0.7572F);
  CHECK(result.conformer.source.size() == 6);
  std::string const bare =
      "bare\n  test  3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
      "    0.0000    0.0000    0.0000 C   0  0\n    1.4000    0.0000    0.5000 O   0  0\n"
      "  1  2  1  0\nM  END\n";
  auto const methanol = m2u::conformer_from_mol(*m2u::parse_mol_block(bare).mol_3d);
  CHECK(methanol.conformer.atomic_numbers == std::vector{6, 8, 1, 1, 1, 1});
  CHECK(distance(methanol.conformer, 0, 2) > 0.9);
  auto const flat = m2u::parse_smiles("CO");
  CHECK_THAT(m2u::conformer_from_mol(*flat.mol).reason, ContainsSubstring("no 3D coordinates"));
  CHECK_THAT(m2u::conformer_from_mol(*parsed.mol_3d, {.max_atoms = 2}).reason,
             ContainsSubstring("limit of 2"));
}
