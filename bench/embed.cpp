// SPDX-License-Identifier: Apache-2.0
// bench_embed: vectors of the published model from prepared graphs, and, where RDKit is there, from
// SMILES one at a time.
#include "support/molecules.hpp"
#include "support/program.hpp"
#if defined(M2U_BENCH_CHEM)
#include "m2u/chem/features.hpp"
#include "m2u/chem/molecule.hpp"
#endif

namespace {

using bench::Space;

struct Options {
  std::string data;
  int batch = 256;
  int block = 32;
  int steps = 30;
  int warmup = 3;
  std::uint64_t seed = 1;
};

/// The hub's vector and what the first adapter and the shared norm make of it.
class Embedding {
 public:
  Embedding(Space const& space, std::uint64_t seed)
      : configuration_(bench::published_configuration()),
        model_(m2umol::make_model(layout_, configuration_)),
        theta_(space, layout_, m2u::Seed{seed}),
        tape_(space, theta_, m2u::Mode::evaluation) {
    tape_.infer_only();
  }

  m2umol::Configuration const& configuration() const { return configuration_; }

  void operator()(m2u::MultiBatch<Space> const& batch) {
    tape_.reset(0);
    auto const pooled = model_.hub(tape_, batch);
    model_.for_each_match([&](int number, auto const& match) {
      if (number == 0) {
        model_.generate(tape_, match, pooled);
      }
    });
    tape_.space().fence();
  }

 private:
  using Model = decltype(m2umol::make_model(std::declval<m2u::ParameterLayout&>(),
                                            std::declval<m2umol::Configuration const&>()));
  m2umol::Configuration configuration_;
  m2u::ParameterLayout layout_;
  Model model_;
  m2u::Parameters<Space> theta_;
  m2u::Tape<Space> tape_;
};

/// Batches as blocks of molecules that are embedded together. Vectors do not depend on the batch,
/// and what a block needs should stay in cache.
std::vector<std::vector<std::vector<int>>> blocks_of(std::vector<std::vector<int>> const& batches,
                                                     int size) {
  std::vector<std::vector<std::vector<int>>> result;
  for (auto const& batch : batches) {
    result.emplace_back();
    for (std::size_t first = 0; first < batch.size(); first += static_cast<std::size_t>(size)) {
      auto const last = std::min(batch.size(), first + static_cast<std::size_t>(size));
      result.back().emplace_back(batch.begin() + static_cast<std::ptrdiff_t>(first),
                                 batch.begin() + static_cast<std::ptrdiff_t>(last));
    }
  }
  return result;
}

/// Seconds of each call, after the warm-up.
template <class F>
std::vector<double> times(Options const& options, F const& step) {
  std::vector<double> seconds;
  for (int i = 0; i < options.warmup + options.steps; ++i) {
    auto const start = bench::Clock::now();
    step(i);
    if (i >= options.warmup) {
      seconds.push_back(bench::seconds_since(start));
    }
  }
  return seconds;
}

#if defined(M2U_BENCH_CHEM)
/// Medians from SMILES to vector, and of its part that is RDKit's and ours on top of it.
nlohmann::json from_smiles(Space const& space, Embedding& embedding, Options const& options) {
  auto const table = m2u::open_shards(options.data);
  std::vector<double> all;
  std::vector<double> parsing;
  std::vector<double> after_features;
  for (int row = 0; row < std::min(table.size(), 300); ++row) {
    auto const smiles = table.text("smiles", row);
    auto const start = bench::Clock::now();
    auto const parsed = m2u::parse_smiles(smiles);
    m2u::expects(static_cast<bool>(parsed), smiles, ": ", parsed.reason);
    parsing.push_back(bench::seconds_since(start));
    auto const record = m2u::featurise(*parsed.mol);
    auto const featurised = bench::Clock::now();
    auto const view = record.view();
    m2u::HostBatch<Space> host({row});
    host.add("2d", std::vector<int>{0},
             m2u::make_graph_batch(std::span(&view, 1), m2u::molecule_columns()));
    embedding(host.to_space(space));
    after_features.push_back(bench::seconds_since(featurised));
    all.push_back(bench::seconds_since(start));
  }
  return {{"smiles_to_vector_ms", 1e3 * bench::median(all)},
          {"smiles_parsing_ms", 1e3 * bench::median(parsing)},
          {"features_to_vector_ms", 1e3 * bench::median(after_features)}};
}
#endif

nlohmann::json measure(Space const& space, Options const& options) {
  Embedding embedding(space, options.seed);
  m2u::TableDataset const dataset(m2u::open_shards(options.data), {"2d"});
  bench::BatchShape shape;
  auto const ids =
      blocks_of(bench::full_batches(dataset.size(), options.batch, options.seed), options.block);
  std::vector<std::vector<m2u::MultiBatch<Space>>> batches(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (auto const& block : ids[i]) {
      batches[i].push_back(dataset.collate<Space>(block).to_space(space));
      shape += bench::shape_of(space, batches[i].back());
    }
  }
  shape = shape.scaled(1.0 / static_cast<double>(batches.size()));
  auto const seconds = times(options, [&](int i) {
    for (auto const& block : batches[static_cast<std::size_t>(i) % batches.size()]) {
      embedding(block);
    }
  });
  double const step = bench::median(seconds);
  double const gflops = 1e-9 * bench::hub_flops(embedding.configuration(), shape) / step;
  double const memory = bench::peak_rss_mib();
  auto const collating = bench::median(times(options, [&](int i) {
    for (auto const& block : ids[static_cast<std::size_t>(i) % ids.size()]) {
      dataset.collate<Space>(block).to_space(space);
    }
  }));
  auto record = bench::context();
  record.update({{"what", "embed"},
                 {"batch", options.batch},
                 {"block", options.block},
                 {"steps", options.steps},
                 {"molecules_per_s", options.batch / step},
                 {"step_ms_median", 1e3 * step},
                 {"gflop_per_s", gflops},
                 {"collate_ms_median", 1e3 * collating},
                 {"peak_rss_mib", memory}});
#if defined(M2U_BENCH_CHEM)
  if (options.batch == 1) {
    record.update(from_smiles(space, embedding, options));
  }
#endif
  auto const peak = bench::measure_sgemm_peak(space);
  record["sgemm_gflop_per_s"] = bench::to_json(peak);
  record["share_of_peak"] = gflops / peak.best();
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Vectors from prepared graphs; with --batch 1, from SMILES as well.",
                   "bench_embed"};
  Options options;
  bool as_json = false;
  program.add_option("--data", options.data, "Folder that m2umol prepare wrote")->required();
  program.add_option("--block", options.block, "Molecules of a batch that are embedded together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--batch", options.batch, "Molecules of a timed call")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--steps", options.steps, "Batches that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--warmup", options.warmup, "Batches before them")->capture_default_str();
  program.add_option("--seed", options.seed, "Of batches and values")->capture_default_str();
  program.add_flag("--json", as_json, "One line of JSON");
  return bench::run_program(program, argc, argv,
                            [&] { bench::print_record(measure(Space{}, options), as_json); });
}
