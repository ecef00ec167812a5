// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/scaffold.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "m2u/chem/fingerprint.hpp"
#include "m2u/chem/molecule.hpp"

namespace {

using Ints = std::vector<int>;
using Strings = std::vector<std::string>;

std::string scaffold(std::string const& smiles) {
  auto const parsed = m2u::parse_smiles(smiles);
  REQUIRE(parsed);
  return m2u::scaffold_smiles(*parsed.mol);
}

Ints fingerprint(std::string const& smiles, m2u::MorganOptions const& options = {}) {
  auto const parsed = m2u::parse_smiles(smiles);
  REQUIRE(parsed);
  return m2u::morgan_fingerprint(*parsed.mol, options);
}

/// 120 rows of 31 scaffolds, 2 to 8 rows of each.
Strings many() {
  Strings scaffolds;
  for (int i = 0; i < 120; ++i) {
    scaffolds.push_back("s" + std::to_string((i * i) % 97 % 40));
  }
  return scaffolds;
}

}  // namespace

TEST_CASE("scaffolds are rings and the chains between them", "[scaffold]") {
  CHECK(scaffold("CC(=O)Oc1ccccc1C(=O)O") == "c1ccccc1");
  CHECK(scaffold("CC(c1ccc(Cl)cc1)c1ccncc1") == "c1ccc(Cc2ccncc2)cc1");
  CHECK(scaffold("O=C1CCCCC1C") == "O=C1CCCCC1");  // double bonds to rings and chains stay
  CHECK(scaffold("c1ccccc1C(=O)NC1CC1") == "O=C(NC1CC1)c1ccccc1");
  CHECK(scaffold("Cc1ccccc1.CCO") == "c1ccccc1");
  CHECK(scaffold("CC(C)CO").empty());
  CHECK(scaffold("[Na+].[Cl-]").empty());
  CHECK(scaffold("C").empty());
}

TEST_CASE("scaffolds keep the chirality of their own atoms", "[scaffold]") {
  auto const trans = scaffold("C1CC[C@@H]2CCCC[C@H]2C1");
  auto const cis = scaffold("C1CC[C@@H]2CCCC[C@@H]2C1");
  CHECK(trans.find('@') != std::string::npos);
  CHECK(trans != cis);
  CHECK(scaffold("OC1CC[C@@H]2CCCC[C@H]2C1") == trans);
  CHECK(scaffold("C[C@@H](N)c1ccccc1") == "c1ccccc1");
}

TEST_CASE("the scaffold split fills its parts by size and first row", "[scaffold]") {
  // a: 0 1 5, b: 2 3, c: 4 6, d: 7, e: 8, f: 9; in order a, c, b, f, e, d; limits 8 and 9 of 10.
  Strings const scaffolds{"a", "a", "b", "b", "c", "a", "c", "d", "e", "f"};
  auto const split = m2u::scaffold_split(scaffolds);
  CHECK(split.train == Ints{0, 1, 2, 3, 4, 5, 6, 9});
  CHECK(split.validation == Ints{8});
  CHECK(split.test == Ints{7});
  // 0.5 of 10: a and c fill it, b goes on to validation (7), then f, e, d to test.
  auto const half = m2u::scaffold_split(scaffolds, {.train = 0.5, .validation = 0.2});
  CHECK(half.train == Ints{0, 1, 4, 5, 6});
  CHECK(half.validation == Ints{2, 3});
  CHECK(half.test == Ints{7, 8, 9});
  // A group that does not fit does not close a part: 4 of 6 rows, b (3 rows) is too large.
  Strings const rest{"a", "a", "a", "b", "b", "c"};
  auto const around = m2u::scaffold_split(rest, {.train = 0.7, .validation = 0.0});
  CHECK(around.train == Ints{0, 1, 2, 5});
  CHECK(around.test == Ints{3, 4});
}

TEST_CASE("the empty scaffold is one like others, and splits take any sizes", "[scaffold]") {
  auto const split = m2u::scaffold_split(Strings{"", "", "", "", "", "", "", "", "x", "y"});
  CHECK(split.train == Ints{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(split.validation == Ints{9});
  CHECK(split.test == Ints{8});
  CHECK(m2u::scaffold_split(Strings{}).train.empty());
  CHECK(m2u::scaffold_split(Strings{"a"}).test == Ints{0});
  CHECK_THROWS_AS(m2u::scaffold_split(Strings{"a"}, {.train = 0.9, .validation = 0.2}), m2u::Error);
  CHECK_THROWS_AS(m2u::scaffold_split(Strings{"a"}, {.train = 0.0}), m2u::Error);
}

TEST_CASE("random scaffold splits are partitions that the seed determines", "[scaffold]") {
  auto const scaffolds = many();
  std::set<Ints> tests;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    INFO("seed " << seed);
    auto const split = m2u::random_scaffold_split(scaffolds, m2u::Seed{seed});
    CHECK(m2u::random_scaffold_split(scaffolds, m2u::Seed{seed}).test == split.test);
    tests.insert(split.test);
    CHECK(split.train.size() <= 96);
    CHECK(split.validation.size() <= 12);
    CHECK(split.test.size() >= 12);
    Ints all;
    std::set<std::string> seen;
    for (auto const* const part : {&split.train, &split.validation, &split.test}) {
      CHECK(std::is_sorted(part->begin(), part->end()));
      std::set<std::string> own;
      for (int const row : *part) {
        own.insert(scaffolds[static_cast<std::size_t>(row)]);
      }
      for (auto const& name : own) {
        CHECK(seen.insert(name).second);  // no scaffold in two parts
      }
      all.insert(all.end(), part->begin(), part->end());
    }
    std::sort(all.begin(), all.end());
    CHECK(all.size() == 120);
    CHECK(std::unique(all.begin(), all.end()) == all.end());
  }
  CHECK(tests.size() > 15);
}

TEST_CASE("random scaffold splits keep groups that are too large to validate on for training",
          "[scaffold]") {
  Strings scaffolds(50, "");  // as in FreeSolv: half of the molecules have no ring
  scaffolds.insert(scaffolds.end(), 24, "c1ccccc1");
  for (int i = 0; i < 26; ++i) {
    scaffolds.push_back("ring " + std::to_string(i));
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    INFO("seed " << seed);
    auto const split = m2u::random_scaffold_split(scaffolds, m2u::Seed{seed});
    CHECK(split.train.size() == 80);
    CHECK(split.validation.size() == 10);
    CHECK(split.test.size() == 10);
    CHECK(split.train[73] == 73);  // both large groups, which come first, are among them
  }
}

TEST_CASE("Morgan fingerprints", "[fingerprint]") {
  auto const ethanol = fingerprint("CCO");
  CHECK(fingerprint("OCC") == ethanol);
  // Six environments: three atoms, three with neighbours; with radius 2 they are the whole
  // molecule.
  CHECK(ethanol.size() == 6);
  CHECK(fingerprint("CCO", {.radius = 0}).size() == 3);
  CHECK(std::is_sorted(ethanol.begin(), ethanol.end()));
  auto const larger = fingerprint("CC(C)Cc1ccc(cc1)C(C)C(=O)O");
  CHECK(larger.front() >= 0);
  CHECK(larger.back() < 2048);
  CHECK(fingerprint("CC(C)Cc1ccc(cc1)C(C)C(=O)O", {.bits = 64}).back() < 64);
  CHECK(fingerprint("C[C@H](N)C(=O)O") == fingerprint("C[C@@H](N)C(=O)O"));
  CHECK(fingerprint("C[C@H](N)C(=O)O", {.chirality = true}) !=
        fingerprint("C[C@@H](N)C(=O)O", {.chirality = true}));
  CHECK_THROWS_AS(fingerprint("C", {.bits = 0}), m2u::Error);
}
