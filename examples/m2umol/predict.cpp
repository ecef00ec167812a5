// SPDX-License-Identifier: Apache-2.0
// m2umol predict: what a fine-tuned model says of molecules and pairs.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "m2u/train/batch_source.hpp"

#include "m2umol/interaction_pairs.hpp"
#include "m2umol/predict.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

/// Labels of molecules: a row per record.
void predict_labels(MoleculeRows job, Engine const& engine, int threads) {
  job.compute = [&](m2u::Table const& table, auto const& /*records*/) {
    return std::vector{engine.predict(table, m2u::all_ids(table.size()), threads)};
  };
  write_molecule_rows(job, engine.configuration(), threads);
}

/// Chances that molecules and proteins interact: a row per record.
void predict_interactions(MoleculeRows job, std::string const& protein, Engine const& engine,
                          int threads) {
  job.columns.extras = {protein};
  job.problem_of = [](m2u::MoleculeRecord const& record) {
    return std::string(record.extras.at(0).empty() ? "the protein is empty" : "");
  };
  job.compute = [&](m2u::Table const& table, auto const& records) {
    // Each distinct molecule is encoded once in a batch: the first row that has it stands for all.
    std::unordered_map<std::string, int> rows;
    InteractionPairs pairs;
    for (std::size_t row = 0; row < records.size(); ++row) {
      auto const& record = *records[row];
      auto const molecule =
          rows.emplace(record.smiles + '\n' + record.mol_block, static_cast<int>(row)).first;
      pairs.add(molecule->second, record.extras.at(0));
    }
    return std::vector{
        engine.predict_interactions(table, pairs.take(), m2u::all_ids(table.size()), threads)};
  };
  write_molecule_rows(job, engine.configuration(), threads);
}

/// @throws m2u::Error naming an option that models of this form have no use for.
void expect_fitting_options(CLI::App const& command, std::string const& form) {
  auto const refuse = [&](std::vector<char const*> const& options, char const* of) {
    for (auto const* const option : options) {
      m2u::expects(command.count(option) == 0, option, " is for models of ", of);
    }
  };
  if (form != "pairs") {
    refuse({"--molecules", "--first", "--second", "--all-classes"}, "--task ddi");
  }
  if (form != "interaction") {
    refuse({"--protein"}, "--task dti");
  }
}

void run_predict(PredictArguments const& arguments, CLI::App const& command, int threads) {
  expect_row_format(arguments.out);
  auto const engine = Engine::load(arguments.model);
  auto const& configuration = engine.configuration();
  m2u::expects(configuration.predicts(), arguments.model,
               " predicts nothing: finetune makes models that do");
  expect_fitting_options(command, configuration.form);
  if (configuration.form == "pairs") {
    m2u::expects(!arguments.pairs.molecules.empty(), arguments.model,
                 " predicts what holds between molecules: --molecules names their table");
    predict_pairs(arguments, engine, threads);
    return;
  }
  MoleculeRows job = arguments;
  auto const& labels = configuration.prediction.labels;
  job.parts.push_back({"prediction", static_cast<int>(labels.size()), labels});
  if (configuration.form == "interaction") {
    predict_interactions(std::move(job), arguments.pairs.protein, engine, threads);
  } else {
    predict_labels(std::move(job), engine, threads);
  }
}

void add_pair_options(CLI::App& command, PredictArguments& a) {
  command.add_option("--molecules", a.pairs.molecules,
                     "Table of the pairs' molecules (models of --task ddi)");
  command.add_option("--first", a.pairs.first, "Column of the pairs: one molecule's id (ddi)")
      ->capture_default_str();
  command.add_option("--second", a.pairs.second, "Column of the pairs: the other's (ddi)")
      ->capture_default_str();
  command.add_flag("--all-classes", a.all_classes,
                   "The chances of all classes, not of the likeliest alone (ddi)");
  command.add_option("--protein", a.pairs.protein, "Column of proteins' letters (--task dti)")
      ->capture_default_str();
}

}  // namespace

void add_predict(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "predict", "Predict what a model was fine-tuned on: one row per record, in order");
  auto const arguments = std::make_shared<PredictArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of finetune")
      ->required()
      ->check(not_empty());
  command
      ->add_option("--in", a.in,
                   "Molecules: .smi, .csv, .tsv or .sdf, also gzipped; for models of pairs a table "
                   "of them")
      ->required()
      ->check(not_empty());
  command
      ->add_option("--out", a.out,
                   "Predictions: .csv, .npy or .safetensors; chances of the label 1, or classes")
      ->required()
      ->check(not_empty());
  command->add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->capture_default_str();
  command->add_option("--id", a.columns.id, "Name of the molecules' id column")
      ->capture_default_str();
  add_pair_options(*command, a);
  command->add_option("--rejects", a.rejects,
                      "Where unusable records are listed (default: OUT.rejects.tsv)");
  add_common(*command, common);
  command->callback([arguments, command, &common, &body] {
    body = [arguments, command, &common] { run_predict(*arguments, *command, common.threads); };
  });
}

}  // namespace m2umol
