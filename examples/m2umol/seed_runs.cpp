// SPDX-License-Identifier: Apache-2.0
// What all fine-tuning shares that runs once per seed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "m2u/core/file.hpp"

#include "m2umol/finetune.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// Each measure's values over the runs.
using RunMeasures = std::map<std::string, std::vector<std::optional<double>>>;

/// Prints means and deviations over the runs, adds them to the JSON and writes it.
void finish_runs(nlohmann::json& json, RunMeasures const& measures,
                 FinetuneArguments const& arguments) {
  std::printf("test, mean ± standard deviation over %zu runs\n", arguments.seeds.size());
  for (auto const& [name, values] : measures) {
    auto const summary = summarise(values);
    std::printf(summary.deviation ? "%-16s  %.4f ± %.4f\n" : "%-16s  %.4f\n", name.c_str(),
                summary.mean, summary.deviation.value_or(0.0));
    json["summary"][name] = {
        {"mean", summary.mean},
        {"deviation", summary.deviation ? nlohmann::json(*summary.deviation) : nlohmann::json()}};
  }
  m2u::write_file(fs::path(arguments.out) / "metrics.json",
                  json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

RunSummary summarise(std::vector<std::optional<double>> const& values) {
  RunSummary summary;
  for (auto const& value : values) {
    summary.mean += value.value_or(0.0);
    summary.runs += value ? 1 : 0;
  }
  summary.mean /= std::max(1, summary.runs);
  double squares = 0.0;
  for (auto const& value : values) {
    squares += value ? (*value - summary.mean) * (*value - summary.mean) : 0.0;
  }
  if (summary.runs > 1) {
    summary.deviation = std::sqrt(squares / (summary.runs - 1));
  }
  return summary;
}

FinetuneOptions training_of(FinetuneArguments const& arguments, int seed, fs::path const& folder,
                            int threads) {
  auto training = arguments.training;
  training.seed = static_cast<std::uint64_t>(seed);
  training.threads = threads;
  training.log = folder / "log.jsonl";
  return training;
}

void warn_of_left_out(int pairs) {
  if (pairs > 0) {
    std::cerr << "m2umol: warning: " << pairs
              << " pairs have a molecule that can't be used; they are left out\n";
  }
}

void run_seeds(FinetuneArguments const& arguments, Configuration const& configuration,
               Engine const* init, PairsJob job, int threads) {
  RunMeasures all;
  for (int const seed : arguments.seeds) {
    auto const folder = fs::path(arguments.out) / ("seed-" + std::to_string(seed));
    fs::create_directories(folder);
    auto engine = tuned_engine(configuration, init, static_cast<std::uint64_t>(seed));
    auto run = job.run(engine, training_of(arguments, seed, folder, threads), folder);
    auto const& outcome = run.outcome;
    engine.save(folder / "model.safetensors",
                {{"finetuned_on", job.train}, {"seed", seed}, {"epoch", outcome.best_epoch}});
    nlohmann::json entry{{"seed", seed},
                         {"best_epoch", outcome.best_epoch},
                         {"validation_" + job.measure, outcome.best_score},
                         {"seconds", outcome.fit.seconds},
                         {"test", run.test}};
    entry.update(run.more);
    job.json["runs"].push_back(std::move(entry));
    std::printf("seed %d, best epoch %d, validation %s %.4f\n%s", seed, outcome.best_epoch,
                job.title.c_str(), outcome.best_score, run.note.c_str());
    std::fflush(stdout);
    for (auto const& [name, value] : run.test) {
      all[name].emplace_back(value);
    }
  }
  finish_runs(job.json, all, arguments);
}

}  // namespace m2umol
