// SPDX-License-Identifier: Apache-2.0
// m2umol predict and evaluate: what a fine-tuned model says of molecules, and how right that is.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <unordered_map>

#include "m2u/core/file.hpp"
#include "m2u/data/delimited.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/molecule_rows.hpp"
#include "m2umol/program.hpp"
#include "m2umol/scores.hpp"

namespace m2umol {

namespace {

struct PredictArguments : MoleculeRows {
  std::string model;
};

void run_predict(PredictArguments const& arguments, Common const& common) {
  auto const end = std::filesystem::path(arguments.out).extension();
  m2u::expects(end == ".csv" || end == ".npy" || end == ".safetensors", "--out ", arguments.out,
               ": the ending must be .csv, .npy or .safetensors");
  auto const engine = Engine::load(arguments.model);
  auto const& configuration = engine.configuration();
  m2u::expects(configuration.form == "property", arguments.model,
               configuration.predicts()
                   ? " predicts what holds between pairs, not labels of molecules"
                   : " predicts nothing: finetune makes models that do");
  MoleculeRows job = arguments;
  auto const& labels = configuration.prediction.labels;
  job.parts.push_back({"prediction", static_cast<int>(labels.size()), labels});
  job.compute = [&](m2u::Table const& table) {
    return std::vector{engine.predict(table, m2u::all_ids(table.size()), common.threads)};
  };
  write_molecule_rows(job, configuration, common.threads);
}

struct EvaluateArguments {
  std::string predictions;
  std::string data;
  std::vector<std::string> labels;
  std::string task = "classification";
  std::string out;
};

/// The cell of a column; empty for a row that is too short.
std::string cell(m2u::DelimitedRow const& row, int column) {
  auto const at = static_cast<std::size_t>(column);
  return at < row.fields.size() ? row.fields[at] : std::string();
}

/// A number, NaN for an empty cell or "nan". @throws m2u::Error naming file, line and column.
double cell_number(m2u::DelimitedReader const& reader, m2u::DelimitedRow const& row, int column) {
  std::string const text = cell(row, column);
  if (text.empty() || text == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double value = 0.0;
  auto const parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  m2u::expects(
      parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && std::isfinite(value),
      reader.path().string(), ", line ", row.line, ": \"",
      reader.header()[static_cast<std::size_t>(column)], "\" is \"", text.substr(0, 40),
      "\", not a number");
  return value;
}

/// Numbers of the labels by line.
struct Sheet {
  struct Row {
    std::string id;
    std::vector<double> values;
  };
  std::vector<std::string> labels;
  std::unordered_map<std::int64_t, Row> rows;
};

/// Labels that are named or, if none are, all columns of predictions but line and id.
Sheet read_predictions(EvaluateArguments const& arguments) {
  m2u::DelimitedReader reader(arguments.predictions);
  Sheet sheet{arguments.labels, {}};
  if (sheet.labels.empty()) {
    for (auto const& name : reader.header()) {
      if (name != "line" && name != "id") {
        sheet.labels.push_back(name);
      }
    }
  }
  m2u::expects(!sheet.labels.empty(), arguments.predictions, " holds no predictions");
  int const line_column = reader.column("line");
  m2u::DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    m2u::expects(problem.empty(), arguments.predictions, ", line ", row.line, ": ", problem);
    auto const number = cell_number(reader, row, line_column);
    m2u::expects(!std::isnan(number), arguments.predictions, ", line ", row.line,
                 ": the column \"line\" is empty");
    auto const line = static_cast<std::int64_t>(number);
    auto& entry = sheet.rows[line];
    m2u::expects(entry.values.empty(), arguments.predictions, ", line ", row.line,
                 ": there are predictions for line ", line, " already");
    entry.id = reader.has_column("id") ? cell(row, reader.column("id")) : std::string();
    for (auto const& label : sheet.labels) {
      entry.values.push_back(cell_number(reader, row, reader.column(label)));
    }
  }
  return sheet;
}

void run_evaluate(EvaluateArguments const& arguments, Common const& /*common*/) {
  bool const regression = arguments.task == "regression";
  auto const sheet = read_predictions(arguments);
  m2u::DelimitedReader reader(arguments.data);
  std::vector<LabelTask> tasks;
  for (auto const& label : sheet.labels) {
    reader.column(label);
    tasks.push_back({label, {}});
  }
  m2u::HostRows predictions{0, static_cast<int>(tasks.size()), {}};
  std::vector<int> rows;
  int missing = 0;
  std::size_t matched = 0;
  int const id_column = reader.has_column("id") ? reader.column("id") : -1;
  m2u::DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    auto const found = sheet.rows.find(static_cast<std::int64_t>(row.line));
    if (found != sheet.rows.end()) {
      ++matched;
      m2u::expects(
          id_column < 0 || cell(row, id_column).empty() || cell(row, id_column) == found->second.id,
          arguments.data, ", line ", row.line, " has the id \"", cell(row, id_column),
          "\", but the prediction of this line is of \"", found->second.id,
          "\": evaluate takes the table that was predicted");
    }
    if (!problem.empty() || found == sheet.rows.end() || std::isnan(found->second.values.front())) {
      ++missing;
      continue;
    }
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      auto const label = cell_number(reader, row, reader.column(tasks[t].name));
      m2u::expects(regression || std::isnan(label) || label == 0.0 || label == 1.0, arguments.data,
                   ", line ", row.line, ": \"", tasks[t].name, "\" is ", label,
                   "; labels are 0 or 1 (numbers: --task regression)");
      tasks[t].labels.push_back(label);
    }
    rows.push_back(predictions.rows);
    predictions.append(1, predictions.cols,
                       {found->second.values.begin(), found->second.values.end()});
  }
  m2u::expects(matched == 0 || matched == sheet.rows.size(), arguments.predictions, " has ",
               sheet.rows.size() - matched, " predictions for lines that ", arguments.data,
               " lacks: evaluate takes the table that was predicted");
  m2u::expects(!rows.empty(), "no line of ", arguments.data, " has a prediction in ",
               arguments.predictions);
  auto const scores = score(predictions, tasks, rows, regression);
  std::printf("%zu lines with predictions, %d without\n", rows.size(), missing);
  for (auto const& [measure, value] : scores.mean) {
    std::printf("%-12s  %.4f\n", measure.c_str(), value);
  }
  for (auto const& each : scores.each) {
    if (each.values.empty()) {
      std::printf("left out: \"%s\" (%s)\n", each.label.c_str(),
                  each.labelled == 0 ? "no labels" : "one class");
    }
  }
  if (!arguments.out.empty()) {
    m2u::write_file(arguments.out, to_json(scores).dump(1) + "\n");
  }
}

}  // namespace

void add_predict(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "predict", "Predict the labels that a model was fine-tuned on: one row per record, in order");
  auto const arguments = std::make_shared<PredictArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of finetune")
      ->required()
      ->check(not_empty());
  command->add_option("--in", a.in, "Molecules: .smi, .csv, .tsv or .sdf, also gzipped")
      ->required()
      ->check(not_empty());
  command
      ->add_option("--out", a.out,
                   "Predictions: .csv, .npy or .safetensors; chances of the label 1")
      ->required()
      ->check(not_empty());
  command->add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->capture_default_str();
  command->add_option("--id", a.columns.id, "Name of the id column")->capture_default_str();
  command->add_option("--rejects", a.rejects,
                      "Where unusable records are listed (default: OUT.rejects.tsv)");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_predict(*arguments, common); };
  });
}

void add_evaluate(CLI::App& program, Common& common, Body& body) {
  auto* const command =
      program.add_subcommand("evaluate", "Compare predictions of predict with labels");
  auto const arguments = std::make_shared<EvaluateArguments>();
  auto& a = *arguments;
  command->add_option("--predictions", a.predictions, "CSV that predict wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--data", a.data, "The table that was predicted, with its labels")
      ->required()
      ->check(not_empty());
  command->add_option("--labels", a.labels, "Names of the labels (default: all that are predicted)")
      ->delimiter(',');
  command->add_option("--task", a.task, "What the labels are")
      ->check(CLI::IsMember({"classification", "regression"}))
      ->capture_default_str();
  command->add_option("--out", a.out, "Where all measures are written as JSON");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_evaluate(*arguments, common); };
  });
}

}  // namespace m2umol
