// SPDX-License-Identifier: Apache-2.0
// The linear probe as a user runs it.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2u/data/shard.hpp"

#include "m2umol/sample.hpp"

using namespace m2u::test;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// The bundled drugs with labels that their SMILES tell: "ring" (an aromatic nitrogen), "rare" (the
/// same, every third missing) and "length" (a number). Two lines can't be used.
std::string labelled_drugs() {
  std::ifstream file(M2U_SOURCE_DIR "/examples/data/drugs.tsv");
  std::string text = "smiles,ring,rare,length\n";
  std::string line;
  std::getline(file, line);
  for (int i = 0; std::getline(file, line); ++i) {
    std::istringstream cells(line);
    std::string smiles;
    std::getline(cells, smiles, '\t');
    std::getline(cells, smiles, '\t');
    std::string const label = smiles.find('n') != std::string::npos ? "1" : "0";
    text += '"' + smiles + "\"," + label + ',' + (i % 3 == 0 ? "" : label) + ',' +
            std::to_string(0.1 * static_cast<double>(smiles.size())) + '\n';
  }
  return text + "C1CC,1,1,1\nCCO,yes,1,1\n";
}

/// `probe` with the sample's model; what follows an option in `changes` replaces its value here.
Arguments probe(fs::path const& table, std::string const& labels, Arguments const& changes = {}) {
  Arguments arguments{"probe",
                      "--model",
                      sample().model.string(),
                      "--table",
                      table.string(),
                      "--labels",
                      labels,
                      "--splits",
                      "4",
                      "--threads",
                      "1",
                      "--random-inits",
                      "2"};
  for (std::size_t i = 0; i < changes.size(); i += 2) {
    auto const found = std::find(arguments.begin(), arguments.end(), changes[i]);
    if (found == arguments.end()) {
      arguments.insert(arguments.end(), {changes[i], changes[i + 1]});
    } else {
      *(found + 1) = changes[i + 1];
    }
  }
  return arguments;
}

nlohmann::json json_of(fs::path const& path) { return nlohmann::json::parse(read_bytes(path)); }

nlohmann::json const& row_of(nlohmann::json const& result, char const* method,
                             char const* vectors) {
  for (auto const& row : result.at("rows")) {
    if (row.at("method") == method && row.at("vectors") == vectors) {
      return row;
    }
  }
  FAIL("no row " << method << ", " << vectors);
  return result;
}

/// The summary of a row is that of its numbers.
void check_summary(nlohmann::json const& part) {
  double sum = 0.0;
  int count = 0;
  for (auto const& value : part.at("each")) {
    sum += value.is_null() ? 0.0 : value.get<double>();
    count += value.is_null() ? 0 : 1;
  }
  REQUIRE(part.at("splits") == count);
  if (count == 0) {
    CHECK(part.at("mean").is_null());
    return;
  }
  double const mean = sum / count;
  CHECK(part.at("mean").get<double>() == Approx(mean).margin(1e-12));
  double squares = 0.0;
  for (auto const& value : part.at("each")) {
    squares += value.is_null() ? 0.0 : std::pow(value.get<double>() - mean, 2);
  }
  if (count > 1) {
    CHECK(part.at("standard_error").get<double>() ==
          Approx(std::sqrt(squares / (count - 1) / count)).margin(1e-12));
  }
}

}  // namespace

TEST_CASE("m2umol probe compares a model with untrained ones and Morgan fingerprints") {
  TemporaryFolder const folder;
  auto const table = folder.write("drugs.csv", labelled_drugs());
  auto const out = folder / "probe.json";
  auto const outcome =
      succeed(probe(table, "ring,rare", {"--seen", sample().data.string(), "--out", out.string()}));
  CHECK_THAT(outcome.out, ContainsSubstring("4 random scaffold splits") &&
                              ContainsSubstring("not in pre-training") &&
                              ContainsSubstring("Morgan 2048"));
  CHECK_THAT(outcome.error, ContainsSubstring("2 of 30") && ContainsSubstring("C1CC") &&
                                ContainsSubstring("\"yes\"; labels are 0 or 1"));
  auto const result = json_of(out);
  CHECK(result.at("labels") == nlohmann::json{"ring", "rare"});
  CHECK(result.at("rejected").size() == 2);
  auto const molecules = result.at("molecules").get<int>();
  CHECK(result.at("records") == molecules + 2);
  auto const data = m2u::open_shards(sample().data);
  int trained_on = 0;
  for (int row = 0; row < data.size(); ++row) {
    trained_on += data.has("held_out") && data.text("held_out", row) == "\x01" ? 0 : 1;
  }
  CHECK(result.at("seen").at("molecules") == trained_on);
  REQUIRE(result.at("splits").size() == 4);
  for (auto const& split : result.at("splits")) {
    CHECK(split.at("train").get<int>() + split.at("validation").get<int>() +
              split.at("test").get<int>() ==
          molecules);
    CHECK(split.at("test_unseen").get<int>() <= split.at("test").get<int>());
  }
  CHECK(result.at("rows").size() == 9);
  for (auto const& row : result.at("rows")) {
    INFO(row.at("method") << ", " << row.at("vectors"));
    check_summary(row.at("all"));
    check_summary(row.at("unseen"));
  }
  // The label is in the fingerprint, so that a wrong order of labels or parts shows.
  CHECK(row_of(result, "Morgan 2048", "bits").at("all").at("mean").get<double>() > 0.9);
  // One regression per run, split and label; a split's score is their mean.
  auto const& untrained = row_of(result, "random initialisation", "pooled");
  CHECK(untrained.at("regressions").size() == 2);
  double sum = 0.0;
  for (auto const& run : untrained.at("regressions")) {
    REQUIRE(run.at(1).size() == 2);
    sum += run.at(1).at(0).at("all").get<double>() + run.at(1).at(1).at("all").get<double>();
  }
  CHECK(untrained.at("all").at("each").at(1).get<double>() == Approx(sum / 4.0));
  CHECK(untrained.at("regressions").at(0) != untrained.at("regressions").at(1));
  // Differences are paired by split.
  auto const& trained = row_of(result, "pre-trained", "pooled");
  auto const& gain = row_of(result, "pre-trained - random initialisation", "pooled");
  for (std::size_t s = 0; s < 4; ++s) {
    CHECK(gain.at("all").at("each").at(s).get<double>() ==
          Approx(trained.at("all").at("each").at(s).get<double>() -
                 untrained.at("all").at("each").at(s).get<double>())
              .margin(1e-12));
  }
}

TEST_CASE("m2umol probe gives the same numbers with any threads, others with another seed") {
  TemporaryFolder const folder;
  auto const table = folder.write("drugs.csv", labelled_drugs());
  auto const run = [&](std::string const& name, Arguments const& more,
                       Arguments const& flags = {}) {
    auto const out = folder / name;
    succeed(probe(table, "ring",
                  Arguments{"--random-inits", "0", "--splits", "2"} + more +
                      Arguments{"--out", out.string()}) +
            flags);
    return json_of(out);
  };
  auto const one = run("one.json", {});
  CHECK(one.at("rows").size() == 5);
  CHECK(one.at("seen").is_null());
  CHECK_FALSE(one.at("rows").at(0).contains("unseen"));
  CHECK(run("two.json", {"--threads", "2"}) == one);
  CHECK(run("seed.json", {"--seed", "5"}).at("rows") != one.at("rows"));
  // Vectors as they are, and a given weight of the data.
  auto const plain = run("plain.json", {"--c", "0.5"}, {"--raw"});
  CHECK(one.at("standardised") == true);
  CHECK(plain.at("standardised") == false);
  CHECK(plain.at("c") == nlohmann::json{0.5});
  auto const fixed = run("fixed.json", {"--c", "0.5"});
  for (auto const* const result : {&plain, &fixed}) {
    for (auto const* const vectors : {"pooled", "pooled + generated"}) {
      auto const& trained = row_of(*result, "pre-trained", vectors);
      CHECK(trained.at("regressions").at(0).at(1).at(0).at("c") == 0.5);
    }
  }
  auto const scores = [](nlohmann::json const& result, char const* method, char const* vectors) {
    return row_of(result, method, vectors).at("all").at("each");
  };
  CHECK(scores(plain, "pre-trained", "pooled") != scores(fixed, "pre-trained", "pooled"));
  CHECK(scores(plain, "Morgan 2048", "bits") == scores(fixed, "Morgan 2048", "bits"));
}

TEST_CASE("m2umol probe does regression") {
  TemporaryFolder const folder;
  auto const table = folder.write("drugs.csv", labelled_drugs());
  auto const out = folder / "probe.json";
  auto const outcome =
      succeed(probe(table, "length", {"--out", out.string()}) + Arguments{"--regression"});
  CHECK_THAT(outcome.out, ContainsSubstring("RMSE"));
  auto const result = json_of(out);
  CHECK(result.at("metric") == "RMSE");
  CHECK(result.at("rejected").size() == 1);
  // The sum over atoms knows how long a molecule is; a constant would be off by about 2.
  CHECK(row_of(result, "pre-trained", "pooled").at("all").at("mean").get<double>() < 1.0);
}

TEST_CASE("m2umol probe refuses wrong tables and options") {
  TemporaryFolder const folder;
  auto const table = folder.write("drugs.csv", labelled_drugs());
  auto const refused = [&](Arguments const& arguments, std::vector<std::string> const& says) {
    auto const before = contents(folder.path());
    auto const outcome = m2umol(arguments);
    INFO(outcome);
    CHECK(outcome.code > 0);
    CHECK(outcome.signal == 0);
    for (auto const& text : says) {
      CHECK_THAT(outcome.error, ContainsSubstring(text));
    }
    CHECK(contents(folder.path()) == before);
  };
  refused(probe(table, "nope"), {"no column \"nope\"", "\"ring\", \"rare\""});
  refused(probe(table, "ring,nope"), {"no column \"nope\""});
  refused(probe(table, "ring,ring"), {"\"ring\" twice"});
  refused(probe(table, "smiles"), {"SMILES column"});
  refused(probe(table, ""), {"--labels"});
  refused(probe(folder / "missing.csv", "ring"), {"missing.csv", "No such file"});
  refused(probe(table, "ring", {"--smiles", "molecule"}), {"no column \"molecule\""});
  refused(probe(table, "ring", {"--splits", "0"}), {"--splits"});
  refused(probe(table, "ring", {"--c", "0"}), {"--c"});
  refused(probe(table, "ring", {"--seen", folder.path().string()}),
          {"no dataset.json", folder.path().string()});
  refused(probe(table, "ring", {"--out", folder.path().string()}), {"it is a folder"});
  refused(probe(table, "ring", {"--model", table.string()}), {table.string()});
  refused(probe(table, "length"), {"no two different labels", "of 3", "line 2", "--regression"});
  auto const one = folder.write("one.csv", "smiles,a,b\nCCO,1,\nc1ccccc1,1,\nCCC,1,\n");
  refused(probe(one, "a"), {"\"a\"", "no two different labels"});
  refused(probe(one, "b"), {"no molecule with a label", "has no label"});
  auto const few = folder.write("few.csv", "smiles,a\nCCO,1\nCCC,0\nCC,1\n");
  refused(probe(few, "a"), {"no split has both classes"});
}
