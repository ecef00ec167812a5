// SPDX-License-Identifier: Apache-2.0
// m2umol probe: a linear model of frozen vectors on a table with labels.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>

#include "m2u/core/file.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/probe_input.hpp"
#include "m2umol/probe_result.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

/// Adds a model's pooled vectors to one method and pooled + generated ones to another.
void add_vectors(Engine const& engine, m2u::Table const& table, int threads, bool standardise,
                 ProbeMethod& pooled, ProbeMethod& with_generated) {
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
  pooled.runs.push_back({vectors.hub.cols, vectors.hub.values, standardise});
  joined.standardise = standardise;
  with_generated.runs.push_back(std::move(joined));
}

std::vector<ProbeMethod> all_methods(Engine const& engine, ProbeInput const& input,
                                     ProbeArguments const& arguments, Common const& common) {
  std::vector<ProbeMethod> methods{{pretrained, pooled_only, {}}, {pretrained, all_vectors, {}}};
  std::cerr << "probe: vectors of " << input.molecules.graphs.size() << " molecules\n";
  add_vectors(engine, input.molecules.graphs, common.threads, !arguments.raw, methods[0],
              methods[1]);
  if (arguments.random_inits > 0) {
    ProbeMethod pooled{random_init, pooled_only, {}};
    ProbeMethod with_generated{random_init, all_vectors, {}};
    for (int i = 0; i < arguments.random_inits; ++i) {
      add_vectors(Engine(engine.configuration(), common.seed + static_cast<std::uint64_t>(i)),
                  input.molecules.graphs, common.threads, !arguments.raw, pooled, with_generated);
    }
    methods.push_back(std::move(pooled));
    methods.push_back(std::move(with_generated));
  }
  methods.push_back({morgan_name(), "bits", {input.fingerprints}});
  return methods;
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

void run_probe(ProbeArguments const& arguments, Common const& common) {
  auto const engine = Engine::load(arguments.model);
  if (!arguments.out.empty()) {
    expect_writable(arguments.out);
  }
  auto const input = read_probe_input(arguments, engine.configuration(), common.threads);
  warn_of_rejects(input.molecules, arguments.table);
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
  auto const json = probe_json(input, arguments, splits, common.seed, rows, scores);
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
  command->add_flag("--raw", a.raw, "Take vectors as they are instead of standardising them");
  command
      ->add_option("--c", a.c,
                   "Weight of the data against the penalty (default: the best of 0.001 … 100 on a "
                   "split's validation part)")
      ->check(above_zero());
  command->add_option("--out", a.out, "Where all numbers of all splits are written as JSON");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_probe(*arguments, common); };
  });
}

}  // namespace m2umol
