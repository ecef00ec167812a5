// SPDX-License-Identifier: Apache-2.0
// The options of m2umol finetune.
#include <algorithm>
#include <memory>

#include "m2umol/finetune.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

std::vector<char const*> const adaptation_options{"--adapt-weight", "--adapt-from-epoch",
                                                  "--adapt-columns", "--adapt-learning-rate"};

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
    refuse({"--protein", "--label", "--target"}, "only --task dti uses it");
  }
  if (command.count("--target") == 0) {
    refuse(adaptation_options, "it is for adapting to the pairs of --target");
  }
  std::sort(seeds.begin(), seeds.end());
  if (std::adjacent_find(seeds.begin(), seeds.end()) != seeds.end()) {
    throw CLI::ValidationError("--seeds", "a seed is named twice");
  }
}

void add_data_options(CLI::App& command, FinetuneArguments& a) {
  command.add_option("--data", a.table, "CSV or TSV with labels, also gzipped")->check(not_empty());
  command.add_option("--smiles", a.smiles, "Name of the SMILES column")->capture_default_str();
  command.add_option("--labels", a.labels,
                     "Names of label columns, commas between (repeatable; default: all others); "
                     "labels are 0, 1 or numbers, or empty");
  command
      .add_option("--task", a.task,
                  "What the labels are; ddi: classes of pairs, such as drug-drug interactions; "
                  "dti: whether a molecule and a protein interact")
      ->check(CLI::IsMember({"classification", "regression", "ddi", "dti"}))
      ->capture_default_str();
  command
      .add_option("--split", a.split,
                  "scaffold (deterministic 80/10/10), random-scaffold, random, column:NAME (train, "
                  "valid, test) or kfold:K")
      ->capture_default_str();
  command.add_option("--seen", a.seen,
                     "Folder that prepare wrote for pre-training: test molecules that are not in "
                     "it are scored separately too");
}

void add_pair_options(CLI::App& command, PairSource& p) {
  command.add_option("--train", p.train, "Pairs to learn from (--task ddi, dti): CSV or TSV");
  command.add_option("--validation", p.validation,
                     "Pairs that choose the epoch (ddi: by default a tenth of --train)");
  command.add_option("--test", p.test, "Pairs to test on");
  command.add_option("--molecules", p.molecules, "Table of the pairs' molecules (--task ddi)");
  command.add_option("--id", p.id, "Name of the id column of --molecules")->capture_default_str();
  command.add_option("--first", p.first, "Column of the pairs: one molecule's id")
      ->capture_default_str();
  command.add_option("--second", p.second, "Column of the pairs: the other's")
      ->capture_default_str();
  command.add_option("--type", p.type, "Column of the pairs: what holds between them")
      ->capture_default_str();
  command.add_option("--protein", p.protein, "Column of proteins' letters (--task dti)")
      ->capture_default_str();
  command.add_option("--label", p.label, "Column of 0 and 1 (--task dti)")->capture_default_str();
}

void add_adaptation_options(CLI::App& command, PairSource& p, AdaptOptions& adapt) {
  command
      .add_option("--target", p.target,
                  "Pairs to adapt to (--task dti), such as other clusters; labels are not read")
      ->check(not_empty());
  command.add_option("--adapt-weight", adapt.weight, "Of telling --train and --target apart")
      ->check(above_zero())
      ->capture_default_str();
  command
      .add_option("--adapt-from-epoch", adapt.first_epoch,
                  "The first epoch that adapts; none before it is taken as the best")
      ->check(at_least_one())
      ->capture_default_str();
  command
      .add_option("--adapt-columns", adapt.columns,
                  "Of the randomised products of pair and prediction (0: all products)")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  command
      .add_option("--adapt-learning-rate", adapt.learning_rate,
                  "Of what tells --train and --target apart")
      ->check(above_zero())
      ->capture_default_str();
}

void add_model_options(CLI::App& command, FinetuneArguments& a) {
  command.add_option("--init", a.init, "A pre-trained model, or random for none")
      ->required()
      ->check(not_empty());
  command
      .add_option(
          "--head", a.head,
          "fusion of the 2D vector with the generated ones (regression: 2d), or the 2D vector "
          "alone")
      ->check(CLI::IsMember({"fusion", "2d"}))
      ->capture_default_str();
  command.add_option("--hidden", a.hidden, "Units of the head (ddi: 256)")
      ->check(at_least_one())
      ->capture_default_str();
  command.add_option("--dropout", a.dropout, "In the encoder, the fusion and the head")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command.add_flag("--freeze", a.freeze,
                   "Keep the weights of the encoder and the adapters (the running statistics of "
                   "their batch norms follow the data)");
  command.add_flag("--balance", a.balance, "Weigh the two classes of a label equally");
}

void add_training_options(CLI::App& command, FinetuneOptions& t) {
  command.add_option("--epochs", t.epochs, "Epochs")->check(at_least_one())->capture_default_str();
  command
      .add_option("--batch", t.batch,
                  "Molecules per step; pairs, by default 1024 and 64, for ddi and dti")
      ->check(at_least_one())
      ->capture_default_str();
  command.add_option("--learning-rate", t.learning_rate, "Of the head and the fusion")
      ->check(above_zero())
      ->capture_default_str();
  command
      .add_option("--encoder-learning-rate", t.encoder_learning_rate,
                  "Of the encoder and the adapters")
      ->check(not_below_zero())
      ->capture_default_str();
  command.add_option("--weight-decay", t.weight_decay, "Decoupled, as AdamW has it")
      ->check(not_below_zero())
      ->capture_default_str();
  command.add_option("--clip", t.clip_norm, "Largest norm of the gradient (0: no limit)")
      ->check(not_below_zero())
      ->capture_default_str();
  command.add_option("--schedule", t.schedule, "Of the learning rates")
      ->check(CLI::IsMember({"cosine", "constant"}))
      ->capture_default_str();
  command
      .add_option("--patience", t.patience,
                  "Stop after so many epochs without a better validation score (0: never)")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
}

void add_run_options(CLI::App& command, FinetuneArguments& a) {
  command.add_option("--seeds", a.seeds, "A run for each: of initial values, order and split")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--out", a.out, "Folder of models, predictions, logs and metrics.json")
      ->required()
      ->check(not_empty());
  command.add_flag("--force", a.force, "Replace what an earlier run left in --out");
}

/// What the task says where the user does not.
void set_task_defaults(CLI::App const& command, FinetuneArguments& a) {
  bool const batch = command.count("--batch") == 0;
  if (a.task == "ddi") {
    a.training.batch = batch ? 1024 : a.training.batch;  // most molecules are in every step then
    a.hidden = command.count("--hidden") == 0 ? 256 : a.hidden;  // as published
  } else if (a.task == "dti") {
    a.training.batch = batch ? 64 : a.training.batch;  // DrugBAN's
  } else if (a.task == "regression" && command.count("--head") == 0) {
    a.head = "2d";  // fusion scales each molecule's vector, and loses how large the molecule is
  }
}

}  // namespace

void add_finetune(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "finetune", "Learn to predict labels of molecules, starting from a pre-trained model");
  auto const arguments = std::make_shared<FinetuneArguments>();
  auto const pairs = std::make_shared<PairSource>();
  add_data_options(*command, *arguments);
  add_pair_options(*command, *pairs);
  add_adaptation_options(*command, *pairs, arguments->training.adapt);
  add_model_options(*command, *arguments);
  add_training_options(*command, arguments->training);
  add_run_options(*command, *arguments);
  add_common(*command, common);
  command->callback([arguments, pairs, command, &common, &body] {
    set_task_defaults(*command, *arguments);
    expect_fitting_options(*command, arguments->task, arguments->seeds);
    body = [arguments, pairs, &common] { run_finetune(*arguments, *pairs, common.threads); };
  });
}

}  // namespace m2umol
