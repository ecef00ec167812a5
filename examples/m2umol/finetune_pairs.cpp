// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on pairs of molecules: drug-drug interactions.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "m2u/train/class_metrics.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/pair_table.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// Pairs of a file, with their classes as texts.
struct PairFile {
  std::vector<int> first;
  std::vector<int> second;
  std::vector<std::string> types;
  std::vector<std::size_t> lines;
  int left_out = 0;  ///< pairs with a molecule that can't be used
};

PairFile read_pairs(std::string const& path, PairSource const& source,
                    PairMolecules const& molecules) {
  PairReader reader(path, source, molecules, true);
  PairFile result;
  for (PairLine line; reader.next(line);) {
    m2u::expects(line.problem.empty() || line.bad_molecule, path, ", line ", line.line, ": ",
                 line.problem);
    if (line.bad_molecule) {
      ++result.left_out;
      continue;
    }
    result.first.push_back(line.rows[0]);
    result.second.push_back(line.rows[1]);
    result.types.push_back(line.type);
    result.lines.push_back(line.line);
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
  std::shared_ptr<m2u::Pairs const> pairs;
  std::vector<std::size_t> lines;  ///< of the pairs in their files
  std::vector<std::string> classes;
  std::vector<int> parts[3];  ///< training, validation and test
};

void append(m2u::Pairs& pairs, PairFile const& file, std::vector<std::string> const& classes,
            std::vector<int>& part) {
  std::map<std::string, int> numbers;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    numbers.emplace(classes[c], static_cast<int>(c));
  }
  for (std::size_t i = 0; i < file.types.size(); ++i) {
    part.push_back(pairs.size());
    pairs.first.push_back(file.first[i]);
    pairs.second.push_back(file.second[i]);
    pairs.classes.push_back(numbers.at(file.types[i]));
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
  m2u::Pairs pairs;
  std::size_t const parts[] = {0, 2, 1};  // of the files in their order
  int left_out = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    append(pairs, files[i], data.classes, data.parts[parts[i]]);
    data.lines.insert(data.lines.end(), files[i].lines.begin(), files[i].lines.end());
    left_out += files[i].left_out;
  }
  data.pairs = std::make_shared<m2u::Pairs const>(std::move(pairs));
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

m2u::ClassMetrics measure(m2u::HostRows const& chances, PairData const& data,
                          std::vector<int> const& which) {
  std::vector<int> labels;
  for (int const pair : which) {
    labels.push_back(data.pairs->classes[static_cast<std::size_t>(pair)]);
  }
  return m2u::class_metrics(chances.values, labels, static_cast<int>(data.classes.size()));
}

/// A line per pair of the test file whose molecules can be used.
void write_predictions(fs::path const& path, PairSource const& source,
                       PairMolecules const& molecules, PairData const& data,
                       m2u::HostRows const& chances) {
  ClassTable table(path, source, data.classes, true);
  auto const id = [&](std::vector<int> const& rows, std::size_t pair) {
    return std::string(molecules.graphs.text("id", rows[pair]));
  };
  for (std::size_t i = 0; i < data.parts[2].size(); ++i) {
    auto const pair = static_cast<std::size_t>(data.parts[2][i]);
    auto const width = static_cast<std::size_t>(chances.cols);
    table.add(data.lines[pair], id(data.pairs->first, pair), id(data.pairs->second, pair),
              std::span(chances.values).subspan(i * width, width));
  }
  table.commit();
}

PairsRun one_run(Engine& engine, PairSource const& source, PairMolecules const& molecules,
                 PairData const& data, FinetuneOptions const& training, fs::path const& folder) {
  auto const predict = [&](std::vector<int> const& which) {
    return engine.predict_pairs(molecules.graphs, data.pairs, which, training.threads);
  };
  auto const parts = parts_of(data, m2u::Seed{training.seed});
  PairsRun run;
  run.outcome = engine.finetune_pairs(
      molecules.graphs, data.pairs, parts.train,
      [&] { return measure(predict(parts.validation), data, parts.validation).accuracy; },
      training);
  auto const chances = predict(data.parts[2]);
  auto const found = measure(chances, data, data.parts[2]);
  write_predictions(folder / "predictions.csv", source, molecules, data, chances);
  run.test = class_measures(found);
  run.more = {{"classes_in_test", found.roc_auc.tasks}};
  run.note = "ROC-AUC and PR-AUC: mean over the " + std::to_string(found.roc_auc.tasks) +
             " classes with test pairs of both kinds, " + std::to_string(found.roc_auc.skipped) +
             " left out\n";
  return run;
}

}  // namespace

void run_finetune_pairs(FinetuneArguments const& arguments, PairSource const& source,
                        Engine const* init, Configuration configuration, int threads) {
  auto const molecules = read_pair_molecules(source, arguments.smiles, configuration, threads);
  auto const data = read_data(source, molecules);
  configuration.prediction = {arguments.head, "ddi", data.classes, arguments.hidden, {}, {}};
  std::cout << "finetune on " << source.train << ": " << data.parts[0].size()
            << " pairs to learn from, " << data.parts[2].size() << " to test on, "
            << molecules.graphs.size() << " molecules, " << data.classes.size() << " classes, init "
            << arguments.init << ", head " << arguments.head << std::endl;
  PairsJob const job{source.train,
                     "accuracy",
                     "accuracy",
                     {{"train", source.train},
                      {"test", source.test},
                      {"init", arguments.init},
                      {"head", arguments.head},
                      {"classes", data.classes},
                      {"epochs", arguments.training.epochs},
                      {"runs", nlohmann::json::array()}},
                     [&](Engine& engine, FinetuneOptions const& training, fs::path const& folder) {
                       return one_run(engine, source, molecules, data, training, folder);
                     }};
  run_seeds(arguments, configuration, init, job, threads);
}

}  // namespace m2umol
