// SPDX-License-Identifier: Apache-2.0
// m2umol report: one page about a molecule, its neighbours and the model.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>

#include "m2u/core/file.hpp"
#include "m2u/core/version.hpp"
#include "m2u/data/delimited.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/train/metrics.hpp"

#include "m2umol/library.hpp"
#include "m2umol/molecule_view.hpp"
#include "m2umol/program.hpp"
#include "m2umol/query.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

struct ReportArguments {
  std::string model;
  std::string library;
  std::vector<std::string> queries;
  std::vector<std::string> ids;
  std::string task;
  std::string log;
  std::string out;
  int top = 5;
};

/// A file beside the model, or in the folder of the run that finetune copied it from.
std::string beside(Engine const& engine, fs::path const& model, char const* name) {
  auto const folder = model.parent_path();
  std::vector<fs::path> places{folder / name};
  auto const& training = engine.training();
  if (training.contains("seed") && training["seed"].is_number_integer()) {
    auto const run = "seed-" + std::to_string(training["seed"].get<int>());
    places.push_back(folder / run / name);
    places.push_back(folder / (run + "-fold-" + std::to_string(training.value("fold", 0))) / name);
  }
  for (auto const& place : places) {
    if (fs::exists(place)) {
      return place.string();
    }
  }
  return {};
}

/// Test predictions of one label, with what is true.
struct TestColumn {
  std::vector<float> predictions;
  std::vector<int> labels;
};

/// Reads the rows of the part "test" of the predictions that finetune wrote.
TestColumn test_column(std::string const& path, std::string const& label) {
  m2u::DelimitedReader reader(path);
  int const part = reader.column("part");
  int const predicted = reader.column(label);
  int const truth = reader.column(label + " (true)");
  TestColumn column;
  m2u::DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    m2u::expects(problem.empty(), path, ", line ", row.line, ": ", problem);
    auto const cell = [&](int at) { return row.fields.at(static_cast<std::size_t>(at)); };
    if (cell(part) == "test" && !cell(truth).empty()) {
      column.predictions.push_back(std::strtof(cell(predicted).c_str(), nullptr));
      column.labels.push_back(std::strtof(cell(truth).c_str(), nullptr) > 0.5F ? 1 : 0);
    }
  }
  return column;
}

/// The receiver operating characteristic; empty if there are not both classes.
m2u::LineSeries roc_curve(std::string const& name, TestColumn const& column) {
  std::vector<std::size_t> order(column.labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return column.predictions[a] > column.predictions[b];
  });
  double const positives =
      static_cast<double>(std::count(column.labels.begin(), column.labels.end(), 1));
  double const negatives = static_cast<double>(column.labels.size()) - positives;
  m2u::LineSeries curve{name, {0.0}, {0.0}};
  if (positives == 0.0 || negatives == 0.0) {
    return {name, {}, {}};
  }
  double hits = 0.0;
  double alarms = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (column.labels[order[i]] == 1 ? hits : alarms) += 1.0;
    bool const last = i + 1 == order.size();
    if (last || column.predictions[order[i + 1]] != column.predictions[order[i]]) {
      curve.x.push_back(alarms / negatives);
      curve.y.push_back(hits / positives);
    }
  }
  return curve;
}

/// What a fine-tuned model reached on its test part.
void add_test(m2u::HtmlPage& page, Engine const& engine, std::string const& predictions) {
  auto const& training = engine.training();
  page.section("Test");
  if (training.contains("test") && training["test"].is_object()) {
    m2u::HtmlTable table{"Measures on the test part", {"Label"}, {}, {}, {}, false};
    auto const labels = training["test"].value("labels", nlohmann::json::array());
    std::vector<std::string> measures;
    auto const means = training["test"].value("mean", nlohmann::json::object());
    for (auto const& [name, value] : means.items()) {
      measures.push_back(name);
      table.numeric.push_back(table.header.size());
      table.header.push_back(name);
    }
    for (auto const& label : labels) {
      std::vector<std::string> cells{label.value("label", std::string())};
      for (auto const& measure : measures) {
        cells.push_back(label.contains(measure) ? m2u::number_text(label[measure].get<double>(), 3)
                                                : "–");
      }
      table.rows.push_back(std::move(cells));
    }
    page.table(table);
  }
  if (predictions.empty() || engine.configuration().prediction.task != "classification") {
    return;
  }
  m2u::LineChart chart;
  chart.title = "ROC curves of the test part";
  chart.x_label = "false positives";
  chart.y_label = "true positives";
  chart.y_low = 0;
  chart.y_high = 1;
  constexpr std::size_t most = 6;  // colours that can be told apart
  int left_out = 0;
  for (auto const& label : engine.configuration().prediction.labels) {
    auto const column = test_column(predictions, label);
    auto const area = m2u::roc_auc(column.predictions, column.labels);
    left_out += area && chart.series.size() == most ? 1 : 0;
    if (area && chart.series.size() < most) {
      chart.series.push_back(roc_curve(label + " (" + m2u::number_text(*area, 3) + ")", column));
    }
  }
  if (left_out > 0) {
    page.paragraph(std::to_string(left_out) + " more labels are in the table alone.");
  }
  if (!chart.series.empty()) {
    page.figure(m2u::line_chart_svg(chart),
                "Share of positives found against share of negatives mistaken for them, over all "
                "thresholds; in brackets the area below the curve. A guess is on the diagonal.");
  }
}

void run_report(ReportArguments const& a, Common const& common) {
  m2u::expects(!a.queries.empty() || !a.ids.empty(),
               "--query or --query-id names the molecules that the page is about");
  expect_writable(a.out);
  auto const engine = Engine::load(a.model);
  auto const table = m2u::open_shards(a.library);
  auto const spaces = comparable_spaces(engine, table, a.library, a.model);
  for (auto const& smiles : a.queries) {
    table_of_molecule(smiles, engine.configuration());  // before the library is read
  }
  std::cerr << "report: vectors of " << table.size() << " molecules\n";
  ViewLibrary const library{table,
                            index_in_memory(engine, table, spaces, common.threads, a.library)};
  m2u::HtmlPage page("m2umol report");
  page.lead("Model " + a.model + ", library " + a.library + " of " + std::to_string(table.size()) +
            " molecules; version " + std::string(m2u::version) + " (" + git_revision() + ")");
  page.section("Molecules");
  for (auto const& id : a.ids) {
    int const row = row_of_id(table, a.library, id);
    detail::add_view(page, view_molecule(engine, library, std::string(table.text("smiles", row)),
                                         row, a.task, a.top));
  }
  for (auto const& smiles : a.queries) {
    detail::add_view(page, view_molecule(engine, library, smiles, std::nullopt, a.task, a.top));
  }
  RunReport run;
  auto const log = a.log.empty() ? beside(engine, a.model, "log.jsonl") : a.log;
  if (!log.empty()) {
    run.log = read_training_log(log);
    detail::add_training(page, run);
  }
  if (engine.configuration().form == "property") {
    add_test(page, engine, beside(engine, a.model, "predictions.csv"));
  }
  run.program_version = std::string(m2u::version) + " (" + git_revision() + ")";
  run.configuration = engine.configuration();
  for (auto& vocabulary : run.configuration["bio"]) {
    vocabulary.erase("terms");  // hundreds of them
  }
  detail::add_configuration(page, run);
  m2u::write_file(a.out, page.str());
  std::cout << "wrote " << a.out << '\n';
}

}  // namespace

void add_report(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "report", "One page about molecules: what matters in them, and what is near to them");
  auto const arguments = std::make_shared<ReportArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--library", a.library, "Folder that prepare wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--query", a.queries, "SMILES of a molecule (repeatable)");
  command->add_option("--query-id", a.ids, "Id of a molecule of the library (repeatable)");
  command->add_option("--task", a.task, "Explain this label of a fine-tuned model");
  command->add_option("--log", a.log, "Training log (default: log.jsonl beside the model)");
  command->add_option("--top", a.top, "Neighbours in each group")
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  command->add_option("--out", a.out, "The page, an .html file")->required()->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_report(*arguments, common); };
  });
}

}  // namespace m2umol
