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

void run_finetune(FinetuneArguments arguments, PairSource const& pairs, Common const& common) {
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
  arguments.regression = arguments.task == "regression";
  auto const kind = split_kind(arguments.split);
  arguments.part = kind.column;
  arguments.all_columns = true;
  if (arguments.freeze) {
    arguments.training.encoder_learning_rate = 0.0;
  }
  m2u::expects(!(arguments.balance && arguments.regression),
               "--balance weighs classes: a regression has none");
  bool const random = arguments.init == "random";
  std::optional<Engine> init;
  Configuration configuration;
  if (!random) {
    init = Engine::load(arguments.init);
    configuration = init->configuration();
  }
  configuration.dropout = arguments.dropout;
  configuration.attention_dropout = arguments.dropout;
  expect_own_folder(arguments);
  configuration.form = of_pairs ? "pairs" : of_proteins ? "interaction" : "property";
  if (of_proteins) {
    run_finetune_interactions(arguments, pairs, init ? &*init : nullptr, std::move(configuration),
                              common.threads);
    return;
  }
  if (of_pairs) {
    run_finetune_pairs(arguments, pairs, init ? &*init : nullptr, std::move(configuration),
                       common.threads);
    return;
  }
  auto const molecules = read_labelled(arguments, configuration, common.threads);
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
  auto const runs = finetune_runs(arguments, molecules, seen, init ? &*init : nullptr,
                                  configuration, common.threads);
  print_runs(runs, arguments);
  print_summary(runs, arguments);
  m2u::write_file(fs::path(arguments.out) / "metrics.json",
                  to_json(arguments, molecules, runs)
                          .dump(1, ' ', false, nlohmann::json::error_handler_t::replace) +
                      "\n");
  keep_best(runs, arguments);
}

/// @throws CLI::ValidationError if an option would have no effect.
void expect_fitting_options(CLI::App const& command, std::string const& task,
                            std::vector<int> seeds) {
  auto const refuse = [&](std::vector<char const*> const& options, std::string const& why) {
    for (auto const* const option : options) {
      if (command.count(option) > 0) {
        throw CLI::ValidationError(option, why);
      }
    }
  };
  refuse({"--seed"}, "finetune has --seeds");
  bool const of_pairs = task == "ddi";
  bool const of_proteins = task == "dti";
  if (of_pairs || of_proteins) {
    refuse({"--data", "--labels", "--split", "--seen", "--balance"},
           "--task " + task + " does not use it");
  } else {
    refuse({"--train", "--validation", "--test"}, "only --task ddi and dti use it");
  }
  if (!of_pairs) {
    refuse({"--molecules", "--id", "--first", "--second", "--type"}, "only --task ddi uses it");
  }
  if (of_proteins) {
    refuse({"--head", "--hidden"}, "--task dti has a head of its own, on the atoms");
  } else {
    refuse({"--protein", "--label"}, "only --task dti uses it");
  }
  std::sort(seeds.begin(), seeds.end());
  if (std::adjacent_find(seeds.begin(), seeds.end()) != seeds.end()) {
    throw CLI::ValidationError("--seeds", "a seed is named twice");
  }
}

}  // namespace

void add_finetune(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "finetune", "Learn to predict labels of molecules, starting from a pre-trained model");
  auto const arguments = std::make_shared<FinetuneArguments>();
  auto const pairs = std::make_shared<PairSource>();
  auto& a = *arguments;
  auto& p = *pairs;
  command->add_option("--data", a.table, "CSV or TSV with labels, also gzipped")
      ->check(not_empty());
  command->add_option("--train", p.train, "Pairs to learn from (--task ddi): CSV or TSV");
  command->add_option("--validation", p.validation,
                      "Pairs that choose the epoch (default: a tenth of --train)");
  command->add_option("--test", p.test, "Pairs to test on");
  command->add_option("--molecules", p.molecules, "Table of the pairs' molecules");
  command->add_option("--id", p.id, "Name of the id column of --molecules")->capture_default_str();
  command->add_option("--first", p.first, "Column of the pairs: one molecule's id")
      ->capture_default_str();
  command->add_option("--second", p.second, "Column of the pairs: the other's")
      ->capture_default_str();
  command->add_option("--type", p.type, "Column of the pairs: what holds between them")
      ->capture_default_str();
  command->add_option("--protein", p.protein, "Column of proteins' letters (--task dti)")
      ->capture_default_str();
  command->add_option("--label", p.label, "Column of 0 and 1 (--task dti)")->capture_default_str();
  command->add_option("--smiles", a.smiles, "Name of the SMILES column")->capture_default_str();
  command->add_option("--labels", a.labels,
                      "Names of label columns, commas between (repeatable; default: all others); "
                      "labels are 0, 1 or numbers, or empty");
  command
      ->add_option("--task", a.task,
                   "What the labels are; ddi: classes of pairs, such as drug-drug interactions; "
                   "dti: whether a molecule and a protein interact")
      ->check(CLI::IsMember({"classification", "regression", "ddi", "dti"}))
      ->capture_default_str();
  command
      ->add_option(
          "--split", a.split,
          "scaffold (deterministic 80/10/10), random-scaffold, random, column:NAME (train, "
          "valid, test) or kfold:K")
      ->capture_default_str();
  command->add_option("--init", a.init, "A pre-trained model, or random for none")
      ->required()
      ->check(not_empty());
  command
      ->add_option("--head", a.head,
                   "fusion of the 2D vector with the generated ones, or the 2D vector alone")
      ->check(CLI::IsMember({"fusion", "2d"}))
      ->capture_default_str();
  auto& t = a.training;
  command->add_option("--epochs", t.epochs, "Epochs")->check(at_least_one())->capture_default_str();
  command->add_option("--batch", t.batch, "Molecules per step; pairs, by default 1024, for ddi")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--learning-rate", t.learning_rate, "Of the head and the fusion")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option("--encoder-learning-rate", t.encoder_learning_rate,
                   "Of the encoder and the adapters")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_flag("--freeze", a.freeze,
                    "Keep the weights of the encoder and the adapters (the running statistics of "
                    "their batch norms follow the data)");
  command->add_option("--weight-decay", t.weight_decay, "Decoupled, as AdamW has it")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_option("--clip", t.clip_norm, "Largest norm of the gradient (0: no limit)")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_option("--schedule", t.schedule, "Of the learning rates")
      ->check(CLI::IsMember({"cosine", "constant"}))
      ->capture_default_str();
  command
      ->add_option("--patience", t.patience,
                   "Stop after so many epochs without a better validation score (0: never)")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->add_option("--dropout", a.dropout, "In the encoder, the fusion and the head")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_flag("--force", a.force, "Replace what an earlier run left in --out");
  command->add_option("--hidden", a.hidden, "Units of the head (ddi: 256)")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_flag("--balance", a.balance, "Weigh the two classes of a label equally");
  command->add_option("--seeds", a.seeds, "A run for each: of initial values, order and split")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--seen", a.seen,
                      "Folder that prepare wrote for pre-training: test molecules that are not in "
                      "it are scored separately too");
  command->add_option("--out", a.out, "Folder of models, predictions, logs and metrics.json")
      ->required()
      ->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, pairs, command, &common, &body] {
    bool const of_pairs = arguments->task == "ddi";
    if (of_pairs && command->count("--batch") == 0) {
      arguments->training.batch = 1024;  // most molecules are in every step then
    }
    if (arguments->task == "dti" && command->count("--batch") == 0) {
      arguments->training.batch = 64;  // DrugBAN's
    }
    if (of_pairs && command->count("--hidden") == 0) {
      arguments->hidden = 256;  // as published
    }
    expect_fitting_options(*command, arguments->task, arguments->seeds);
    body = [arguments, pairs, &common] { run_finetune(*arguments, *pairs, common); };
  });
}

}  // namespace m2umol
