// SPDX-License-Identifier: Apache-2.0
#include "m2umol/probe_result.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace m2umol {

namespace {

std::string cells(SplitSummary const& summary, bool sign) {
  char text[64] = "       -         ";
  if (summary.mean && summary.error) {
    std::snprintf(text, sizeof text, sign ? "  %+.4f ± %.4f" : "   %.4f ± %.4f", *summary.mean,
                  *summary.error);
  } else if (summary.mean) {
    std::snprintf(text, sizeof text, sign ? "  %+.4f         " : "   %.4f         ", *summary.mean);
  }
  return text;
}

nlohmann::json json_of(std::optional<double> const& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json json_of(std::vector<std::optional<double>> const& values) {
  auto const summary = summary_of(values);
  nlohmann::json list = nlohmann::json::array();
  for (auto const& value : values) {
    list.push_back(json_of(value));
  }
  return {{"mean", json_of(summary.mean)},
          {"standard_error", json_of(summary.error)},
          {"splits", summary.splits},
          {"each", std::move(list)}};
}

/// A method's regressions: [run][split][task].
nlohmann::json json_of(std::vector<std::vector<std::vector<TaskScore>>> const& runs, bool unseen) {
  auto result = nlohmann::json::array();
  for (auto const& run : runs) {
    auto splits = nlohmann::json::array();
    for (auto const& split : run) {
      auto tasks = nlohmann::json::array();
      for (auto const& task : split) {
        tasks.push_back({{"all", json_of(task.all)}, {"c", task.c}});
        if (unseen) {
          tasks.back()["unseen"] = json_of(task.unseen);
        }
      }
      splits.push_back(std::move(tasks));
    }
    result.push_back(std::move(splits));
  }
  return result;
}

nlohmann::json json_of(ProbeInput const& input, std::vector<m2u::ScaffoldSplit> const& splits,
                       std::uint64_t seed) {
  auto const& data = input.data;
  nlohmann::json result{{"molecules", input.molecules.size()},
                        {"records", input.molecules.records},
                        {"metric", data.regression ? "RMSE" : "ROC-AUC"},
                        {"labels", nlohmann::json::array()},
                        {"c", data.grid},
                        {"rejected", nlohmann::json::array()},
                        {"splits", nlohmann::json::array()}};
  for (auto const& task : data.tasks) {
    result["labels"].push_back(task.name);
  }
  for (auto const& reject : input.molecules.rejects) {
    result["rejected"].push_back(
        {{"line", reject.line}, {"input", reject.input}, {"reason", reject.reason}});
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    nlohmann::json split{{"seed", seed + s},
                         {"train", splits[s].train.size()},
                         {"validation", splits[s].validation.size()},
                         {"test", splits[s].test.size()}};
    if (!data.seen.empty()) {
      split["test_unseen"] =
          std::count_if(splits[s].test.begin(), splits[s].test.end(),
                        [&](int row) { return !data.seen[static_cast<std::size_t>(row)]; });
    }
    result["splits"].push_back(std::move(split));
  }
  return result;
}

}  // namespace

std::string morgan_name() { return "Morgan " + std::to_string(morgan_bits); }

std::vector<ProbeRow> probe_rows(std::vector<ProbeMethod> const& methods,
                                 ProbeScores const& scores) {
  std::vector<ProbeRow> rows;
  for (std::size_t m = 0; m < methods.size(); ++m) {
    rows.push_back({methods[m].name, methods[m].vectors, false,
                    split_means(scores[m], &TaskScore::all),
                    split_means(scores[m], &TaskScore::unseen)});
  }
  std::string const morgan = morgan_name();
  for (std::string const& other : {std::string(random_init), morgan}) {
    for (std::size_t a = 0; a < 2; ++a) {  // the two of the pre-trained model
      for (std::size_t b = 2; b < methods.size(); ++b) {
        if (rows[b].method == other && (other == morgan || rows[b].vectors == rows[a].vectors)) {
          rows.push_back({std::string(pretrained) + " - " + other, rows[a].vectors, true,
                          paired_difference(rows[a].all, rows[b].all),
                          paired_difference(rows[a].unseen, rows[b].unseen)});
        }
      }
    }
  }
  return rows;
}

void describe_study(ProbeInput const& input, ProbeArguments const& arguments) {
  auto const& data = input.data;
  std::cout << "linear probe of " << arguments.model << " on " << arguments.table << ": "
            << input.molecules.size() << " molecules, " << data.tasks.size()
            << (data.tasks.size() == 1 ? " label, " : " labels, ") << arguments.splits
            << " random scaffold splits; vectors "
            << (arguments.raw ? "as they are" : "standardised") << ", C ";
  if (arguments.c) {
    std::cout << *arguments.c;
  } else {
    std::cout << "chosen by the validation part";
  }
  std::cout << "; " << (data.regression ? "RMSE" : "ROC-AUC")
            << ", mean ± standard error over splits\n";
  if (data.seen.empty()) {
    std::cout << "molecules unseen in pre-training are not told apart: --seen names the data that "
                 "the model was trained on\n";
  } else {
    auto const seen = std::count(data.seen.begin(), data.seen.end(), true);
    std::cout << seen << " of the molecules were in pre-training (" << arguments.seen << ")\n";
  }
}

void print_rows(std::vector<ProbeRow> const& rows, bool unseen) {
  std::printf("%-36s%-18s  all test molecules%s\n", "method", "vectors",
              unseen ? "  not in pre-training" : "");
  for (auto const& row : rows) {
    std::printf("%-36s%-18s%s%s\n", row.method.c_str(), row.vectors.c_str(),
                cells(summary_of(row.all), row.difference).c_str(),
                unseen ? ("   " + cells(summary_of(row.unseen), row.difference)).c_str() : "");
  }
}

int skipped(ProbeScores const& scores, std::optional<double> TaskScore::* which) {
  int count = 0;  // the labels decide it, so the first run stands for all
  for (auto const& split : scores.front().front()) {
    for (auto const& task : split) {
      count += (task.*which).has_value() ? 0 : 1;
    }
  }
  return count;
}

nlohmann::json probe_json(ProbeInput const& input, ProbeArguments const& arguments,
                          std::vector<m2u::ScaffoldSplit> const& splits, std::uint64_t seed,
                          std::vector<ProbeRow> const& rows, ProbeScores const& scores) {
  auto const& seen = input.data.seen;
  bool const unseen = !seen.empty();
  auto json = json_of(input, splits, seed);
  json["model"] = arguments.model;
  json["table"] = arguments.table;
  json["standardised"] = !arguments.raw;
  json["seen"] = unseen ? nlohmann::json{{"data", arguments.seen},
                                         {"molecules", std::count(seen.begin(), seen.end(), true)}}
                        : nlohmann::json();
  json["skipped"] = {{"all", skipped(scores, &TaskScore::all)},
                     {"unseen", unseen ? skipped(scores, &TaskScore::unseen) : 0}};
  json["rows"] = nlohmann::json::array();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    nlohmann::json row{{"method", rows[r].method},
                       {"vectors", rows[r].vectors},
                       {"difference", rows[r].difference},
                       {"all", json_of(rows[r].all)}};
    if (unseen) {
      row["unseen"] = json_of(rows[r].unseen);
    }
    if (r < scores.size()) {
      row["regressions"] = json_of(scores[r], unseen);  // [run][split][label]
    }
    json["rows"].push_back(std::move(row));
  }
  return json;
}

}  // namespace m2umol
