// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on pairs of molecules: drug-drug interactions.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <unordered_map>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/data/delimited.hpp"
#include "m2u/train/class_metrics.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// The molecules' graphs, and their rows by id.
struct PairMolecules {
  m2u::Table graphs;
  std::unordered_map<std::string, int> rows;
  std::set<std::string> rejected;  ///< ids that can't be used
};

PairMolecules read_molecules_of(PairSource const& source, std::string const& smiles,
                                Configuration const& configuration, int threads) {
  m2u::Rejects rejects;
  m2u::MoleculeReaderOptions options;
  options.id = source.id;
  options.smiles = smiles;
  std::vector<m2u::MoleculeRecord> records;
  std::set<std::string> malformed;
  m2u::MoleculeReader reader(source.molecules, options);
  m2u::MoleculeRecord next;
  for (std::string problem; reader.next(next, problem);) {
    if (problem.empty()) {
      records.push_back(next);
    } else {
      rejects.add(next.line, m2u::input_of(next), problem);
      malformed.insert(next.id);
    }
  }
  auto prepared = m2u::prepare_molecules(records, graph_only(configuration, threads));
  PairMolecules result{std::move(prepared.table), {}, std::move(malformed)};
  for (int row = 0; row < result.graphs.size(); ++row) {
    result.rows.emplace(std::string(result.graphs.text("id", row)), row);
  }
  for (auto const& record : records) {
    if (!result.rows.contains(record.id)) {
      result.rejected.insert(record.id);
    }
  }
  m2u::expects(!result.rows.empty(), source.molecules, " holds no molecule that can be used");
  for (auto const* const list : {&rejects, &prepared.rejects}) {
    for (auto const& reject : list->list()) {
      std::cerr << "m2umol: warning: " << source.molecules << ", line " << reject.line << ": "
                << reject.reason << '\n';
    }
  }
  return result;
}

/// Pairs of a file, with their classes as texts.
struct PairFile {
  std::vector<int> first;
  std::vector<int> second;
  std::vector<std::string> types;
  int left_out = 0;  ///< pairs with a molecule that can't be used
};

PairFile read_pairs(std::string const& path, PairSource const& source,
                    PairMolecules const& molecules) {
  m2u::DelimitedReader reader(path);
  int const columns[] = {reader.column(source.first), reader.column(source.second),
                         reader.column(source.type)};
  PairFile result;
  m2u::DelimitedRow row;
  for (std::string problem; reader.next(row, problem);) {
    m2u::expects(problem.empty(), path, ", line ", row.line, ": ", problem);
    std::string cells[3];
    for (int i = 0; i < 3; ++i) {
      cells[i] = row.fields.at(static_cast<std::size_t>(columns[i]));
      m2u::expects(!cells[i].empty(), path, ", line ", row.line, ": the column \"",
                   reader.header()[static_cast<std::size_t>(columns[i])], "\" is empty");
    }
    int rows[2] = {-1, -1};
    bool usable = true;
    for (int i = 0; i < 2; ++i) {
      if (auto const found = molecules.rows.find(cells[i]); found != molecules.rows.end()) {
        rows[i] = found->second;
      } else {
        m2u::expects(molecules.rejected.contains(cells[i]), path, ", line ", row.line,
                     ": there is no molecule \"", cells[i], "\" in ", source.molecules);
        usable = false;
      }
    }
    if (!usable) {
      ++result.left_out;
      continue;
    }
    result.first.push_back(rows[0]);
    result.second.push_back(rows[1]);
    result.types.push_back(cells[2]);
  }
  m2u::expects(!result.types.empty(), path, " holds no pair that can be used");
  return result;
}

/// Classes in their order: numbers by value, else by text.
std::vector<std::string> class_names(std::vector<PairFile> const& files) {
  std::set<std::string> names;
  for (auto const& file : files) {
    names.insert(file.types.begin(), file.types.end());
  }
  std::vector<std::string> sorted(names.begin(), names.end());
  for (auto const& name : sorted) {
    m2u::expects(is_utf8(name), "a class of pairs is not UTF-8; models keep the names of classes");
  }
  auto const number = [](std::string const& text) {
    int value = -1;
    auto const parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ptr == text.data() + text.size() ? value : -1;
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](auto const& a, auto const& b) { return number(a) < number(b); });
  return sorted;
}

/// All pairs, and which of them are in which part.
struct PairData {
  m2u::Pairs pairs;
  std::vector<std::string> classes;
  std::vector<int> parts[3];  ///< training, validation and test
};

void append(PairData& data, PairFile const& file, std::vector<int>& part) {
  std::map<std::string, int> numbers;
  for (std::size_t c = 0; c < data.classes.size(); ++c) {
    numbers.emplace(data.classes[c], static_cast<int>(c));
  }
  for (std::size_t i = 0; i < file.types.size(); ++i) {
    part.push_back(data.pairs.size());
    data.pairs.first.push_back(file.first[i]);
    data.pairs.second.push_back(file.second[i]);
    data.pairs.classes.push_back(numbers.at(file.types[i]));
  }
}

PairData read_data(PairSource const& source, PairMolecules const& molecules) {
  std::vector<PairFile> files{read_pairs(source.train, source, molecules),
                              read_pairs(source.test, source, molecules)};
  if (!source.validation.empty()) {
    files.push_back(read_pairs(source.validation, source, molecules));
  }
  PairData data;
  data.classes = class_names(files);
  append(data, files[0], data.parts[0]);
  append(data, files[1], data.parts[2]);
  if (files.size() > 2) {
    append(data, files[2], data.parts[1]);
  }
  int left_out = 0;
  for (auto const& file : files) {
    left_out += file.left_out;
  }
  warn_of_left_out(left_out);
  return data;
}

/// A seed's parts: without a validation file a tenth of the training pairs validates.
struct PairParts {
  std::vector<int> train;
  std::vector<int> validation;
};
PairParts parts_of(PairData const& data, m2u::Seed seed) {
  if (!data.parts[1].empty()) {
    return {data.parts[0], data.parts[1]};
  }
  auto const count = static_cast<int>(data.parts[0].size());
  m2u::expects(count > 1, "one pair can't both train and validate");
  PairParts parts;
  auto const order = m2u::random_permutation(count, seed, m2u::stream_of("m2umol::pair_parts"));
  for (int place = 0; place < count; ++place) {
    auto const pair =
        data.parts[0][static_cast<std::size_t>(order[static_cast<std::size_t>(place)])];
    (place < std::max(1, count / 10) ? parts.validation : parts.train).push_back(pair);
  }
  std::sort(parts.train.begin(), parts.train.end());
  std::sort(parts.validation.begin(), parts.validation.end());
  return parts;
}

m2u::ClassMetrics measure(Engine const& engine, m2u::Table const& graphs, PairData const& data,
                          std::vector<int> const& which, int threads) {
  auto const predictions = engine.predict_pairs(graphs, data.pairs, which, threads);
  std::vector<int> labels;
  for (int const pair : which) {
    labels.push_back(data.pairs.classes[static_cast<std::size_t>(pair)]);
  }
  return m2u::class_metrics(predictions.values, labels, static_cast<int>(data.classes.size()));
}

std::map<std::string, double> values_of(m2u::ClassMetrics const& metrics) {
  return {{"accuracy", metrics.accuracy},    {"macro_precision", metrics.precision},
          {"macro_recall", metrics.recall},  {"macro_f1", metrics.f1},
          {"roc_auc", metrics.roc_auc.mean}, {"pr_auc", metrics.pr_auc}};
}

}  // namespace

void run_finetune_pairs(FinetuneArguments const& arguments, PairSource const& source,
                        Engine const* init, Configuration configuration, int threads) {
  auto const molecules = read_molecules_of(source, arguments.smiles, configuration, threads);
  auto const data = read_data(source, molecules);
  configuration.prediction = {arguments.head, "ddi", data.classes, arguments.hidden, {}, {}};
  std::cout << "finetune on " << source.train << ": " << data.parts[0].size()
            << " pairs to learn from, " << data.parts[2].size() << " to test on, "
            << molecules.graphs.size() << " molecules, " << data.classes.size() << " classes, init "
            << arguments.init << ", head " << arguments.head << std::endl;
  nlohmann::json json{{"train", source.train},          {"test", source.test},
                      {"init", arguments.init},         {"head", arguments.head},
                      {"classes", data.classes},        {"epochs", arguments.training.epochs},
                      {"runs", nlohmann::json::array()}};
  RunMeasures all;
  for (int const seed : arguments.seeds) {
    auto const folder = fs::path(arguments.out) / ("seed-" + std::to_string(seed));
    fs::create_directories(folder);
    auto engine = tuned_engine(configuration, init, static_cast<std::uint64_t>(seed));
    auto const parts = parts_of(data, m2u::Seed{static_cast<std::uint64_t>(seed)});
    auto const training = training_of(arguments, seed, folder, threads);
    auto const outcome = engine.finetune_pairs(
        molecules.graphs, data.pairs, parts.train,
        [&] { return measure(engine, molecules.graphs, data, parts.validation, threads).accuracy; },
        training);
    auto const found = measure(engine, molecules.graphs, data, data.parts[2], threads);
    auto const test = values_of(found);
    engine.save(folder / "model.safetensors",
                {{"finetuned_on", source.train}, {"seed", seed}, {"epoch", outcome.best_epoch}});
    json["runs"].push_back({{"seed", seed},
                            {"best_epoch", outcome.best_epoch},
                            {"validation_accuracy", outcome.best_score},
                            {"seconds", outcome.fit.seconds},
                            {"classes_in_test", found.roc_auc.tasks},
                            {"test", test}});
    std::printf("seed %d, best epoch %d, validation accuracy %.4f\n", seed, outcome.best_epoch,
                outcome.best_score);
    for (auto const& [name, value] : test) {
      all[name].push_back(value);
    }
    std::printf("ROC-AUC and PR-AUC: mean over the %d classes with test pairs of both kinds, %d "
                "left out\n",
                found.roc_auc.tasks, found.roc_auc.skipped);
    std::fflush(stdout);
  }
  finish_runs(json, all, arguments);
}

}  // namespace m2umol
