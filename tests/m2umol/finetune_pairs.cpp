// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on pairs of molecules, and of molecules and proteins, as a user runs it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2umol/refusal.hpp"

using namespace m2u::test;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// Rows of a table by their first cell, the line; the header under "line".
std::map<std::string, std::vector<std::string>> rows_of(fs::path const& table) {
  std::map<std::string, std::vector<std::string>> rows;
  for (auto const& line : lines_of(read_bytes(table))) {
    auto cells = cells_of(line);
    CHECK(rows.emplace(cells.at(0), cells).second);
  }
  return rows;
}

/// Checks that `whole` has the rows of `part` from the column `from` on: texts or close numbers.
void check_same_rows(fs::path const& part, fs::path const& whole, std::size_t from) {
  auto const there = rows_of(whole);
  auto const offset = there.at("line").size() - rows_of(part).at("line").size();
  for (auto const& [line, cells] : rows_of(part)) {
    INFO("line " << line);
    REQUIRE(there.contains(line));
    for (std::size_t i = from; i < cells.size(); ++i) {
      auto const& other = there.at(line).at(i + offset);
      char* end = nullptr;
      double const number = std::strtod(cells[i].c_str(), &end);
      if (end == cells[i].c_str() + cells[i].size()) {
        CHECK(std::strtod(other.c_str(), nullptr) == Approx(number).margin(1e-6));
      } else {
        CHECK(other == cells[i]);
      }
    }
  }
}

nlohmann::json json_of(fs::path const& file) { return nlohmann::json::parse(read_bytes(file)); }

/// Molecules a0 … a23 and pairs of them whose class their SMILES tell: whether both, one or none is
/// aromatic.
struct PairTables {
  TemporaryFolder const folder;
  std::string molecules = "drug,smiles\n";
  std::string train = "d1,type,d2\n";
  std::string test = "d1,type,d2\n";

  PairTables() {
    std::vector<std::string> const kinds{"CCO",      "CCCN",       "CC(=O)O",    "CCCCl",
                                         "c1ccccc1", "Cc1ccccc1O", "c1ccncc1CC", "Oc1ccccc1Cl"};
    auto const aromatic = [&](int i) { return i % 8 >= 4 ? 1 : 0; };
    for (int i = 0; i < 24; ++i) {
      molecules += "a" + std::to_string(i) + ',' +
                   std::string(static_cast<std::size_t>(i / 8), 'C') +
                   kinds[static_cast<std::size_t>(i % 8)] + '\n';
    }
    molecules += "bad,C1CC\n";
    for (int i = 0; i < 24; ++i) {
      for (int j = 0; j < 24; ++j) {
        auto& file = (i + 2 * j) % 5 == 0 ? test : train;
        file += "a" + std::to_string(i) + ',' + std::to_string(aromatic(i) + aromatic(j)) + ",a" +
                std::to_string(j) + '\n';
      }
    }
    train += "a1,0,bad\n";
  }
  fs::path molecules_file() const { return folder.write("molecules.csv", molecules); }
  Arguments predict(fs::path const& model, fs::path const& in, fs::path const& out) const {
    return {"predict",
            "--model",
            model.string(),
            "--in",
            in.string(),
            "--molecules",
            molecules_file().string(),
            "--id",
            "drug",
            "--out",
            out.string()};
  }
  Arguments finetune(fs::path const& train_file, fs::path const& out) const {
    return {"finetune",
            "--task",
            "ddi",
            "--train",
            train_file.string(),
            "--test",
            folder.write("test.csv", test).string(),
            "--molecules",
            molecules_file().string(),
            "--id",
            "drug",
            "--init",
            sample().model.string(),
            "--epochs",
            "40",
            "--batch",
            "64",
            "--learning-rate",
            "0.003",
            "--encoder-learning-rate",
            "0.001",
            "--seeds",
            "0",
            "--threads",
            "1",
            "--out",
            out.string()};
  }
};

}  // namespace

TEST_CASE("m2umol finetune learns what holds between two molecules, and predict applies it") {
  PairTables const t;
  auto const train = t.folder.write("train.csv", t.train);
  auto const out = t.folder / "out";
  auto const outcome = succeed(t.finetune(train, out));
  CHECK_THAT(outcome.out, ContainsSubstring("3 classes") && ContainsSubstring("macro_f1"));
  CHECK_THAT(outcome.error,
             ContainsSubstring("line 26") && ContainsSubstring("1 pairs have a molecule"));
  auto const metrics = json_of(out / "metrics.json");
  CHECK(metrics.at("classes") == nlohmann::json{"0", "1", "2"});
  auto const& test = metrics.at("runs").at(0).at("test");
  CHECK(test.at("accuracy").get<double>() > 0.9);
  CHECK(test.at("roc_auc").get<double>() > 0.95);

  // predict: a row per line, also of those that can't be used; the numbers of the run's test part.
  auto const pairs =
      t.folder.write("pairs.csv", t.test + "bad,0,a1\na1,1,zzz\na2,1\na3,2,\na4,0,a5\n");
  auto const tested = std::count(t.test.begin(), t.test.end(), '\n');
  auto const predictions = t.folder / "p.csv";
  auto const predict = t.predict(out / "seed-0/model.safetensors", pairs, predictions);
  auto const predicted = succeed(predict + Arguments{"--all-classes"});
  CHECK_THAT(predicted.error, ContainsSubstring("4 of " + std::to_string(tested + 4)));
  auto const rows = lines_of(read_bytes(predictions));
  REQUIRE(rows.size() == static_cast<std::size_t>(tested + 5));
  CHECK(rows[0] == "line,d1,d2,class,chance,chance of 0,chance of 1,chance of 2");
  CHECK(rows[static_cast<std::size_t>(tested)] ==
        std::to_string(tested + 1) + ",bad,a1,nan,nan,nan,nan,nan");
  auto const last = cells_of(rows.back());
  CHECK(last[1] == "a4");
  CHECK(std::stod(last[5]) + std::stod(last[6]) + std::stod(last[7]) == Approx(1.0));
  auto const rejects = lines_of(read_bytes(t.folder / "p.csv.rejects.tsv"));
  REQUIRE(rejects.size() == 5);
  CHECK_THAT(rejects[1], ContainsSubstring("the molecule \"bad\" can't be used"));
  CHECK_THAT(rejects[2], ContainsSubstring("no molecule \"zzz\""));
  CHECK_THAT(rejects[3], ContainsSubstring("2 fields"));
  CHECK_THAT(rejects[4], ContainsSubstring("\"d2\" is empty"));
  check_same_rows(out / "seed-0/predictions.csv", predictions, 1);

  // evaluate: of the test file the run's own measures.
  auto const only = t.folder.write("only.csv", t.test);
  succeed(t.predict(out / "seed-0/model.safetensors", only, predictions) +
          Arguments{"--all-classes"});
  auto const scores = t.folder / "scores.json";
  Arguments const evaluate{"evaluate",           "--task", "ddi",         "--predictions",
                           predictions.string(), "--data", only.string(), "--out",
                           scores.string()};
  succeed(evaluate);
  auto const found = json_of(scores);
  CHECK(found.at("rows") == tested - 1);
  for (auto const& [measure, value] : test.items()) {
    INFO(measure);
    CHECK(found.at("measures").at(measure).get<double>() == Approx(value.get<double>()));
  }
  // The likeliest class alone gives the measures that need no more.
  succeed(t.predict(out / "seed-0/model.safetensors", only, predictions));
  CHECK(lines_of(read_bytes(predictions))[0] == "line,d1,d2,class,chance");
  CHECK_THAT(succeed(evaluate).out, ContainsSubstring("need predict --all-classes"));
  auto const short_ones = json_of(scores).at("measures");
  CHECK(short_ones.at("macro_f1").get<double>() == Approx(test.at("macro_f1").get<double>()));
  CHECK_FALSE(short_ones.contains("roc_auc"));

  succeed(t.finetune(train, t.folder / "plain") +
          Arguments{"--head", "2d", "--validation", train.string()});
}

TEST_CASE("commands on pairs of molecules refuse what can't be used") {
  PairTables const t;
  Bench const bench;
  auto const train = t.folder.write("train.csv", t.train);
  auto const model = t.folder / "out/seed-0/model.safetensors";
  auto command = t.finetune(train, t.folder / "out");
  succeed(with(command, "--epochs", "1"));
  auto const wrong = bench.folder.write("wrong.csv", "d1,type,d2\na0,1,zzz\n");
  bench.refused(t.finetune(wrong, bench.out), {"wrong.csv, line 2", "no molecule \"zzz\""});
  auto const half = bench.folder.write("half.csv", "d1,d2\na0,a1\n");
  bench.refused(t.finetune(half, bench.out), {"no column \"type\""});
  bench.refused(t.finetune(train, bench.out) + Arguments{"--target", half.string()},
                {"--target", "dti"});

  auto const predict = t.predict(model, half, bench.out.string() + ".csv");
  bench.refused(with(predict, "--out", bench.out.string() + ".npy"), {".csv"});
  bench.refused(with(predict, "--first", "left"), {"no column \"left\""});
  bench.refused(with(predict, "--molecules", half.string()), {"half.csv", "no column"});
  bench.refused(predict + Arguments{"--protein", "d1"}, {"--protein", "dti"});
  bench.refused(with(predict, "--out", t.molecules_file().string() + ".csv") +
                    Arguments{"--rejects", half.string()},
                {"--rejects", "would replace"});
  bench.refused({"predict", "--model", model.string(), "--in", half.string(), "--out",
                 bench.out.string() + ".csv"},
                {"--molecules"});
  auto const empty = bench.folder.write("empty.csv", "d1,d2\n");
  bench.refused(t.predict(model, empty, bench.out.string() + ".csv"), {"holds no pair"});

  auto const table = bench.folder.write("t.csv", "d1,d2,type\na0,a1,0\na2,a3,1\n");
  auto const evaluate = [&](std::string const& predictions) {
    return Arguments{"evaluate",
                     "--task",
                     "ddi",
                     "--predictions",
                     bench.folder.write("p.csv", predictions).string(),
                     "--data",
                     table.string()};
  };
  std::string const header = "line,d1,d2,class,chance\n";
  bench.refused(evaluate("line,d1,d2\n2,a0,a1\n"), {"no column \"class\""});
  bench.refused(evaluate(header + "2,a0,a9,0,0.5\n"), {"t.csv, line 2", "\"a9\"", "predicted"});
  bench.refused(evaluate(header + "7,a0,a1,0,0.5\n"), {"1 predictions for lines"});
  bench.refused(evaluate(header + "2,a0,a1,0,high\n"), {"p.csv, line 2", "\"high\""});
  bench.refused(evaluate(header + "2,a0,a1,0,0.5\n2,a0,a1,1,0.5\n"), {"line 2 already"});
  bench.refused(evaluate(header + "2,a0,a1,nan,nan\n"), {"no line of"});
  bench.refused(evaluate(header) + Arguments{"--labels", "type"}, {"--labels", "--type"});
  bench.refused({"evaluate", "--predictions", bench.folder.write("p.csv", header).string(),
                 "--data", table.string()},
                {"--task ddi"});
}

namespace {

/// Six molecules with four proteins each, several times over; whether they interact is told by an
/// aromatic ring and a tryptophan: both or neither.
struct InteractionTables {
  TemporaryFolder const folder;
  std::string const header = "SMILES,Protein,Y\n";
  std::string files[3] = {header, header, header};  ///< training, validation, test

  InteractionTables() {
    std::vector<std::string> const molecules{"CCO",      "c1ccccc1", "CC(=O)O",
                                             "c1ccncc1", "CCCN",     "Cc1ccccc1O"};
    std::vector<std::string> const proteins{"MKTAYIAKQRW", "GGSSAACDEF", "WLLKMNPQW", "MKTLLAVTSS"};
    std::size_t const file_of[] = {0, 0, 1, 2};
    for (std::size_t const file : file_of) {
      for (std::size_t m = 0; m < molecules.size(); ++m) {
        for (std::size_t p = 0; p < proteins.size(); ++p) {
          bool const binds = (m % 2 == 1) == (p % 2 == 0);
          files[file] += molecules[m] + ',' + proteins[p] + ',' + (binds ? "1" : "0") + '\n';
        }
      }
    }
    files[0] += "C1CC,MKT,1\n";
  }
  Arguments finetune(fs::path const& out, int epochs) const {
    return {"finetune",
            "--task",
            "dti",
            "--train",
            folder.write("train.csv", files[0]).string(),
            "--validation",
            folder.write("val.csv", files[1]).string(),
            "--test",
            folder.write("test.csv", files[2]).string(),
            "--init",
            sample().model.string(),
            "--epochs",
            std::to_string(epochs),
            "--batch",
            "16",
            "--learning-rate",
            "0.002",
            "--encoder-learning-rate",
            "0.001",
            "--seeds",
            "0",
            "--threads",
            "1",
            "--out",
            out.string()};
  }
};

}  // namespace

TEST_CASE("m2umol finetune learns which molecules and proteins interact, and predict applies it") {
  InteractionTables const t;
  auto const out = t.folder / "out";
  auto const outcome = succeed(t.finetune(out, 30));
  CHECK_THAT(outcome.out,
             ContainsSubstring("6 molecules, 4 proteins") && ContainsSubstring("sensitivity"));
  CHECK_THAT(outcome.error, ContainsSubstring("1 pairs have a molecule"));
  auto const metrics = json_of(out / "metrics.json");
  CHECK(metrics.at("summary").at("roc_auc").at("mean").get<double>() > 0.95);

  auto const model = (out / "seed-0/model.safetensors").string();
  auto const pairs = t.folder.write("pairs.csv", t.files[2] + "C1CC,MKT,1\nCCO,,0\nCCO,WW\n");
  auto const predictions = t.folder / "p.csv";
  auto const predicted =
      succeed({"predict", "--model", model, "--in", pairs.string(), "--out", predictions.string()});
  CHECK_THAT(predicted.error, ContainsSubstring("3 of 27"));
  auto const rows = lines_of(read_bytes(predictions));
  REQUIRE(rows.size() == 28);
  CHECK(rows[0] == "line,id,Y");
  CHECK(rows[25] == "26,line 26,nan");
  auto const rejects = read_bytes(t.folder / "p.csv.rejects.tsv");
  CHECK_THAT(rejects, ContainsSubstring("27\tCCO\tthe protein is empty") &&
                          ContainsSubstring("28\tCCO\tthe row has 2 fields"));
  check_same_rows(out / "seed-0/predictions.csv", predictions, 1);

  auto const scores = t.folder / "scores.json";
  succeed({"evaluate", "--predictions", predictions.string(), "--data",
           (t.folder / "pairs.csv").string(), "--out", scores.string()});
  auto const found = json_of(scores);
  CHECK(found.at("rows") == 24);
  for (auto const& [measure, value] : metrics.at("runs").at(0).at("test").items()) {
    INFO(measure);
    CHECK(found.at("mean").at(measure).get<double>() == Approx(value.get<double>()));
  }
  succeed({"predict", "--model", model, "--in", pairs.string(), "--out",
           (t.folder / "p.npy").string()});

  Bench const bench;
  auto const bad = bench.folder.write("bad.csv", t.header + "CCO,MKT,2\n");
  auto const command = t.finetune(bench.out, 2);
  bench.refused(with(command, "--train", bad.string()), {"bad.csv, line 2", "0 or 1"});
  bench.refused(command + Arguments{"--head", "2d"}, {"--head"});
  Arguments const predict{
      "predict", "--model", model, "--in", bad.string(), "--out", bench.out.string() + ".csv"};
  bench.refused(predict + Arguments{"--protein", "Sequence"}, {"no column \"Sequence\""});
  bench.refused(predict + Arguments{"--molecules", bad.string()}, {"--molecules", "ddi"});
  bench.refused(predict + Arguments{"--all-classes"}, {"--all-classes", "ddi"});
}

TEST_CASE("m2umol finetune adapts to pairs whose labels it does not read") {
  InteractionTables const t;
  std::string const pairs = "CCCCO,MKWTAYIA,1\nc1ccccc1C,GGSSAACD,0\nCCN,WLLKMNPQ,0\n"
                            "c1ccsc1,MKTLLAVT,1\nC1CC,MKT,1\n";
  auto const model = [&](std::string const& name, Arguments const& more) {
    auto const out = t.folder / name;
    auto const outcome = succeed(t.finetune(out, 3) + more);
    bool const adapts = outcome.out.find("4 to adapt to") != std::string::npos;
    CHECK(adapts == !more.empty());
    return read_bytes(out / "seed-0/model.safetensors");
  };
  auto const target = [&](std::string const& name, std::string const& text) {
    return Arguments{"--target", t.folder.write(name + ".csv", text).string(), "--adapt-from-epoch",
                     "2"};
  };
  auto poisoned = pairs;
  for (auto const& label : {",0\n", ",1\n"}) {
    for (auto at = poisoned.find(label); at != std::string::npos; at = poisoned.find(label)) {
      poisoned.replace(at, 2, ",?");
    }
  }
  std::string without = "SMILES,Protein\n";
  for (auto const& line : lines_of(pairs)) {
    without += line.substr(0, line.rfind(',')) + '\n';
  }
  auto const adapted = model("adapted", target("labels", t.header + pairs));
  CHECK(model("poisoned", target("poisoned", t.header + poisoned)) == adapted);
  CHECK(model("without", target("without", without)) == adapted);
  auto const plain = model("plain", {});
  CHECK(plain != adapted);
  // What told the domains apart is not part of the model.
  CHECK(plain.size() == Approx(static_cast<double>(adapted.size())).margin(100));

  auto const metrics = json_of(t.folder / "adapted/metrics.json");
  CHECK(metrics.at("adaptation").at("from_epoch") == 2);
  CHECK(metrics.at("adaptation").at("columns") == 256);
  CHECK(metrics.at("runs").at(0).at("best_epoch").get<int>() >= 2);
  auto const log = lines_of(read_bytes(t.folder / "adapted/seed-0/log.jsonl"));
  REQUIRE(log.size() == 3);
  CHECK_THAT(log[1], ContainsSubstring("domains"));
  CHECK(model("products", target("labels", t.header + pairs) + Arguments{"--adapt-columns", "0"}) !=
        adapted);
}

TEST_CASE("m2umol finetune refuses an adaptation that can't be") {
  InteractionTables const t;
  Bench const bench;
  auto const command = t.finetune(bench.out, 3);
  auto const target = bench.folder.write("target.csv", "SMILES,Protein\nCCO,MKT\n");
  auto const adapting = command + Arguments{"--target", target.string()};
  bench.refused(adapting, {"--adapt-from-epoch 10", "--epochs 3"});
  for (std::string const option :
       {"--adapt-weight", "--adapt-from-epoch", "--adapt-columns", "--adapt-learning-rate"}) {
    bench.refused(command + Arguments{option, "1"}, {option, "--target"});
    bench.refused(adapting + Arguments{option + "=-1"}, {option});
  }
  auto const of = [&](std::string const& text) {
    return command + Arguments{"--adapt-from-epoch", "1", "--target",
                               bench.folder.write("bad.csv", text).string()};
  };
  bench.refused(of("SMILES,Protein\nC1CC,MKT\n"), {"bad.csv", "molecule that can be used"});
  bench.refused(of("SMILES,Protein\nCCO,\n"), {"bad.csv, line 2", "protein is empty"});
  bench.refused(of("SMILES\nCCO\n"), {"no column \"Protein\""});
  bench.refused(with(adapting, "--target", ""), {"--target"});
}
