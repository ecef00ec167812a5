// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/read.hpp"

#include <zlib.h>

#include <GraphMol/GraphMol.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "chem/shared_data.hpp"
#include "data/temporary_folder.hpp"
#include "m2u/chem/conformers.hpp"
#include "m2u/chem/features.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

std::string gzipped(std::string const& text, std::filesystem::path const& path) {
  gzFile const file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(file);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string methane(std::string const& title) {
  return title + "\n  test  3D\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n"
                 "    0.0000    0.0000    0.5000 C   0  0\nM  END\n";
}

std::string slurp(std::filesystem::path const& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("MoleculeReader reads tables by their columns' names", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  m2u::write_file(folder / "a.csv",
                  "Label,SMILES,id,description\n1,CCO,x,\"a, b\"\n0,C,y,\n,c1ccccc1,,\n");
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(folder / "a.csv", rejects, {.extras = {"Label"}});
  CHECK(rejects.empty());
  REQUIRE(records.size() == 3);
  CHECK(records[0].id == "x");
  CHECK(records[0].line == 2);
  CHECK(records[0].smiles == "CCO");
  CHECK(records[0].description == "a, b");
  CHECK(records[0].extras == std::vector<std::string>{"1"});
  CHECK(records[2].id == "line 4");
  // One column may be two fields.
  auto const named = m2u::read_molecules(folder / "a.csv", rejects, {.id = "SMILES"});
  CHECK(named[0].id == "CCO");
  CHECK(named[0].smiles == "CCO");
  CHECK_THROWS_WITH(m2u::MoleculeReader(folder / "a.csv", {.extras = {"weight"}}),
                    ContainsSubstring("no column \"weight\""));
}

TEST_CASE("MoleculeReader reads SMILES files", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  m2u::write_file(folder / "a.smi", "CCO ethanol 99%\nC\n\n  CC\nN\tammonia\n");
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(folder / "a.smi", rejects);
  REQUIRE(records.size() == 3);
  CHECK(records[0].name == "ethanol 99%");
  CHECK(records[0].id == "ethanol 99%");
  CHECK(records[1].id == "line 2");
  CHECK(records[2].id == "ammonia");
  REQUIRE(rejects.size() == 1);
  CHECK(rejects.list()[0].line == 4);
}

TEST_CASE("MoleculeReader reads SD files, plain and gzipped", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  auto const text = methane("m1") +
                    "> <Name>\nmarsh gas\n\n>  1  <description> (1)\ntwo\nlines\n\n$$$$\n" +
                    methane("") + "> <ID>\nm2\n\n$$$$\n" + methane("m3");
  gzipped(text, folder / "a.sdf.gz");
  m2u::write_file(folder / "a.sdf", text);
  for (auto const* const name : {"a.sdf", "a.sdf.gz"}) {
    m2u::Rejects rejects;
    auto const records = m2u::read_molecules(folder / name, rejects);
    CHECK(rejects.empty());
    REQUIRE(records.size() == 3);  // the last without "$$$$"
    CHECK(records[0].id == "m1");
    CHECK(records[0].line == 1);
    CHECK(records[0].name == "marsh gas");
    CHECK(records[0].description == "two\nlines");
    CHECK(records[1].id == "m2");
    CHECK(records[1].line == 15);
    CHECK(records[2].id == "m3");
    auto const parsed = m2u::parse_molecule(records[0]);
    REQUIRE(parsed);
    CHECK(parsed.mol_3d != nullptr);
  }
}

TEST_CASE("MoleculeReader goes on after bad SD records", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  m2u::write_file(folder / "a.sdf", "broken\n\n\n$$$$\n" + methane("good") + "$$$$\n" +
                                        "counts\n\n\n what is this\nM  END\n$$$$\n" +
                                        methane("fine") + "$$$$\ncut\n  test  3D\n\n  2  1  0");
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(folder / "a.sdf", rejects);
  REQUIRE(records.size() == 3);
  REQUIRE(rejects.size() == 2);
  CHECK(rejects.list()[0].line == 1);
  CHECK(rejects.list()[0].input == "broken");
  CHECK_THAT(rejects.list()[0].reason, ContainsSubstring("before \"M  END\""));
  CHECK_THAT(rejects.list()[1].reason, ContainsSubstring("file ends"));
  CHECK(m2u::parse_molecule(records[0]));
  auto const counts = m2u::parse_molecule(records[1]);
  CHECK_FALSE(counts);
  CHECK(!counts.reason.empty());
  CHECK(m2u::parse_molecule(records[2]));
}

TEST_CASE("MoleculeReader names files and lines that cannot be read", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  CHECK_THROWS_WITH(m2u::MoleculeReader(folder / "none.tsv"), ContainsSubstring("none.tsv"));
  m2u::write_file(folder / "empty.tsv", "");
  CHECK_THROWS_WITH(m2u::MoleculeReader(folder / "empty.tsv"), ContainsSubstring("is empty"));
  m2u::write_file(folder / "other.tsv", "id\tname\nx\ty\n");
  CHECK_THROWS_WITH(m2u::MoleculeReader(folder / "other.tsv"),
                    ContainsSubstring("no column \"smiles\"; it has \"id\", \"name\""));
  m2u::write_file(folder / "ragged.tsv", "id\tsmiles\nx\tC\textra\ny\nz\tCC\n");
  m2u::Rejects rejects;
  CHECK(m2u::read_molecules(folder / "ragged.tsv", rejects).size() == 1);
  REQUIRE(rejects.size() == 2);
  CHECK(rejects.list()[0].line == 2);
  CHECK_THAT(rejects.list()[0].reason, ContainsSubstring("3 fields"));
  std::string table = "id\tsmiles\n";
  for (int i = 0; i < 20000; ++i) {
    table += std::to_string(i * 7919) + "\tC\n";
  }
  auto const whole = gzipped(table, folder / "cut.tsv.gz");
  m2u::write_file(folder / "cut.tsv.gz", whole.substr(0, whole.size() / 2));
  CHECK_THROWS_WITH(m2u::read_molecules(folder / "cut.tsv.gz", rejects),
                    ContainsSubstring("cut.tsv.gz") && ContainsSubstring("damaged or cut off"));
}

TEST_CASE("parse_smiles gives RDKit's reasons", "[chem]") {
  CHECK_THAT(m2u::parse_smiles("C1CC(").reason,
             ContainsSubstring("syntax error") && ContainsSubstring("position"));
  CHECK_THAT(m2u::parse_smiles("CC)").reason, ContainsSubstring("extra close parentheses"));
  CHECK_THAT(m2u::parse_smiles("C1CC").reason, ContainsSubstring("unclosed ring"));
  CHECK_THAT(m2u::parse_smiles("C(C)(C)(C)(C)C").reason,
             ContainsSubstring("valence for atom # 0 C"));
  CHECK_THAT(m2u::parse_smiles("c1cccc1").reason, ContainsSubstring("kekulize"));
  CHECK_THAT(m2u::parse_smiles("").reason, ContainsSubstring("empty"));
  CHECK_THAT(m2u::parse_smiles(" \t").reason, ContainsSubstring("empty"));
  CHECK_THAT(m2u::parse_smiles(std::string(30000, 'C')).reason, ContainsSubstring("longer than"));
  CHECK_THAT(m2u::parse_smiles(std::string("C\0C", 3)).reason, ContainsSubstring("zero byte"));
  CHECK_FALSE(m2u::parse_smiles("\xff\xfe"));
  CHECK(m2u::parse_smiles(" CCO "));
}

// RDKit leaves its logs disabled when two threads prepare conformers at an unlucky moment.
TEST_CASE("parse_smiles gives RDKit's reasons while RDKit's log is disabled", "[chem]") {
  CHECK_FALSE(m2u::parse_smiles("CC)"));  // the log is caught from now on
  {
    RDLog::LogStateSetter const disabled;
    CHECK_THAT(m2u::parse_smiles("CC)").reason, ContainsSubstring("extra close parentheses"));
    CHECK_FALSE(rdErrorLog->df_enabled);
  }
  CHECK(rdErrorLog->df_enabled);
}

TEST_CASE("RdkitLog keeps each thread's messages apart and gives the log back", "[chem]") {
  m2u::RdkitLog const outer;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      std::string const bad = "C" + std::string(static_cast<std::size_t>(t), 'N') + "(";
      for (int i = 0; i < 50; ++i) {
        auto const reason = m2u::parse_smiles(bad).reason;
        wrong[static_cast<std::size_t>(t)] +=
            reason.find("parsing: " + bad + " ") == std::string::npos;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(wrong == std::vector<int>(4, 0));
  CHECK(outer.reason("nothing") == "nothing");
}

TEST_CASE("Rejects are written by line, whole and plain", "[chem]") {
  m2u::test::TemporaryFolder const folder;
  m2u::Rejects rejects;
  rejects.add(7, "a\tb\nc", "because");
  rejects.add(3, std::string(5000, 'C'), "long");
  rejects.write(folder / "rejects.tsv");
  CHECK(slurp(folder / "rejects.tsv") ==
        "line\tinput\treason\n3\t" + std::string(1000, 'C') + "...\tlong\n7\ta b c\tbecause\n");
  CHECK_THROWS_WITH(rejects.write(folder / "no" / "rejects.tsv"), ContainsSubstring("rejects.tsv"));
}

TEST_CASE("SD records of the shared data have the graphs of their SMILES", "[chem][shared]") {
  m2u::Rejects rejects;
  auto const table = m2u::read_molecules(m2u::test::shared_file("peers/mols.tsv"), rejects);
  auto const sdf = m2u::read_molecules(m2u::test::shared_file("peers/mols_3d.sdf.gz"), rejects);
  CHECK(rejects.empty());
  REQUIRE(sdf.size() == table.size());
  int atoms = 0;
  for (std::size_t i = 0; i < sdf.size(); ++i) {
    CHECK(sdf[i].id == table[i].id);
    auto const parsed = m2u::parse_molecule(sdf[i]);
    INFO(sdf[i].id << ' ' << parsed.reason);
    REQUIRE(parsed.mol_3d != nullptr);
    CHECK(m2u::featurise(*parsed.mol).nodes ==
          m2u::featurise(*m2u::parse_molecule(table[i]).mol).nodes);
    atoms +=
        static_cast<int>(m2u::conformer_from_mol(*parsed.mol_3d).conformer.atomic_numbers.size());
  }
  CHECK(atoms == 47610);
}
