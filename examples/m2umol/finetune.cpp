// SPDX-License-Identifier: Apache-2.0
// m2umol finetune: a pre-trained model learns to predict labels.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <set>

#include "m2u/core/file.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// One column of the table and of the JSON.
using Pick = LabelScores const* (*)(FinetuneRun const&);
struct Part {
  char const* name;
  Pick pick;
};
std::vector<Part> parts(bool unseen) {
  std::vector<Part> result{{"validation", [](FinetuneRun const& run) { return &run.validation; }},
                           {"test", [](FinetuneRun const& run) { return &run.test; }}};
  if (unseen) {
    result.push_back({"test, unseen",
                      [](FinetuneRun const& run) { return run.unseen ? &*run.unseen : nullptr; }});
  }
  return result;
}

std::vector<std::optional<double>> values_of(std::vector<FinetuneRun> const& runs, Pick pick,
                                             std::string const& measure) {
  std::vector<std::optional<double>> values;
  for (auto const& run : runs) {
    auto const* const scores = pick(run);
    values.push_back(scores == nullptr ? std::nullopt : scores->value(measure));
  }
  return values;
}

std::string number(std::optional<double> value) {
  char text[32] = "-";
  if (value) {
    std::snprintf(text, sizeof text, "%.4f", *value);
  }
  return text;
}

void print_runs(std::vector<FinetuneRun> const& runs, FinetuneArguments const& arguments) {
  bool const unseen = !arguments.seen.empty();
  std::string const measure = main_measure(arguments.regression);
  std::printf("%s, mean over labels; the epoch is the best on validation\n",
              arguments.regression ? "RMSE" : "ROC-AUC");
  std::printf("%6s  %4s  %5s", "seed", "fold", "epoch");
  for (auto const& part : parts(unseen)) {
    std::printf("  %16s", part.name);
  }
  std::printf("\n");
  for (auto const& run : runs) {
    std::printf("%6d  %4d  %5d", run.seed, run.fold, run.outcome.best_epoch);
    for (auto const& part : parts(unseen)) {
      auto const* const scores = part.pick(run);
      std::printf("  %16s",
                  number(scores == nullptr ? std::nullopt : scores->value(measure)).c_str());
    }
    std::printf("\n");
  }
}

/// The measures that any run has.
std::set<std::string> measures_of(std::vector<FinetuneRun> const& runs) {
  std::set<std::string> names;
  for (auto const& run : runs) {
    for (auto const& [name, ignored] : run.test.mean) {
      names.insert(name);
    }
  }
  return names;
}

/// Mean ± standard deviation of every measure.
void print_summary(std::vector<FinetuneRun> const& runs, FinetuneArguments const& arguments) {
  std::printf("\nmean ± standard deviation over %zu runs\n%-12s", runs.size(), "measure");
  auto const columns = parts(!arguments.seen.empty());
  for (auto const& part : columns) {
    std::printf("  %16s", part.name);
  }
  std::printf("\n");
  for (auto const& measure : measures_of(runs)) {
    std::printf("%-12s", measure.c_str());
    for (auto const& part : columns) {
      auto const summary = summarise(values_of(runs, part.pick, measure));
      char text[48] = "               -";
      if (summary.runs > 0) {
        std::snprintf(text, sizeof text, summary.deviation ? "%8.4f ± %.4f" : "%8.4f         ",
                      summary.mean, summary.deviation.value_or(0.0));
      }
      std::printf(" %17s", text);
    }
    std::printf("\n");
  }
  for (auto const& run : runs) {
    for (auto const& each : run.test.each) {
      if (each.values.empty()) {
        std::printf("left out of the test mean of seed %d, fold %d: \"%s\" (%s)\n", run.seed,
                    run.fold, each.label.c_str(), each.labelled == 0 ? "no labels" : "one class");
      }
    }
  }
}

nlohmann::json to_json(FinetuneArguments const& a, LabelledMolecules const& molecules,
                       std::vector<FinetuneRun> const& runs) {
  nlohmann::json json{{"table", a.table},
                      {"task", a.task},
                      {"split", a.split},
                      {"init", a.init},
                      {"head", a.head},
                      {"molecules", molecules.size()},
                      {"records", molecules.records},
                      {"epochs", a.training.epochs},
                      {"batch", a.training.batch},
                      {"learning_rate", a.training.learning_rate},
                      {"encoder_learning_rate", a.training.encoder_learning_rate},
                      {"dropout", a.dropout},
                      {"runs", nlohmann::json::array()},
                      {"rejected", nlohmann::json::array()}};
  for (auto const& reject : molecules.rejects) {
    json["rejected"].push_back(
        {{"line", reject.line}, {"input", reject.input}, {"reason", reject.reason}});
  }
  for (auto const& run : runs) {
    nlohmann::json entry{{"seed", run.seed},
                         {"fold", run.fold},
                         {"folder", run.folder},
                         {"epochs", run.outcome.fit.epochs},
                         {"best_epoch", run.outcome.best_epoch},
                         {"seconds", run.outcome.fit.seconds},
                         {"train", m2umol::to_json(run.train)},
                         {"validation", m2umol::to_json(run.validation)},
                         {"test", m2umol::to_json(run.test)}};
    if (run.unseen) {
      entry["test_unseen"] = m2umol::to_json(*run.unseen);
    }
    json["runs"].push_back(std::move(entry));
  }
  for (auto const& part : parts(!a.seen.empty())) {
    auto& summaries = json["summary"][part.name];
    for (auto const& measure : measures_of(runs)) {
      auto const summary = summarise(values_of(runs, part.pick, measure));
      summaries[measure] = {
          {"runs", summary.runs},
          {"mean", summary.mean},
          {"deviation", summary.deviation ? nlohmann::json(*summary.deviation) : nlohmann::json()}};
    }
  }
  return json;
}

/// Puts the model of the run that validated best where predict looks for it.
void keep_best(std::vector<FinetuneRun> const& runs, FinetuneArguments const& arguments) {
  // Of runs whose validation part has the measure; another run's score is minus its loss.
  auto const quality = [&](FinetuneRun const& run) {
    auto const value = run.validation.value(main_measure(arguments.regression));
    return value ? (arguments.regression ? -*value : *value)
                 : -std::numeric_limits<double>::infinity();
  };
  auto const best = std::max_element(
      runs.begin(), runs.end(),
      [&](FinetuneRun const& a, FinetuneRun const& b) { return quality(a) < quality(b); });
  auto const target = fs::path(arguments.out) / "model.safetensors";
  fs::copy_file(fs::path(best->folder) / "model.safetensors", target,
                fs::copy_options::overwrite_existing);
  std::cout << "model (of seed " << best->seed << ", best on validation): " << target.string()
            << '\n';
}

/// @throws m2u::Error if the folder can't be written, or something would be lost there.
void expect_own_folder(FinetuneArguments const& arguments) {
  expect_writable_folder(arguments.out);
  fs::path const out = arguments.out;
  auto const inside = fs::weakly_canonical(arguments.init).string();
  m2u::expects(
      arguments.init == "random" || !inside.starts_with(fs::weakly_canonical(out).string() + "/"),
      "--out ", arguments.out, " would replace the model of --init, ", arguments.init);
  bool const used = fs::exists(out / "metrics.json") || fs::exists(out / "model.safetensors");
  m2u::expects(!used || arguments.force, arguments.out,
               " holds another model or an earlier fine-tuning: --force replaces it");
}

/// @throws m2u::Error if files or numbers do not fit the task.
void expect_fitting_files(FinetuneArguments const& arguments, PairSource const& pairs) {
  bool const of_pairs = arguments.task == "ddi";
  bool const of_proteins = arguments.task == "dti";
  m2u::expects(of_pairs || of_proteins || !arguments.table.empty(),
               "--data names the table to learn from");
  m2u::expects(
      !of_proteins || (!pairs.train.empty() && !pairs.validation.empty() && !pairs.test.empty()),
      "--task dti takes --train, --validation and --test");
  m2u::expects(
      !of_pairs || (!pairs.train.empty() && !pairs.test.empty() && !pairs.molecules.empty()),
      "--task ddi takes --train, --test and --molecules");
  m2u::expects(!(arguments.balance && arguments.task == "regression"),
               "--balance weighs classes: a regression has none");
  auto const& training = arguments.training;
  m2u::expects(pairs.target.empty() || training.adapt.first_epoch <= training.epochs,
               "--adapt-from-epoch ", training.adapt.first_epoch, " is after the last of --epochs ",
               training.epochs, ": the model would not adapt to --target");
}

/// Fine-tuning on labels of molecules.
void run_finetune_labels(FinetuneArguments const& arguments, Engine const* init,
                         Configuration configuration, int threads) {
  auto const molecules = read_labelled(arguments, configuration, threads);
  warn_of_rejects(molecules, arguments.table);
  auto& prediction = configuration.prediction;
  prediction = {arguments.head, arguments.task, {}, arguments.hidden, {}, {}};
  for (auto const& task : molecules.tasks) {
    prediction.labels.push_back(task.name);
  }
  std::vector<bool> seen;
  if (!arguments.seen.empty()) {
    seen = seen_molecules(molecules.smiles, arguments.seen);
  }
  std::cout << "finetune on " << arguments.table << ": " << molecules.size() << " molecules, "
            << molecules.tasks.size() << (molecules.tasks.size() == 1 ? " label" : " labels")
            << ", split " << arguments.split << ", init " << arguments.init << ", head "
            << arguments.head << std::endl;
  auto const runs = finetune_runs(arguments, molecules, seen, init, configuration, threads);
  print_runs(runs, arguments);
  print_summary(runs, arguments);
  m2u::write_file(fs::path(arguments.out) / "metrics.json",
                  to_json(arguments, molecules, runs)
                          .dump(1, ' ', false, nlohmann::json::error_handler_t::replace) +
                      "\n");
  keep_best(runs, arguments);
}

}  // namespace

void run_finetune(FinetuneArguments arguments, PairSource const& pairs, int threads) {
  expect_fitting_files(arguments, pairs);
  arguments.regression = arguments.task == "regression";
  arguments.part = split_kind(arguments.split).column;
  arguments.all_columns = true;
  if (arguments.freeze) {
    arguments.training.encoder_learning_rate = 0.0;
  }
  std::optional<Engine> loaded;
  Configuration configuration;
  if (arguments.init != "random") {
    loaded = Engine::load(arguments.init);
    configuration = loaded->configuration();
  }
  Engine const* const init = loaded ? &*loaded : nullptr;
  configuration.dropout = arguments.dropout;
  configuration.attention_dropout = arguments.dropout;
  expect_own_folder(arguments);
  if (arguments.task == "dti") {
    configuration.form = "interaction";
    run_finetune_interactions(arguments, pairs, init, std::move(configuration), threads);
  } else if (arguments.task == "ddi") {
    configuration.form = "pairs";
    run_finetune_pairs(arguments, pairs, init, std::move(configuration), threads);
  } else {
    configuration.form = "property";
    run_finetune_labels(arguments, init, std::move(configuration), threads);
  }
}

}  // namespace m2umol
