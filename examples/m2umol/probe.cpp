// SPDX-License-Identifier: Apache-2.0
// m2umol probe: a linear model of frozen vectors on a table with labels.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "m2u/chem/fingerprint.hpp"
#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/probe_study.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

struct ProbeArguments {
  std::string model;
  std::string table;
  std::string smiles = "smiles";
  std::vector<std::string> labels;
  std::string seen;
  std::string out;
  int splits = 20;
  int random_inits = 3;
  bool regression = false;
};

/// What the table gave.
struct ProbeInput {
  ProbeData data;
  m2u::Table graphs;          ///< one row per molecule of the data
  ProbeVectors fingerprints;  ///< Morgan
  std::vector<m2u::Reject> rejects;
  std::size_t records = 0;
};

constexpr int morgan_bits = 2048;

/// Names of label columns: each argument is one, or several with commas between.
std::vector<std::string> label_columns(ProbeArguments const& arguments) {
  m2u::DelimitedReader const header(arguments.table);
  std::vector<std::string> columns;
  for (auto const& text : arguments.labels) {
    std::istringstream parts(text);
    if (header.has_column(text)) {
      columns.push_back(text);
    } else {
      for (std::string name; std::getline(parts, name, ',');) {
        header.column(name);  // an Error that lists the columns
        columns.push_back(name);
      }
    }
  }
  for (auto name = columns.begin(); name != columns.end(); ++name) {
    m2u::expects(std::find(columns.begin(), name, *name) == name, "--labels names \"", *name,
                 "\" twice");
    m2u::expects(*name != arguments.smiles, "--labels names the SMILES column \"", *name, '"');
  }
  m2u::expects(!columns.empty(), "--labels names no column");
  return columns;
}

/// A label as a number, NaN if it is missing. @throws m2u::Error saying what is wrong with it.
double label_of(std::string text, std::string const& column, bool regression) {
  std::erase(text, ' ');
  if (text.empty()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double value = 0.0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, value);
  bool const number = parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(value);
  m2u::expects(number && (regression || value == 0.0 || value == 1.0), "the label \"", column,
               "\" is \"", text.substr(0, 40), "\"; labels are ",
               regression ? "finite numbers" : "0 or 1 (numbers: --regression)", " or empty");
  return value;
}

/// A record's scaffold, fingerprint and labels, or why it can't be used.
struct ProbeRecord {
  std::string scaffold;
  std::vector<int> bits;
  std::vector<double> labels;
  std::string reject;
};

ProbeRecord describe(m2u::MoleculeRecord const& record, std::vector<std::string> const& columns,
                     bool regression) {
  ProbeRecord result;
  try {
    bool any = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      result.labels.push_back(label_of(record.extras.at(i), columns[i], regression));
      any = any || !std::isnan(result.labels.back());
    }
    m2u::expects(any, "it has no label");
    auto const parsed = m2u::parse_molecule(record);
    m2u::expects(static_cast<bool>(parsed), parsed.reason);
    result.scaffold = m2u::scaffold_smiles(*parsed.mol);
    result.bits = m2u::morgan_fingerprint(*parsed.mol, {.radius = 2, .bits = morgan_bits});
  } catch (std::exception const& error) {
    result.reject = error.what();
  }
  return result;
}

/// Keeps those records that featurise, with all that is known about them.
void fill_input(ProbeInput& input, std::vector<m2u::MoleculeRecord> const& usable,
                std::vector<ProbeRecord> const& described, Configuration const& configuration,
                int threads) {
  PrepareBar bar;
  auto prepared = m2u::prepare_molecules(usable, graph_only(configuration, threads), std::ref(bar));
  bar.done();
  for (auto const& reject : prepared.rejects.list()) {
    input.rejects.push_back(reject);
  }
  auto const lines = prepared.table.column<int>("line");
  auto& data = input.data;
  input.fingerprints = {morgan_bits, {}, false};
  // The table's rows are the records in their order, without those that could not be used.
  for (std::size_t i = 0; i < usable.size(); ++i) {
    int const row = static_cast<int>(data.smiles.size());
    if (row == prepared.table.size() || lines[row][0] != static_cast<int>(usable[i].line)) {
      continue;
    }
    data.smiles.emplace_back(prepared.table.text("smiles", row));
    data.scaffolds.push_back(described[i].scaffold);
    for (std::size_t task = 0; task < data.tasks.size(); ++task) {
      data.tasks[task].labels.push_back(described[i].labels[task]);
    }
    auto const first = input.fingerprints.values.size();
    input.fingerprints.values.resize(first + morgan_bits, 0.0F);
    for (int const bit : described[i].bits) {
      input.fingerprints.values[first + static_cast<std::size_t>(bit)] = 1.0F;
    }
  }
  input.graphs = std::move(prepared.table);
}

/// How many records were rejected, and why the first was.
std::string reject_note(ProbeInput const& input) {
  return input.rejects.empty()
             ? std::string()
             : "; " + std::to_string(input.rejects.size()) + " of " +
                   std::to_string(input.records) + " records were rejected, the first at line " +
                   std::to_string(input.rejects.front().line) + ": " + input.rejects.front().reason;
}

/// @throws m2u::Error if there is nothing to predict.
void check_labels(ProbeInput const& input, ProbeArguments const& arguments) {
  m2u::expects(!input.data.smiles.empty(), arguments.table,
               " holds no molecule with a label that can be used", reject_note(input));
  for (auto const& task : input.data.tasks) {
    bool const varied = std::any_of(task.labels.begin(), task.labels.end(), [&](double label) {
      return !std::isnan(label) && std::any_of(task.labels.begin(), task.labels.end(),
                                               [&](double other) { return other < label; });
    });
    m2u::expects(varied, "the column \"", task.name, "\" of ", arguments.table,
                 " holds no two different labels, so there is nothing to learn from it",
                 reject_note(input));
  }
}

ProbeInput read_input(ProbeArguments const& arguments, Configuration const& configuration,
                      int threads) {
  ProbeInput input;
  auto const columns = label_columns(arguments);
  m2u::MoleculeReaderOptions options;
  options.smiles = arguments.smiles;
  options.extras = columns;
  m2u::Rejects malformed;
  auto const records = m2u::read_molecules(arguments.table, malformed, options);
  input.rejects = malformed.list();
  input.records = records.size() + malformed.size();
  input.data.regression = arguments.regression;
  for (auto const& column : columns) {
    input.data.tasks.push_back({column, {}});
  }
  std::vector<ProbeRecord> described(records.size());
  oneapi::tbb::task_arena arena(threads);
  arena.execute([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, records.size(), [&](std::size_t i) {
      described[i] = describe(records[i], columns, arguments.regression);
    });
  });
  std::vector<m2u::MoleculeRecord> usable;
  std::vector<ProbeRecord> usable_described;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!described[i].reject.empty()) {
      input.rejects.push_back({records[i].line, m2u::input_of(records[i]), described[i].reject});
      continue;
    }
    m2u::MoleculeRecord plain;
    plain.line = records[i].line;
    plain.id = records[i].id;
    plain.smiles = records[i].smiles;
    plain.title_as_id = true;  // ids may repeat here: records are known by their line
    usable.push_back(std::move(plain));
    usable_described.push_back(std::move(described[i]));
  }
  fill_input(input, usable, usable_described, configuration, threads);
  std::sort(input.rejects.begin(), input.rejects.end(),
            [](auto const& a, auto const& b) { return a.line < b.line; });
  check_labels(input, arguments);
  return input;
}

void warn_of_rejects(ProbeInput const& input, std::string const& table) {
  constexpr std::size_t most = 20;
  if (input.rejects.empty()) {
    return;
  }
  std::cerr << "m2umol: warning: " << input.rejects.size() << " of " << input.records
            << " records of " << table << " can't be used:\n";
  for (std::size_t i = 0; i < std::min(most, input.rejects.size()); ++i) {
    auto const& reject = input.rejects[i];
    std::cerr << "  line " << reject.line << ": " << reject.input.substr(0, 60) << ": "
              << reject.reason << '\n';
  }
  if (input.rejects.size() > most) {
    std::cerr << "  and " << input.rejects.size() - most << " more (all are in --out)\n";
  }
}

/// Which molecules a model was trained on, by canonical SMILES.
std::vector<bool> seen_molecules(ProbeData const& data, fs::path const& folder) {
  auto const table = m2u::open_shards(folder);
  m2u::expects(table.has("smiles"), folder.string(), " has no column \"smiles\"");
  auto const held_out =
      table.has("held_out") ? table.column<char>("held_out") : m2u::Column<char>();
  std::unordered_set<std::string> trained;
  for (int row = 0; row < table.size(); ++row) {
    if (!table.has("held_out") || held_out[row].empty() || held_out[row][0] != 1) {
      trained.emplace(table.text("smiles", row));
    }
  }
  std::vector<bool> seen;
  for (auto const& smiles : data.smiles) {
    seen.push_back(trained.contains(smiles));
  }
  return seen;
}

/// Adds a model's pooled vectors to one method and pooled + generated ones to another.
void add_vectors(Engine const& engine, m2u::Table const& table, int threads, ProbeMethod& pooled,
                 ProbeMethod& with_generated) {
  auto const vectors = engine.embed(table, m2u::all_ids(table.size()), {.real = false}, threads);
  std::vector<m2u::HostRows const*> parts{&vectors.hub};
  for (auto const& modality : vectors.modalities) {
    parts.push_back(&modality.generated);
  }
  ProbeVectors joined;
  for (int row = 0; row < vectors.hub.rows; ++row) {
    for (auto const* const part : parts) {
      auto const first = part->values.begin() + std::ptrdiff_t{row} * part->cols;
      joined.values.insert(joined.values.end(), first, first + part->cols);
    }
  }
  for (auto const* const part : parts) {
    joined.cols += part->cols;
  }
  pooled.runs.push_back({vectors.hub.cols, vectors.hub.values});
  with_generated.runs.push_back(std::move(joined));
}

std::string const pretrained = "pre-trained";
std::string const random_init = "random initialisation";
std::string const morgan = "Morgan " + std::to_string(morgan_bits);
std::string const pooled_only = "pooled";
std::string const all_vectors = "pooled + generated";

std::vector<ProbeMethod> all_methods(Engine const& engine, ProbeInput const& input,
                                     ProbeArguments const& arguments, Common const& common) {
  std::vector<ProbeMethod> methods{{pretrained, pooled_only, {}}, {pretrained, all_vectors, {}}};
  std::cerr << "probe: vectors of " << input.graphs.size() << " molecules\n";
  add_vectors(engine, input.graphs, common.threads, methods[0], methods[1]);
  if (arguments.random_inits > 0) {
    ProbeMethod pooled{random_init, pooled_only, {}};
    ProbeMethod with_generated{random_init, all_vectors, {}};
    for (int i = 0; i < arguments.random_inits; ++i) {
      add_vectors(Engine(engine.configuration(), common.seed + static_cast<std::uint64_t>(i)),
                  input.graphs, common.threads, pooled, with_generated);
    }
    methods.push_back(std::move(pooled));
    methods.push_back(std::move(with_generated));
  }
  methods.push_back({morgan, "bits", {input.fingerprints}});
  return methods;
}

/// One line of the result: a method, or the difference of two.
struct ProbeRow {
  std::string method;
  std::string vectors;
  bool difference = false;
  std::vector<std::optional<double>> all;
  std::vector<std::optional<double>> unseen;
};

std::vector<ProbeRow> probe_rows(std::vector<ProbeMethod> const& methods,
                                 ProbeScores const& scores) {
  std::vector<ProbeRow> rows;
  for (std::size_t m = 0; m < methods.size(); ++m) {
    rows.push_back({methods[m].name, methods[m].vectors, false,
                    split_means(scores[m], &TaskScore::all),
                    split_means(scores[m], &TaskScore::unseen)});
  }
  for (std::string const& other : {random_init, morgan}) {
    for (std::size_t a = 0; a < 2; ++a) {  // the two of the pre-trained model
      for (std::size_t b = 2; b < methods.size(); ++b) {
        if (rows[b].method == other && (other == morgan || rows[b].vectors == rows[a].vectors)) {
          rows.push_back({pretrained + " - " + other, rows[a].vectors, true,
                          paired_difference(rows[a].all, rows[b].all),
                          paired_difference(rows[a].unseen, rows[b].unseen)});
        }
      }
    }
  }
  return rows;
}

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

void print_rows(std::vector<ProbeRow> const& rows, bool unseen) {
  std::printf("%-36s%-18s  all test molecules%s\n", "method", "vectors",
              unseen ? "  not in pre-training" : "");
  for (auto const& row : rows) {
    std::printf("%-36s%-18s%s%s\n", row.method.c_str(), row.vectors.c_str(),
                cells(summary_of(row.all), row.difference).c_str(),
                unseen ? ("   " + cells(summary_of(row.unseen), row.difference)).c_str() : "");
  }
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

/// How many tasks on how many splits could not be scored.
int skipped(ProbeScores const& scores, std::optional<double> TaskScore::* which) {
  int count = 0;  // the labels decide it, so the first run stands for all
  for (auto const& split : scores.front().front()) {
    for (auto const& task : split) {
      count += (task.*which).has_value() ? 0 : 1;
    }
  }
  return count;
}

nlohmann::json json_of(ProbeInput const& input, std::vector<m2u::ScaffoldSplit> const& splits,
                       std::uint64_t seed) {
  auto const& data = input.data;
  nlohmann::json result{{"molecules", data.smiles.size()},
                        {"records", input.records},
                        {"metric", data.regression ? "RMSE" : "ROC-AUC"},
                        {"labels", nlohmann::json::array()},
                        {"c", probe_grid},
                        {"rejected", nlohmann::json::array()},
                        {"splits", nlohmann::json::array()}};
  for (auto const& task : data.tasks) {
    result["labels"].push_back(task.name);
  }
  for (auto const& reject : input.rejects) {
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

/// A counter on standard error: on a terminal in place, else a line every few seconds.
class ProbeBar {
 public:
  void operator()(std::size_t done, std::size_t total) {
    std::lock_guard const lock(mutex_);
    auto const now = std::chrono::steady_clock::now();
    most_ = std::max(most_, done);
    if (most_ < total && now - last_ < std::chrono::milliseconds(terminal_ ? 200 : 5000)) {
      return;
    }
    last_ = now;
    double const seconds = std::chrono::duration<double>(now - start_).count();
    std::fprintf(stderr, "%sprobe: %zu of %zu regressions, %.0f s left%s", terminal_ ? "\r" : "",
                 most_, total,
                 seconds * static_cast<double>(total - most_) / static_cast<double>(most_),
                 terminal_ && most_ < total ? "   " : "   \n");
  }

 private:
  std::mutex mutex_;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::size_t most_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_ = start_;
};

void describe_study(ProbeInput const& input, ProbeArguments const& arguments) {
  auto const& data = input.data;
  std::cout << "linear probe of " << arguments.model << " on " << arguments.table << ": "
            << data.smiles.size() << " molecules, " << data.tasks.size()
            << (data.tasks.size() == 1 ? " label, " : " labels, ") << arguments.splits
            << " random scaffold splits; " << (data.regression ? "RMSE" : "ROC-AUC")
            << ", mean ± standard error over splits\n";
  if (data.seen.empty()) {
    std::cout << "molecules unseen in pre-training are not told apart: --seen names the data that "
                 "the model was trained on\n";
  } else {
    auto const seen = std::count(data.seen.begin(), data.seen.end(), true);
    std::cout << seen << " of the molecules were in pre-training (" << arguments.seen << ")\n";
  }
}

void run_probe(ProbeArguments const& arguments, Common const& common) {
  auto const engine = Engine::load(arguments.model);
  if (!arguments.out.empty()) {
    expect_writable(arguments.out);
  }
  auto input = read_input(arguments, engine.configuration(), common.threads);
  if (!arguments.seen.empty()) {
    input.data.seen = seen_molecules(input.data, arguments.seen);
  }
  warn_of_rejects(input, arguments.table);
  std::vector<m2u::ScaffoldSplit> splits;
  for (int s = 0; s < arguments.splits; ++s) {
    splits.push_back(m2u::random_scaffold_split(
        input.data.scaffolds, m2u::Seed{common.seed + static_cast<std::uint64_t>(s)}));
  }
  auto const methods = all_methods(engine, input, arguments, common);
  ProbeBar bar;
  auto const scores = probe_all(input.data, methods, splits, common.threads, std::ref(bar));
  auto const rows = probe_rows(methods, scores);
  m2u::expects(summary_of(rows.front().all).splits > 0, arguments.table,
               ": no split has both classes in its training and its test part");
  bool const unseen = !input.data.seen.empty();
  describe_study(input, arguments);
  print_rows(rows, unseen);
  auto const skips = skipped(scores, &TaskScore::all);
  auto const unseen_skips = unseen ? skipped(scores, &TaskScore::unseen) : 0;
  if (skips + unseen_skips > 0) {
    std::cout << "left out for having one class or no labels: " << skips
              << " labels of a split's test molecules"
              << (unseen ? ", " + std::to_string(unseen_skips) + " of the unseen ones" : "")
              << '\n';
  }
  if (arguments.out.empty()) {
    return;
  }
  auto json = json_of(input, splits, common.seed);
  json["model"] = arguments.model;
  json["table"] = arguments.table;
  json["seen"] = unseen ? nlohmann::json{{"data", arguments.seen},
                                         {"molecules", std::count(input.data.seen.begin(),
                                                                  input.data.seen.end(), true)}}
                        : nlohmann::json();
  json["skipped"] = {{"all", skips}, {"unseen", unseen_skips}};
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
  // Records may hold bytes that are not UTF-8; JSON can't.
  m2u::write_file(arguments.out,
                  json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  std::cout << "wrote " << arguments.out << '\n';
}

}  // namespace

void add_probe(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "probe", "Predict labels by a linear model of frozen vectors, over random scaffold splits");
  auto const arguments = std::make_shared<ProbeArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--table", a.table, "CSV or TSV with labels, also gzipped")
      ->required()
      ->check(not_empty());
  command->add_option("--smiles", a.smiles, "Name of the SMILES column")->capture_default_str();
  command
      ->add_option("--labels", a.labels,
                   "Names of label columns, commas between (repeatable); labels are 0, 1 or empty")
      ->required()
      ->check(not_empty());
  command->add_option("--splits", a.splits, "How many splits: 80 % train, 10 % choose C, rest test")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command
      ->add_option("--random-inits", a.random_inits,
                   "Untrained models to compare with (0: none); their scores are averaged")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command->add_option("--seen", a.seen,
                      "Folder that prepare wrote for pre-training: molecules that are not in it "
                      "are scored separately too");
  command->add_flag("--regression", a.regression,
                    "Labels are numbers: ridge regression and RMSE instead of ROC-AUC");
  command->add_option("--out", a.out, "Where all numbers of all splits are written as JSON");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_probe(*arguments, common); };
  });
}

}  // namespace m2umol
