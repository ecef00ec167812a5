// SPDX-License-Identifier: Apache-2.0
// The command explain: what it prints, draws and writes, and what it refuses.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2umol/sample.hpp"
#include "report/markup_checker.hpp"

using namespace m2u::test;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

Arguments explain(std::string const& smiles) {
  return {"explain", "--model", sample().model.string(), "--query", smiles, "--threads", "1"};
}

/// Aspirin: acid 10 11 12, ring 4 … 9, acetyl 0 1 2.
std::string const aspirin = "CC(=O)Oc1ccccc1C(=O)O";

nlohmann::json numbers(fs::path const& path) { return nlohmann::json::parse(read_bytes(path)); }

double largest(nlohmann::json const& scores) {
  double result = 0.0;
  for (double const score : scores) {
    result = std::max(result, std::abs(score));
  }
  return result;
}

/// The command must fail, say all of it, and leave the folder as it is.
void refused(fs::path const& folder, Arguments const& arguments,
             std::vector<std::string> const& says) {
  auto const before = contents(folder);
  auto const outcome = m2umol(arguments);
  INFO(outcome);
  CHECK(outcome.code > 0);
  CHECK(outcome.code < 126);
  CHECK(outcome.signal == 0);
  for (auto const& text : says) {
    CHECK_THAT(outcome.error, ContainsSubstring(text));
  }
  CHECK(contents(folder) == before);
}

}  // namespace

TEST_CASE("m2umol explain ranks groups and atoms by three methods and draws them") {
  TemporaryFolder const folder;
  auto const out = folder / "new/drawings";
  auto const json = folder / "numbers.json";
  auto const outcome = succeed(
      explain(aspirin) + Arguments{"--out", out.string(), "--json", json.string(), "--top", "3"});
  CHECK_THAT(outcome.out, ContainsSubstring("2D vector") && ContainsSubstring("attention") &&
                              ContainsSubstring("gradient") && ContainsSubstring("masking") &&
                              ContainsSubstring("CarboxylicAcid.Aromatic (10 11 12)"));
  auto const all = numbers(json);
  CHECK(all["symbols"].size() == 13);
  CHECK(all["value"] > 0.0);
  REQUIRE(all["methods"].size() == 3);
  for (auto const& method : all["methods"]) {
    std::string const name = method["method"];
    INFO(name);
    REQUIRE(method["atoms"].size() == 13);
    REQUIRE(method["bonds"].size() == 13);
    CHECK(method["bond_atoms"][0] == nlohmann::json{0, 1});
    double const atoms = largest(method["atoms"]);
    double const bonds = largest(method["bonds"]);
    CHECK(std::max(atoms, bonds) == 1.0);
    CHECK((name != "attention" || std::min(atoms, bonds) == 1.0));
    CHECK(std::min(atoms, bonds) > 0.0);
    auto const& groups = method["groups"];
    CHECK(groups.size() == 6);  // an acid, a ring, and BRICS' acetyl, oxygen, ring and acid
    for (std::size_t i = 1; i < groups.size(); ++i) {
      CHECK(groups[i - 1]["score"] >= groups[i]["score"]);
    }
    auto const svg = read_bytes(out / (name + ".svg"));
    CHECK(MarkupChecker::fault(svg).empty());
    CHECK_THAT(svg, ContainsSubstring("<title>" + name) && ContainsSubstring("<desc>Molecule CC") &&
                        ContainsSubstring("Highest group: "));
  }
  double sum = 0.0;
  for (double const score : all["methods"][0]["atoms"]) {
    sum += score;
  }
  CHECK(std::abs(sum) < 1e-6);  // attention is centred

  // The same numbers again, and one method in one file.
  auto const again = folder / "again.json";
  succeed(explain(aspirin) + Arguments{"--json", again.string()});
  CHECK(numbers(again) == all);
  succeed(explain(aspirin) + Arguments{"--method", "masking", "--groups", "hierarchy", "--out",
                                       (folder / "one.svg").string(), "--json", again.string()});
  CHECK(numbers(again)["methods"].size() == 1);
  CHECK(numbers(again)["methods"][0]["groups"].size() == 2);
  CHECK(read_bytes(folder / "one.svg").starts_with("<svg"));
}

TEST_CASE("m2umol explain: the molecule's vector and its generated ones differ") {
  TemporaryFolder const folder;
  std::vector<nlohmann::json> found;
  for (std::string const of : {"2d", "3d", "text", "bio"}) {
    auto const json = folder / (of + ".json");
    succeed(explain(aspirin) +
            Arguments{"--of", of, "--method", "masking", "--json", json.string()});
    found.push_back(numbers(json)["methods"][0]["atoms"]);
    for (std::size_t i = 0; i + 1 < found.size(); ++i) {
      CHECK(found[i] != found.back());
    }
  }
}

TEST_CASE("m2umol explain takes single atoms, salts and molecules without groups") {
  TemporaryFolder const folder;
  auto const json = folder / "n.json";
  for (std::string const smiles : {"C", "[Na+].[Cl-]", "[He]", "CC", "*", "[H][H]"}) {
    INFO(smiles);
    auto const outcome = succeed(explain(smiles) + Arguments{"--json", json.string(), "--out",
                                                             (folder / "drawings").string(),
                                                             "--groups", "hierarchy"});
    CHECK_THAT(outcome.out, ContainsSubstring("no group was found") && !ContainsSubstring("nan"));
    for (double const score : numbers(json)["methods"][0]["atoms"]) {
      CHECK((smiles == "CC" || score == 0.0));  // attention, where there is no bond
    }
  }
}

TEST_CASE("m2umol explain refuses wrong molecules, tasks, methods and files") {
  TemporaryFolder const folder;
  auto const usual = explain("CCO");
  auto const refuse = [&](Arguments const& more, std::vector<std::string> const& says) {
    refused(folder.path(), usual + more, says);
  };
  auto const other = [&](std::string const& smiles, std::vector<std::string> const& says) {
    refused(folder.path(), explain(smiles), says);
  };
  other("nope", {"\"nope\"", "syntax error"});
  other("C(C)(C)(C)(C)C", {"valence"});
  other("", {"SMILES is empty"});
  other(std::string(600, 'C'), {"600 atoms; the most are 500"});
  refuse({"--method", "magic"}, {"--method", "magic", "attention"});
  refuse({"--of", "smell"}, {"--of", "smell", "2d"});
  refuse({"--groups", "none"}, {"--groups", "none", "brics"});
  refuse({"--top", "0"}, {"--top", "at least 1"});
  refuse({"--task", "p_np"}, {"no task \"p_np\"", "predicts no labels"});
  refuse({"--task", "p_np", "--of", "text"}, {"--task", "--of"});
  refuse({"--task", ""}, {"--task", "empty"});
  refuse({"--out", (folder / "all.svg").string()}, {"all.svg", "3 methods", "one --method"});
  auto const file = folder.write("file", "text");
  refuse({"--out", file.string()}, {"cannot make the folder", file.string()});
  refuse({"--out", (folder / "no/x.svg").string(), "--method", "attention"}, {"no/x.svg"});
  refuse({"--json", folder.path().string()}, {"it is a folder"});
  refuse({"--json", (folder / "no/n.json").string()}, {"no/n.json"});
  refused(folder.path(), {"explain", "--model", (folder / "missing").string(), "--query", "C"},
          {"missing", "No such file"});
}
