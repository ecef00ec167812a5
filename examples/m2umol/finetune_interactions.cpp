// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on molecules and proteins: drug-target interactions.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <unordered_map>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// A line of a file.
struct InteractionLine {
  std::string smiles;
  std::string protein;
  float label = 0.0F;
};

std::vector<InteractionLine> read_lines(std::string const& path, PairSource const& source,
                                        std::string const& smiles) {
  m2u::MoleculeReaderOptions options;
  options.smiles = smiles;
  options.extras = {source.protein, source.label};
  m2u::MoleculeReader reader(path, options);
  std::vector<InteractionLine> lines;
  m2u::MoleculeRecord record;
  for (std::string problem; reader.next(record, problem);) {
    m2u::expects(problem.empty(), path, ", line ", record.line, ": ", problem);
    auto const& protein = record.extras.at(0);
    auto const& label = record.extras.at(1);
    m2u::expects(!protein.empty(), path, ", line ", record.line, ": the protein is empty");
    bool const one = label == "1" || label == "1.0";
    m2u::expects(one || label == "0" || label == "0.0", path, ", line ", record.line,
                 ": the label \"", source.label, "\" is \"", label.substr(0, 40),
                 "\"; labels are 0 or 1");
    lines.push_back({record.smiles, protein, one ? 1.0F : 0.0F});
  }
  m2u::expects(!lines.empty(), path, " holds no pair");
  return lines;
}

/// The pairs of all files, and which are in which part.
struct InteractionData {
  m2u::Table graphs;
  m2u::Interactions pairs;
  std::vector<int> parts[3];  ///< training, validation and test
  int left_out = 0;           ///< pairs with a molecule that can't be used
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
  std::vector<std::vector<InteractionLine>> files;
  for (auto const* const path : {&source.train, &source.validation, &source.test}) {
    files.push_back(read_lines(*path, source, smiles));
  }
  InteractionData data;
  auto const rows = featurise(files, configuration, threads, data.graphs);
  std::map<std::string, int> proteins;
  for (std::size_t part = 0; part < 3; ++part) {
    for (auto const& line : files[part]) {
      auto const molecule = rows.find(line.smiles);
      if (molecule == rows.end()) {
        ++data.left_out;
        continue;
      }
      auto const [protein, fresh] =
          proteins.emplace(line.protein, static_cast<int>(proteins.size()));
      if (fresh) {
        data.pairs.proteins.push_back(line.protein);
      }
      data.parts[part].push_back(data.pairs.size());
      data.pairs.molecule.push_back(molecule->second);
      data.pairs.protein.push_back(protein->second);
      data.pairs.labels.push_back(line.label);
    }
    m2u::expects(!data.parts[part].empty(),
                 "no pair of one of the three files has a molecule that can be used");
  }
  return data;
}

LabelScores measure(Engine const& engine, InteractionData const& data,
                    std::vector<int> const& which, int threads) {
  auto const chances = engine.predict_interactions(data.graphs, data.pairs, which, threads);
  LabelTask task{"interaction", {data.pairs.labels.begin(), data.pairs.labels.end()}};
  return score(chances, {task}, which, false);
}

}  // namespace

void run_finetune_interactions(FinetuneArguments const& arguments, PairSource const& source,
                               Engine const* init, Configuration configuration, int threads) {
  auto const data = read_data(source, arguments.smiles, configuration, threads);
  warn_of_left_out(data.left_out);
  configuration.prediction = {"2d", "dti", {"interaction"}, arguments.hidden, {}, {}};
  std::cout << "finetune on " << source.train << ": " << data.parts[0].size()
            << " pairs to learn from, " << data.parts[2].size() << " to test on, "
            << data.graphs.size() << " molecules, " << data.pairs.proteins.size()
            << " proteins, init " << arguments.init << std::endl;
  nlohmann::json json{{"train", source.train},
                      {"test", source.test},
                      {"init", arguments.init},
                      {"epochs", arguments.training.epochs},
                      {"runs", nlohmann::json::array()}};
  RunMeasures all;
  for (int const seed : arguments.seeds) {
    auto const folder = fs::path(arguments.out) / ("seed-" + std::to_string(seed));
    fs::create_directories(folder);
    auto engine = tuned_engine(configuration, init, static_cast<std::uint64_t>(seed));
    auto const training = training_of(arguments, seed, folder, threads);
    auto const validate = [&] {
      auto const value = measure(engine, data, data.parts[1], threads).value("roc_auc");
      m2u::expects(value.has_value(), source.validation,
                   " has one class only: nothing can choose the epoch");
      return *value;
    };
    auto const outcome =
        engine.finetune_interactions(data.graphs, data.pairs, data.parts[0], validate, training);
    auto const test = measure(engine, data, data.parts[2], threads);
    engine.save(folder / "model.safetensors",
                {{"finetuned_on", source.train}, {"seed", seed}, {"epoch", outcome.best_epoch}});
    json["runs"].push_back({{"seed", seed},
                            {"best_epoch", outcome.best_epoch},
                            {"validation_roc_auc", outcome.best_score},
                            {"seconds", outcome.fit.seconds},
                            {"test", test.mean}});
    std::printf("seed %d, best epoch %d, validation ROC-AUC %.4f\n", seed, outcome.best_epoch,
                outcome.best_score);
    std::fflush(stdout);
    for (auto const& [name, value] : test.mean) {
      all[name].push_back(value);
    }
  }
  finish_runs(json, all, arguments);
}

}  // namespace m2umol
