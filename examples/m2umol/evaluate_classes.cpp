// SPDX-License-Identifier: Apache-2.0
// m2umol evaluate for classes of pairs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_map>

#include "m2u/core/file.hpp"

#include "m2umol/evaluate.hpp"
#include "m2umol/pair_table.hpp"
#include "m2umol/scores.hpp"

namespace m2umol {

namespace {

/// What was predicted, by line.
struct ClassSheet {
  struct Row {
    std::vector<std::string> pair;  ///< cells of the columns `names`
    std::string best;
    std::vector<float> chances;  ///< of `classes`
    bool usable = true;
  };
  std::vector<std::string> names;    ///< columns that tell the pair
  std::vector<std::string> classes;  ///< those whose chances are there: all or none
  std::unordered_map<std::int64_t, Row> rows;
};

/// Positions of the columns of a sheet.
struct ClassColumns {
  std::vector<int> pair;
  std::vector<int> chances;
};

ClassColumns find_columns(m2u::DelimitedReader const& reader, ClassSheet& sheet) {
  ClassColumns columns;
  auto const prefix = ClassTable::column_of("");
  for (auto const& name : reader.header()) {
    if (name.starts_with(prefix)) {
      columns.chances.push_back(reader.column(name));
      sheet.classes.push_back(name.substr(prefix.size()));
    } else if (name != "line" && name != "class" && name != "chance") {
      columns.pair.push_back(reader.column(name));
      sheet.names.push_back(name);
    }
  }
  return columns;
}

ClassSheet read_classes(std::string const& path) {
  m2u::DelimitedReader reader(path);
  ClassSheet sheet;
  auto const columns = find_columns(reader, sheet);
  int const line = reader.column("line");
  int const best = reader.column("class");
  int const chance = reader.column("chance");
  m2u::DelimitedRow row;
  while (reader.next(row)) {
    ClassSheet::Row entry{{}, cell(row, best), {}, !std::isnan(cell_number(reader, row, chance))};
    for (int const column : columns.pair) {
      entry.pair.push_back(cell(row, column));
    }
    for (int const column : columns.chances) {
      entry.chances.push_back(static_cast<float>(cell_number(reader, row, column)));
      m2u::expects(!entry.usable || !std::isnan(entry.chances.back()), path, ", line ", row.line,
                   ": a chance is missing");
    }
    auto const number = cell_line(reader, row, line);
    m2u::expects(sheet.rows.emplace(number, std::move(entry)).second, path, ", line ", row.line,
                 ": there are predictions for line ", number, " already");
  }
  return sheet;
}

/// Predictions with the classes that are true.
struct ComparedClasses {
  std::vector<ClassSheet::Row const*> rows;
  std::vector<std::string> truth;
  int missing = 0;
};

/// @throws m2u::Error if the table is not the one that was predicted.
ComparedClasses compare(ClassSheet const& sheet, EvaluateArguments const& arguments) {
  m2u::DelimitedReader reader(arguments.data);
  int const type = reader.column(arguments.type);
  ComparedClasses result;
  std::size_t matched = 0;
  m2u::DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    auto const found = sheet.rows.find(static_cast<std::int64_t>(row.line));
    matched += found == sheet.rows.end() ? 0U : 1U;
    if (!problem.empty() || found == sheet.rows.end() || !found->second.usable ||
        cell(row, type).empty()) {
      ++result.missing;
      continue;
    }
    for (std::size_t i = 0; i < sheet.names.size(); ++i) {
      auto const& name = sheet.names[i];
      m2u::expects(
          !reader.has_column(name) || cell(row, reader.column(name)) == found->second.pair[i],
          arguments.data, ", line ", row.line, ": \"", name, "\" is \"",
          reader.has_column(name) ? cell(row, reader.column(name)) : std::string(),
          "\", but the prediction of this line is of \"", found->second.pair[i],
          "\": evaluate takes the table that was predicted");
    }
    result.rows.push_back(&found->second);
    result.truth.push_back(cell(row, type));
  }
  m2u::expects(matched == sheet.rows.size(), arguments.predictions, " has ",
               sheet.rows.size() - matched, " predictions for lines that ", arguments.data,
               " lacks: evaluate takes the table that was predicted");
  m2u::expects(!result.rows.empty(), "no line of ", arguments.data, " has a prediction in ",
               arguments.predictions);
  return result;
}

/// Measures of the chances, or of the likeliest classes alone where there are no chances.
std::map<std::string, double> measures_of(ClassSheet const& sheet,
                                          ComparedClasses const& compared) {
  bool const whole = !sheet.classes.empty();
  std::unordered_map<std::string, int> numbers;
  auto const number = [&](std::string const& name) {
    return numbers.emplace(name, static_cast<int>(numbers.size())).first->second;
  };
  for (auto const& name : sheet.classes) {
    number(name);
  }
  std::vector<int> truth;
  std::vector<int> guesses;
  for (std::size_t i = 0; i < compared.rows.size(); ++i) {
    truth.push_back(number(compared.truth[i]));
    guesses.push_back(whole ? 0 : number(compared.rows[i]->best));
  }
  // A class that the model does not know has no chance.
  auto const width = numbers.size();
  std::vector<float> scores(width * truth.size(), 0.0F);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    auto const& chances = compared.rows[i]->chances;
    auto const first = scores.begin() + static_cast<std::ptrdiff_t>(i * width);
    std::copy(chances.begin(), chances.end(), first);
    if (!whole) {
      *(first + guesses[i]) = 1.0F;
    }
  }
  auto measures = class_measures(m2u::class_metrics(scores, truth, static_cast<int>(width)));
  if (!whole) {
    measures.erase("roc_auc");
    measures.erase("pr_auc");
  }
  return measures;
}

}  // namespace

void evaluate_classes(EvaluateArguments const& arguments) {
  auto const sheet = read_classes(arguments.predictions);
  auto const compared = compare(sheet, arguments);
  auto const measures = measures_of(sheet, compared);
  std::printf("%zu lines with predictions, %d without\n", compared.rows.size(), compared.missing);
  for (auto const& [measure, value] : measures) {
    std::printf("%-16s  %.4f\n", measure.c_str(), value);
  }
  if (sheet.classes.empty()) {
    std::printf("ROC-AUC and PR-AUC need predict --all-classes\n");
  }
  if (!arguments.out.empty()) {
    nlohmann::json const json{
        {"rows", compared.rows.size()}, {"missing", compared.missing}, {"measures", measures}};
    m2u::write_file(arguments.out, json.dump(1) + "\n");
  }
}

}  // namespace m2umol
