// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <numeric>

#include "m2u/core/file.hpp"

#include "m2umol/finetune.hpp"
#include "m2umol/molecule_rows.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// Scales of regression labels: those of the training part.
void set_scales(Prediction& prediction, LabelledMolecules const& molecules,
                std::vector<int> const& train) {
  for (auto const& task : molecules.tasks) {
    std::vector<double> values;
    for (int const row : train) {
      if (auto const label = task.labels[static_cast<std::size_t>(row)]; !std::isnan(label)) {
        values.push_back(label);
      }
    }
    double const count = std::max<double>(1.0, static_cast<double>(values.size()));
    double const mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0.0;
    for (double const value : values) {
      squares += (value - mean) * (value - mean);
    }
    prediction.mean.push_back(mean);
    prediction.scale.push_back(squares > 0.0 ? std::sqrt(squares / count) : 1.0);
  }
}

/// Labels as training takes them. @param balance weigh the classes of each label equally
m2u::Labels training_labels(LabelledMolecules const& molecules, Prediction const& prediction,
                            std::vector<int> const& train, bool balance) {
  auto const tasks = molecules.tasks.size();
  m2u::Labels labels{static_cast<int>(tasks),
                     std::vector<float>(tasks * static_cast<std::size_t>(molecules.size())),
                     {}};
  if (balance) {
    labels.weights.assign(labels.values.size(), 1.0F);
  }
  for (std::size_t t = 0; t < tasks; ++t) {
    auto const& values = molecules.tasks[t].labels;
    double count[2] = {0.0, 0.0};
    for (int const row : train) {
      if (balance && !std::isnan(values[static_cast<std::size_t>(row)])) {
        count[values[static_cast<std::size_t>(row)] > 0.5 ? 1 : 0] += 1.0;
      }
    }
    for (std::size_t row = 0; row < values.size(); ++row) {
      double label = values[row];
      if (!prediction.mean.empty()) {
        label = (label - prediction.mean[t]) / prediction.scale[t];
      }
      labels.values[row * tasks + t] = static_cast<float>(label);
      double const own = count[label > 0.5 ? 1 : 0];
      if (balance && own > 0.0) {
        labels.weights[row * tasks + t] = static_cast<float>(0.5 * (count[0] + count[1]) / own);
      }
    }
  }
  return labels;
}

/// A line per molecule of the table: its part, and what is predicted beside what is true.
void write_predictions(fs::path const& path, LabelledMolecules const& molecules,
                       m2u::ScaffoldSplit const& split, m2u::HostRows const& predictions) {
  std::vector<char const*> part(static_cast<std::size_t>(molecules.size()), "");
  for (auto const& [rows, name] :
       {std::pair(&split.train, "train"), std::pair(&split.validation, "validation"),
        std::pair(&split.test, "test")}) {
    for (int const row : *rows) {
      part[static_cast<std::size_t>(row)] = name;
    }
  }
  m2u::AtomicFile file(path);
  std::string header = "line,smiles,part";
  for (auto const& task : molecules.tasks) {
    header += ',' + csv_cell(task.name) + ',' + csv_cell(task.name + " (true)");
  }
  file.write(header + '\n');
  char number[32];
  for (std::size_t row = 0; row < part.size(); ++row) {
    auto line = std::to_string(molecules.lines[row]) + ',' + csv_cell(molecules.smiles[row]) + ',' +
                part[row];
    for (std::size_t t = 0; t < molecules.tasks.size(); ++t) {
      auto const predicted = predictions.values[row * molecules.tasks.size() + t];
      std::snprintf(number, sizeof number, ",%.9g,", static_cast<double>(predicted));
      line += number;
      if (auto const label = molecules.tasks[t].labels[row]; !std::isnan(label)) {
        std::snprintf(number, sizeof number, "%.9g", label);
        line += number;
      }
    }
    file.write(line + '\n');
  }
  file.commit();
}

/// The rows of `predictions` for all molecules that are in `rows`.
m2u::HostRows pick(m2u::HostRows const& predictions, std::vector<int> const& rows) {
  m2u::HostRows result{0, predictions.cols, {}};
  for (int const row : rows) {
    auto const first = predictions.values.begin() + std::ptrdiff_t{row} * predictions.cols;
    result.append(1, predictions.cols, {first, first + predictions.cols});
  }
  return result;
}

FinetuneRun one_run(FinetuneArguments const& arguments, LabelledMolecules const& molecules,
                    std::vector<bool> const& seen, Engine const* init, Configuration configuration,
                    m2u::ScaffoldSplit const& split, FinetuneRun run, int threads) {
  bool const regression = arguments.regression;
  auto const seed = static_cast<std::uint64_t>(run.seed);
  if (regression) {
    set_scales(configuration.prediction, molecules, split.train);
  }
  auto const labels =
      training_labels(molecules, configuration.prediction, split.train, arguments.balance);
  auto engine = tuned_engine(std::move(configuration), init, seed);
  auto training = training_of(arguments, run.seed, run.folder, threads);
  training.highest = !regression;
  // A validation part of one class has no ROC-AUC: then the loss decides.
  auto const validate = [&] {
    auto const predictions = engine.predict(molecules.graphs, split.validation, threads);
    for (float const value : predictions.values) {
      m2u::expects(std::isfinite(value), "a prediction of the validation part is not finite: a "
                                         "lower learning rate may help");
    }
    auto const value = score(predictions, molecules.tasks, split.validation, regression)
                           .value(main_measure(regression));
    double const better = negative_loss(predictions, molecules.tasks, split.validation, regression);
    return value.value_or(regression ? -better : better);
  };
  run.outcome = engine.finetune(molecules.graphs, labels, split.train, validate, training);
  std::vector<int> all(static_cast<std::size_t>(molecules.size()));
  std::iota(all.begin(), all.end(), 0);
  auto const predictions = engine.predict(molecules.graphs, all, threads);
  auto const scores = [&](std::vector<int> const& rows) {
    return score(pick(predictions, rows), molecules.tasks, rows, regression);
  };
  run.train = scores(split.train);
  run.validation = scores(split.validation);
  run.test = scores(split.test);
  if (!seen.empty()) {
    std::vector<int> unseen;
    std::copy_if(split.test.begin(), split.test.end(), std::back_inserter(unseen),
                 [&](int row) { return !seen[static_cast<std::size_t>(row)]; });
    run.unseen = scores(unseen);
  }
  write_predictions(fs::path(run.folder) / "predictions.csv", molecules, split, predictions);
  engine.save(fs::path(run.folder) / "model.safetensors", {{"finetuned_on", arguments.table},
                                                           {"seed", run.seed},
                                                           {"split", arguments.split},
                                                           {"fold", run.fold},
                                                           {"epoch", run.outcome.best_epoch},
                                                           {"validation", to_json(run.validation)},
                                                           {"test", to_json(run.test)}});
  return run;
}

}  // namespace

Engine tuned_engine(Configuration configuration, Engine const* init, std::uint64_t seed) {
  Engine engine(configuration, seed);
  if (init == nullptr) {
    return engine;
  }
  std::map<std::string, m2u::NamedTensor> given;
  for (auto& tensor : init->tensors()) {
    auto name = tensor.name;
    given.emplace(std::move(name), std::move(tensor));
  }
  auto tensors = engine.tensors();
  for (auto& tensor : tensors) {
    bool const made_here = tensor.name.starts_with("fusion.") || tensor.name.starts_with("head.");
    auto const found = given.find(tensor.name);
    m2u::expects(made_here || (found != given.end() && found->second.shape == tensor.shape),
                 "the pre-trained model has no \"", tensor.name, "\" of this shape");
    // A package's fusion was fine-tuned with it; a head belongs to its labels.
    if (found != given.end() && found->second.shape == tensor.shape &&
        !tensor.name.starts_with("head.")) {
      tensor = std::move(found->second);
    }
  }
  return Engine::from_tensors(std::move(configuration), tensors);
}

std::vector<FinetuneRun> finetune_runs(FinetuneArguments const& arguments,
                                       LabelledMolecules const& molecules,
                                       std::vector<bool> const& seen, Engine const* init,
                                       Configuration const& base, int threads) {
  auto const kind = split_kind(arguments.split);
  std::vector<FinetuneRun> runs;
  for (int const seed : arguments.seeds) {
    auto const splits = make_splits(kind, molecules, m2u::Seed{static_cast<std::uint64_t>(seed)});
    for (std::size_t fold = 0; fold < splits.size(); ++fold) {
      FinetuneRun run;
      run.seed = seed;
      run.fold = static_cast<int>(fold);
      auto const name = "seed-" + std::to_string(seed) +
                        (splits.size() > 1 ? "-fold-" + std::to_string(fold) : std::string());
      run.folder = (fs::path(arguments.out) / name).string();
      fs::create_directories(run.folder);
      auto const total = arguments.seeds.size() * splits.size();
      run = one_run(arguments, molecules, seen, init, base, splits[fold], std::move(run), threads);
      runs.push_back(std::move(run));
      auto const& done = runs.back();
      std::fprintf(
          stderr, "finetune: run %zu of %zu (%s): %d epochs, %.0f molecules/s, best epoch %d\n",
          runs.size(), total, name.c_str(), done.outcome.fit.epochs,
          done.outcome.fit.history.empty() ? 0.0
                                           : done.outcome.fit.history.back().samples_per_second,
          done.outcome.best_epoch);
    }
  }
  return runs;
}

}  // namespace m2umol
