// SPDX-License-Identifier: Apache-2.0
// m2umol evaluate: how right the predictions of a fine-tuned model are.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <unordered_map>

#include "m2u/core/file.hpp"

#include "m2umol/evaluate.hpp"
#include "m2umol/program.hpp"
#include "m2umol/scores.hpp"

namespace m2umol {

namespace {

/// Numbers of the labels by line.
struct Sheet {
  struct Row {
    std::string id;
    std::vector<double> values;
  };
  std::vector<std::string> labels;
  bool has_ids = false;
  std::unordered_map<std::int64_t, Row> rows;
};

/// Labels that are named or, if none are, all columns of predictions but line and id.
Sheet read_predictions(EvaluateArguments const& arguments) {
  m2u::DelimitedReader reader(arguments.predictions);
  Sheet sheet{arguments.labels, reader.has_column("id"), {}};
  if (sheet.labels.empty()) {
    m2u::expects(!reader.has_column("class") || !reader.has_column("chance"), arguments.predictions,
                 " holds classes of pairs: --task ddi compares them");
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
    auto const line = cell_line(reader, row, line_column);
    auto& entry = sheet.rows[line];
    m2u::expects(entry.values.empty(), arguments.predictions, ", line ", row.line,
                 ": there are predictions for line ", line, " already");
    entry.id = sheet.has_ids ? cell(row, reader.column("id")) : std::string();
    for (auto const& label : sheet.labels) {
      entry.values.push_back(cell_number(reader, row, reader.column(label)));
    }
  }
  return sheet;
}

/// Predictions with what is true of the same lines.
struct Compared {
  m2u::HostRows predictions;
  std::vector<LabelTask> tasks;
  std::vector<int> rows;
  int missing = 0;
};

/// @throws m2u::Error if the table is not the one that was predicted, or a label is no label.
Compared compare(Sheet const& sheet, EvaluateArguments const& arguments, bool regression) {
  m2u::DelimitedReader reader(arguments.data);
  Compared result;
  auto& tasks = result.tasks;
  for (auto const& label : sheet.labels) {
    reader.column(label);
    tasks.push_back({label, {}});
  }
  auto& predictions = result.predictions;
  predictions.cols = static_cast<int>(tasks.size());
  std::size_t matched = 0;
  int const id_column = sheet.has_ids && reader.has_column("id") ? reader.column("id") : -1;
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
      ++result.missing;
      continue;
    }
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      auto const label = cell_number(reader, row, reader.column(tasks[t].name));
      m2u::expects(regression || std::isnan(label) || label == 0.0 || label == 1.0, arguments.data,
                   ", line ", row.line, ": \"", tasks[t].name, "\" is ", label,
                   "; labels are 0 or 1 (numbers: --task regression)");
      tasks[t].labels.push_back(label);
    }
    result.rows.push_back(predictions.rows);
    predictions.append(1, predictions.cols,
                       {found->second.values.begin(), found->second.values.end()});
  }
  m2u::expects(matched == 0 || matched == sheet.rows.size(), arguments.predictions, " has ",
               sheet.rows.size() - matched, " predictions for lines that ", arguments.data,
               " lacks: evaluate takes the table that was predicted");
  m2u::expects(!result.rows.empty(), "no line of ", arguments.data, " has a prediction in ",
               arguments.predictions);
  return result;
}

void evaluate_labels(EvaluateArguments const& arguments) {
  bool const regression = arguments.task == "regression";
  auto const sheet = read_predictions(arguments);
  auto const compared = compare(sheet, arguments, regression);
  auto const scores = score(compared.predictions, compared.tasks, compared.rows, regression);
  std::printf("%zu lines with predictions, %d without\n", compared.rows.size(), compared.missing);
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

std::string cell(m2u::DelimitedRow const& row, int column) {
  auto const at = static_cast<std::size_t>(column);
  return at < row.fields.size() ? row.fields[at] : std::string();
}

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

std::int64_t cell_line(m2u::DelimitedReader const& reader, m2u::DelimitedRow const& row,
                       int column) {
  auto const number = cell_number(reader, row, column);
  m2u::expects(!std::isnan(number), reader.path().string(), ", line ", row.line,
               ": the column \"line\" is empty");
  return static_cast<std::int64_t>(number);
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
  command->add_option("--task", a.task, "What the labels are; ddi: classes of pairs")
      ->check(CLI::IsMember({"classification", "regression", "ddi"}))
      ->capture_default_str();
  command->add_option("--type", a.type, "Column of the classes (--task ddi)")
      ->capture_default_str();
  command->add_option("--out", a.out, "Where all measures are written as JSON");
  add_common(*command, common);
  command->callback([arguments, command, &body] {
    bool const classes = arguments->task == "ddi";
    if (classes && command->count("--labels") > 0) {
      throw CLI::ValidationError("--labels", "--task ddi has --type");
    }
    if (!classes && command->count("--type") > 0) {
      throw CLI::ValidationError("--type", "only --task ddi uses it");
    }
    body = [arguments, classes] {
      classes ? evaluate_classes(*arguments) : evaluate_labels(*arguments);
    };
  });
}

}  // namespace m2umol
