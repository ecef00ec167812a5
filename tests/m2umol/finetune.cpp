// SPDX-License-Identifier: Apache-2.0
// Fine-tuning, prediction and its evaluation as a user runs them.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2umol/sample.hpp"

using namespace m2u::test;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// The bundled drugs' SMILES with labels that they tell: "aromatic", "halogen" (every fourth
/// missing), "size" (a number), and a column of parts. Line 4 can't be read.
std::string labelled_drugs() {
  std::ifstream file(M2U_SOURCE_DIR "/examples/data/drugs.tsv");
  std::string text = "smiles,aromatic,halogen,size,part\n";
  std::string line;
  std::getline(file, line);
  for (int i = 0; i < 120 && std::getline(file, line); ++i) {
    std::istringstream cells(line);
    std::string smiles;
    std::getline(cells, smiles, '\t');
    std::getline(cells, smiles, '\t');
    if (i == 2) {
      smiles = "C1CC";
    }
    auto const flag = [&](std::string const& letters) {
      return smiles.find_first_of(letters) == std::string::npos ? "0" : "1";
    };
    char const* const parts[] = {"train", "Train", "train", "train", "valid", "test"};
    text += smiles + ',' + flag("cn") + ',' + (i % 4 == 0 ? "" : flag("FI")) + ',' +
            std::to_string(smiles.size()) + ',' + parts[i % 6] + '\n';
  }
  return text;
}

struct Table {
  TemporaryFolder const folder;
  fs::path table = folder.write("drugs.csv", labelled_drugs());
  fs::path out = folder / "out";

  /// @param more replaces what is here, or is added
  Arguments finetune(Arguments const& more = {}) const {
    Arguments arguments{"finetune",
                        "--data",
                        table.string(),
                        "--labels",
                        "aromatic,halogen",
                        "--init",
                        sample().model.string(),
                        "--epochs",
                        "3",
                        "--batch",
                        "16",
                        "--seeds",
                        "0",
                        "--split",
                        "random",
                        "--out",
                        out.string(),
                        "--threads",
                        "1"};
    for (std::size_t i = 0; i < more.size(); i += 2) {
      auto const found = std::find(arguments.begin(), arguments.end(), more[i]);
      if (found == arguments.end()) {
        arguments.insert(arguments.end(), {more[i], more[i + 1]});
      } else {
        *(found + 1) = more[i + 1];
      }
    }
    arguments.emplace_back("--force");  // test cases use the folder again and again
    return arguments;
  }
  nlohmann::json metrics() const { return nlohmann::json::parse(read_bytes(out / "metrics.json")); }
};

}  // namespace

TEST_CASE("m2umol finetune, predict and evaluate agree with each other") {
  Table const t;
  auto const outcome =
      succeed(t.finetune({"--epochs", "30", "--learning-rate", "0.003", "--encoder-learning-rate",
                          "0.001", "--seen", sample().data.string()}));
  CHECK_THAT(outcome.out, ContainsSubstring("119 molecules, 2 labels") &&
                              ContainsSubstring("roc_auc") && ContainsSubstring("test, unseen"));
  CHECK_THAT(outcome.error, ContainsSubstring("line 4") && ContainsSubstring("run 1 of 1"));
  auto const metrics = t.metrics();
  CHECK(metrics.at("rejected").size() == 1);
  auto const& run = metrics.at("runs").at(0);
  // What the SMILES tell can be learnt.
  CHECK(run.at("train").at("mean").at("roc_auc").get<double>() > 0.9);
  CHECK(run.at("test").at("rows") == 12);
  CHECK(run.at("test_unseen").at("rows").get<int>() < 12);
  CHECK(run.at("best_epoch").get<int>() >= 1);
  CHECK(lines_of(read_bytes(t.out / "seed-0/log.jsonl")).size() == 30);
  CHECK(read_bytes(t.out / "model.safetensors") == read_bytes(t.out / "seed-0/model.safetensors"));

  // predict: a row per line of the table, in its order; the same numbers as finetune wrote.
  auto const predictions = t.folder / "p.csv";
  auto const predicted = succeed({"predict", "--model", (t.out / "model.safetensors").string(),
                                  "--in", t.table.string(), "--out", predictions.string()});
  CHECK_THAT(predicted.error, ContainsSubstring("1 of 120"));
  auto const rows = lines_of(read_bytes(predictions));
  REQUIRE(rows.size() == 121);
  CHECK(rows[0] == "line,id,aromatic,halogen");
  CHECK(cells_of(rows[3])[2] == "nan");
  auto const written = lines_of(read_bytes(t.out / "seed-0/predictions.csv"));
  REQUIRE(written.size() == 120);
  CHECK(written[0] == "line,smiles,part,aromatic,aromatic (true),halogen,halogen (true)");
  for (std::size_t i = 1; i < written.size(); ++i) {
    auto const there = cells_of(written[i]);
    auto const here = cells_of(rows[static_cast<std::size_t>(std::stoi(there[0])) - 1]);
    CHECK(std::stod(here[2]) == Approx(std::stod(there[3])).margin(1e-6));
    CHECK(std::stod(here[3]) == Approx(std::stod(there[5])).margin(1e-6));
  }

  // evaluate: over all lines, so between the scores of the parts.
  auto const scores = t.folder / "scores.json";
  auto const evaluated = succeed({"evaluate", "--predictions", predictions.string(), "--data",
                                  t.table.string(), "--out", scores.string()});
  CHECK_THAT(evaluated.out, ContainsSubstring("119 lines with predictions, 1 without") &&
                                ContainsSubstring("roc_auc"));
  CHECK(nlohmann::json::parse(read_bytes(scores)).at("mean").at("roc_auc").get<double>() > 0.8);

  // The fine-tuned model gives vectors as any other.
  succeed({"embed", "--model", (t.out / "model.safetensors").string(), "--in", t.table.string(),
           "--out", (t.folder / "v.npy").string(), "--fused"});
}

TEST_CASE("m2umol finetune has every split, head and start") {
  Table const t;
  for (std::string const split : {"scaffold", "random-scaffold", "column:part"}) {
    INFO(split);
    auto const labels = split == "column:part" ? "aromatic,halogen" : "aromatic";
    succeed(t.finetune({"--split", split, "--epochs", "1", "--labels", labels}));
    auto const run = t.metrics().at("runs").at(0);
    CHECK(run.at("train").at("rows").get<int>() + run.at("validation").at("rows").get<int>() +
              run.at("test").at("rows").get<int>() ==
          119);
    if (split == "column:part") {
      CHECK(run.at("test").at("rows") == 20);
      CHECK(run.at("validation").at("rows") == 20);
    }
  }
  succeed(t.finetune({"--split", "kfold:3", "--epochs", "1", "--seeds", "4,5"}));
  auto const folds = t.metrics();
  REQUIRE(folds.at("runs").size() == 6);
  CHECK(folds.at("summary").at("test").at("roc_auc").at("runs") == 6);
  int tested = 0;
  for (int fold = 0; fold < 3; ++fold) {
    tested += folds.at("runs").at(static_cast<std::size_t>(fold)).at("test").at("rows").get<int>();
  }
  CHECK(tested == 119);
  succeed(t.finetune({"--head", "2d", "--init", "random", "--epochs", "1"}));
  succeed(t.finetune({"--init", "random", "--epochs", "1"}) + Arguments{"--balance", "--freeze"});
}

TEST_CASE("m2umol finetune predicts numbers in their units") {
  Table const t;
  auto const outcome = succeed(
      t.finetune({"--labels", "size", "--task", "regression", "--epochs", "60", "--learning-rate",
                  "0.003", "--encoder-learning-rate", "0.001", "--patience", "30"}));
  CHECK_THAT(outcome.out, ContainsSubstring("rmse") && ContainsSubstring("r2"));
  auto const run = t.metrics().at("runs").at(0);
  // SMILES have about 30 letters; the sum over atoms knows how many.
  CHECK(run.at("train").at("mean").at("r2").get<double>() > 0.7);
  CHECK(t.metrics().at("head") == "2d");
  succeed(t.finetune(
      {"--labels", "size", "--task", "regression", "--epochs", "1", "--head", "fusion"}));
  CHECK(t.metrics().at("head") == "fusion");
}

TEST_CASE("m2umol finetune gives the same bytes on two runs, and others with another seed") {
  Table const t;
  auto const model = [&](Arguments const& more) {
    succeed(t.finetune(more));
    return read_bytes(t.out / "model.safetensors");
  };
  auto const first = model({"--epochs", "2"});
  CHECK(model({"--epochs", "2", "--threads", "2"}) == first);
  CHECK(model({"--epochs", "2", "--seeds", "1"}) != first);
}

TEST_CASE("m2umol finetune, predict and evaluate refuse what can't be used") {
  Table const t;
  auto const refused = [&](Arguments const& arguments, std::vector<std::string> const& says) {
    auto const before = contents(t.folder.path());
    auto const outcome = m2umol(arguments);
    INFO(outcome);
    CHECK(outcome.code > 0);
    CHECK(outcome.signal == 0);
    for (auto const& text : says) {
      CHECK_THAT(outcome.error, ContainsSubstring(text));
    }
    CHECK(contents(t.folder.path()) == before);
  };
  refused(t.finetune({"--labels", "nope"}), {"no column \"nope\""});
  refused(t.finetune({"--labels", "size"}), {"labels are 0 or 1", "--regression"});
  refused(t.finetune({"--split", "thirds"}), {"--split thirds", "kfold:K"});
  refused(t.finetune({"--split", "kfold:2"}), {"kfold:2", "from 3"});
  refused(t.finetune({"--split", "column:nope"}), {"no column \"nope\""});
  refused(t.finetune({"--split", "column:aromatic", "--labels", "halogen"}),
          {"line 3", "\"aromatic\" is", "train, valid or test"});
  refused(t.finetune({"--init", t.table.string()}), {t.table.string()});
  refused(t.finetune({"--head", "3d"}), {"--head"});
  refused(t.finetune({"--epochs", "0"}), {"--epochs"});
  refused(t.finetune({"--seeds", "a"}), {"--seeds"});
  refused(t.finetune({"--task", "regression", "--labels", "size"}) + Arguments{"--balance"},
          {"--balance"});
  refused(t.finetune({"--out", t.table.string()}), {t.table.string()});
  refused({"finetune", "--init", "random", "--out", t.out.string()}, {"--data"});
  refused({"finetune", "--task", "ddi", "--init", "random", "--out", t.out.string()},
          {"--train", "--molecules"});
  auto const predictions = t.folder / "p.csv";
  refused({"predict", "--model", sample().model.string(), "--in", t.table.string(), "--out",
           predictions.string()},
          {"predicts nothing", "finetune"});
  refused({"evaluate", "--predictions", t.table.string(), "--data", t.table.string()},
          {"no column \"line\""});
  auto const bad = t.folder.write("bad.csv", "line,id,aromatic\n2,a,0.5\n3,b,much\n");
  refused({"evaluate", "--predictions", bad.string(), "--data", t.table.string()},
          {"bad.csv, line 3", "\"much\""});
  auto const twice = t.folder.write("twice.csv", "line,id,aromatic\n2,a,0.5\n2,b,0.5\n");
  refused({"evaluate", "--predictions", twice.string(), "--data", t.table.string()},
          {"twice.csv, line 3", "line 2 already"});
  auto const none = t.folder.write("none.csv", "line,id,aromatic\n999,a,0.5\n");
  refused({"evaluate", "--predictions", none.string(), "--data", t.table.string()},
          {"no line of", "none.csv"});
  auto const shifted = t.folder.write("shifted.csv", "line,id,aromatic\n120,a,0.5\n122,b,0.5\n");
  refused({"evaluate", "--predictions", shifted.string(), "--data", t.table.string()},
          {"1 predictions for lines that", "the table that was predicted"});
  auto const named = t.folder.write("named.csv", "id,smiles,aromatic\na,CCO,0\nc,c1ccccc1,1\n");
  auto const wrong = t.folder.write("wrong.csv", "line,id,aromatic\n2,a,0.5\n3,b,0.5\n");
  refused({"evaluate", "--predictions", wrong.string(), "--data", named.string()},
          {"named.csv, line 3", "\"c\"", "\"b\""});
  refused(t.finetune({"--seed", "3"}), {"--seeds"});
  refused(t.finetune({"--seeds", "3,3"}), {"named twice"});
  refused(t.finetune({"--test", t.table.string()}), {"--test", "ddi"});
  refused(t.finetune({"--out", sample().run.string()}), {"--out", "--init"});
  auto const bytes = t.folder.write("bytes.csv", "smiles,\xb5\nCCO,0\nc1ccccc1,1\n");
  refused(t.finetune({"--data", bytes.string(), "--labels", "\xb5"}), {"not UTF-8"});
  auto again = t.finetune();
  again.pop_back();  // --force
  succeed(again);
  refused(again, {"earlier fine-tuning", "--force"});
}
