// SPDX-License-Identifier: Apache-2.0
// The report page as a user makes it.
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2umol/sample.hpp"
#include "report/markup_checker.hpp"

using namespace m2u::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Arguments report(std::filesystem::path const& out, Arguments const& more) {
  return Arguments{
             "report", "--model",   sample().model.string(), "--library", sample().data.string(),
             "--out",  out.string()} +
         more;
}

}  // namespace

TEST_CASE("m2umol report shows what matters in a molecule and what is near to it") {
  TemporaryFolder const folder;
  auto const out = folder / "report.html";
  succeed(report(out, {"--query", "CC(=O)Oc1ccccc1C(=O)O", "--top", "3"}));
  auto const page = read_bytes(out);
  CHECK(MarkupChecker::fault(page) == "");
  for (std::string const text :
       {"attention", "gradient", "masking", "Groups by masking", "Nearest by 2D vector",
        "generated text vector among real ones", "all together", "Total loss", "similarity"}) {
    INFO(text);
    CHECK_THAT(page, ContainsSubstring(text));
  }
  CHECK_THAT(page, !ContainsSubstring("http://") || ContainsSubstring("http://www.w3.org"));
}

TEST_CASE("m2umol report of a molecule of the library leaves it out of its neighbours") {
  TemporaryFolder const folder;
  auto const out = folder / "report.html";
  auto const id = drug_rows().front().substr(0, drug_rows().front().find('\t'));
  succeed(report(out, {"--query-id", id, "--top", "2"}));
  CHECK(MarkupChecker::fault(read_bytes(out)) == "");
  CHECK_THAT(m2umol(report(out, {"--query-id", "nobody"})).error,
             ContainsSubstring("no molecule \"nobody\""));
  CHECK_THAT(m2umol(report(out, {})).error, ContainsSubstring("--query or --query-id"));
  CHECK_THAT(m2umol(report(out, {"--query", "C1CC"})).error, ContainsSubstring("C1CC"));
  CHECK_THAT(m2umol(report(folder.path(), {"--query", "C"})).error,
             ContainsSubstring("it is a folder"));
}

TEST_CASE("m2umol report of a fine-tuned model has its test and its ROC curves") {
  TemporaryFolder const folder;
  std::string text = "smiles,acid\n";
  for (auto const& row : drug_rows()) {
    auto const first = row.find('\t') + 1;
    auto const smiles = row.substr(first, row.find('\t', first) - first);
    text += smiles + ',' + (smiles.find("C(=O)O") == std::string::npos ? "0" : "1") + '\n';
  }
  auto const table = folder.write("t.csv", text);
  succeed({"finetune", "--data", table.string(), "--init", sample().model.string(), "--split",
           "kfold:3", "--epochs", "2", "--seeds", "0", "--out", (folder / "tuned").string()});
  auto const model = folder / "tuned/seed-0-fold-0/model.safetensors";
  auto const out = folder / "report.html";
  succeed({"report", "--model", model.string(), "--library", sample().data.string(), "--query",
           "CCO", "--task", "acid", "--out", out.string()});
  auto const page = read_bytes(out);
  CHECK(MarkupChecker::fault(page) == "");
  CHECK_THAT(page, ContainsSubstring("Measures on the test part") &&
                       ContainsSubstring("prediction of acid") && ContainsSubstring("roc_auc"));
  CHECK_THAT(m2umol({"report", "--model", model.string(), "--library", sample().data.string(),
                     "--query", "CCO", "--task", "base", "--out", out.string()})
                 .error,
             ContainsSubstring("no task \"base\"") && ContainsSubstring("\"acid\""));
}
