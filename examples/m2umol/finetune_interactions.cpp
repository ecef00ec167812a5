// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on molecules and proteins: drug-target interactions.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <unordered_map>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/core/file.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/interaction_pairs.hpp"
#include "m2umol/molecule_rows.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// A line of a file.
struct InteractionLine {
  std::size_t line = 0;
  std::string smiles;
  std::string protein;
  float label = InteractionPairs::no_label;
};

/// @param label the column of labels; empty: they are not read, and it need not be there
std::vector<InteractionLine> read_lines(std::string const& path, std::string const& smiles,
                                        std::string const& protein, std::string const& label) {
  m2u::MoleculeReaderOptions options;
  options.smiles = smiles;
  options.extras = {protein};
  if (!label.empty()) {
    options.extras.push_back(label);
  }
  m2u::MoleculeReader reader(path, options);
  std::vector<InteractionLine> lines;
  m2u::MoleculeRecord record;
  for (std::string problem; reader.next(record, problem);) {
    m2u::expects(problem.empty(), path, ", line ", record.line, ": ", problem);
    InteractionLine line{record.line, record.smiles, record.extras.at(0)};
    m2u::expects(!line.protein.empty(), path, ", line ", record.line, ": the protein is empty");
    if (!label.empty()) {
      auto const& text = record.extras.at(1);
      bool const one = text == "1" || text == "1.0";
      m2u::expects(one || text == "0" || text == "0.0", path, ", line ", record.line,
                   ": the label \"", label, "\" is \"", text.substr(0, 40),
                   "\"; labels are 0 or 1");
      line.label = one ? 1.0F : 0.0F;
    }
    lines.push_back(std::move(line));
  }
  m2u::expects(!lines.empty(), path, " holds no pair");
  return lines;
}

/// The pairs of all files, and which are in which part.
struct InteractionData {
  enum Part { train, validation, test, target };
  m2u::Table graphs;
  std::shared_ptr<m2u::Interactions const> pairs;
  std::vector<std::size_t> lines;  ///< of the pairs in their files
  std::vector<int> parts[4];
  int left_out = 0;  ///< pairs with a molecule that can't be used
};

/// Graphs of the distinct molecules; rows by SMILES.
std::unordered_map<std::string, int> featurise(
    std::vector<std::vector<InteractionLine>> const& files, Configuration const& configuration,
    int threads, m2u::Table& graphs) {
  std::vector<m2u::MoleculeRecord> records;
  std::unordered_map<std::string, std::string> ids;
  for (auto const& lines : files) {
    for (auto const& line : lines) {
      auto const [found, fresh] = ids.emplace(line.smiles, std::to_string(ids.size()));
      if (fresh) {
        m2u::MoleculeRecord record;
        record.line = records.size() + 1;
        record.id = found->second;
        record.smiles = line.smiles;
        records.push_back(std::move(record));
      }
    }
  }
  auto prepared = m2u::prepare_molecules(records, graph_only(configuration, threads));
  graphs = std::move(prepared.table);
  std::unordered_map<std::string, int> by_id;
  for (int row = 0; row < graphs.size(); ++row) {
    by_id.emplace(std::string(graphs.text("id", row)), row);
  }
  std::unordered_map<std::string, int> rows;
  for (auto const& [smiles, id] : ids) {
    if (auto const found = by_id.find(id); found != by_id.end()) {
      rows.emplace(smiles, found->second);
    }
  }
  return rows;
}

InteractionData read_data(PairSource const& source, std::string const& smiles,
                          Configuration const& configuration, int threads) {
  std::vector<std::string> names{source.train, source.validation, source.test};
  std::vector<std::vector<InteractionLine>> files;
  for (auto const& name : names) {
    files.push_back(read_lines(name, smiles, source.protein, source.label));
  }
  if (!source.target.empty()) {
    names.push_back(source.target);
    files.push_back(read_lines(source.target, smiles, source.protein, ""));
  }
  InteractionData data;
  auto const rows = featurise(files, configuration, threads, data.graphs);
  InteractionPairs pairs;
  for (std::size_t part = 0; part < files.size(); ++part) {
    for (auto const& line : files[part]) {
      auto const molecule = rows.find(line.smiles);
      if (molecule == rows.end()) {
        ++data.left_out;
        continue;
      }
      data.parts[part].push_back(pairs.add(molecule->second, line.protein, line.label));
      data.lines.push_back(line.line);
    }
    m2u::expects(!data.parts[part].empty(), names[part],
                 " holds no pair with a molecule that can be used");
  }
  data.pairs = pairs.take();
  return data;
}

LabelScores measure(m2u::HostRows const& chances, InteractionData const& data,
                    std::vector<int> const& which) {
  LabelTask const task{"interaction", {data.pairs->labels.begin(), data.pairs->labels.end()}};
  return score(chances, {task}, which, false);
}

/// A line per pair of the test file whose molecule can be used.
void write_predictions(fs::path const& path, std::string const& label, InteractionData const& data,
                       m2u::HostRows const& chances) {
  m2u::AtomicFile file(path);
  file.write("line," + csv_cell(label) + "\n");
  char text[48];
  for (std::size_t i = 0; i < chances.values.size(); ++i) {
    auto const pair = static_cast<std::size_t>(data.parts[InteractionData::test][i]);
    std::snprintf(text, sizeof text, "%zu,%.9g\n", data.lines[pair],
                  static_cast<double>(chances.values[i]));
    file.write(text);
  }
  file.commit();
}

nlohmann::json facts(FinetuneArguments const& arguments, PairSource const& source) {
  nlohmann::json json{{"train", source.train},
                      {"test", source.test},
                      {"init", arguments.init},
                      {"epochs", arguments.training.epochs},
                      {"runs", nlohmann::json::array()}};
  if (!source.target.empty()) {
    auto const& adapt = arguments.training.adapt;
    json["adaptation"] = {{"target", source.target},
                          {"weight", adapt.weight},
                          {"from_epoch", adapt.first_epoch},
                          {"columns", adapt.columns},
                          {"learning_rate", adapt.learning_rate}};
  }
  return json;
}

PairsRun one_run(Engine& engine, InteractionData const& data, PairSource const& source,
                 FinetuneOptions const& training, fs::path const& folder) {
  auto const predict = [&](std::vector<int> const& which) {
    return engine.predict_interactions(data.graphs, data.pairs, which, training.threads);
  };
  auto const validate = [&] {
    auto const& which = data.parts[InteractionData::validation];
    auto const value = measure(predict(which), data, which).value("roc_auc");
    m2u::expects(value.has_value(), source.validation,
                 " has one class only: nothing can choose the epoch");
    return *value;
  };
  PairsRun run;
  run.outcome = engine.finetune_interactions(
      data.graphs, data.pairs,
      {data.parts[InteractionData::train], data.parts[InteractionData::target]}, validate,
      training);
  auto const& test = data.parts[InteractionData::test];
  auto const chances = predict(test);
  run.test = measure(chances, data, test).mean;
  write_predictions(folder / "predictions.csv", source.label, data, chances);
  return run;
}

}  // namespace

void run_finetune_interactions(FinetuneArguments const& arguments, PairSource const& source,
                               Engine const* init, Configuration configuration, int threads) {
  m2u::expects(is_utf8(source.label), "--label is not UTF-8; models keep the names of labels");
  auto const data = read_data(source, arguments.smiles, configuration, threads);
  warn_of_left_out(data.left_out);
  configuration.prediction = {"2d", "dti", {source.label}, arguments.hidden, {}, {}};
  std::cout << "finetune on " << source.train << ": " << data.parts[InteractionData::train].size()
            << " pairs to learn from, " << data.parts[InteractionData::test].size()
            << " to test on, ";
  if (!source.target.empty()) {
    std::cout << data.parts[InteractionData::target].size() << " to adapt to, ";
  }
  std::cout << data.graphs.size() << " molecules, " << data.pairs->proteins.size()
            << " proteins, init " << arguments.init << std::endl;
  PairsJob const job{source.train, "roc_auc", "ROC-AUC", facts(arguments, source),
                     [&](Engine& engine, FinetuneOptions const& training, fs::path const& folder) {
                       return one_run(engine, data, source, training, folder);
                     }};
  run_seeds(arguments, configuration, init, job, threads);
}

}  // namespace m2umol
