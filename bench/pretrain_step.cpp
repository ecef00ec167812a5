// SPDX-License-Identifier: Apache-2.0
// bench_pretrain_step: the published model's training step on prepared molecules, with text and bio
// features drawn at random in the paper's sizes. docs/performance.md says how to prepare them.
#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>

#include "support/pretrain_step.hpp"

namespace {

using nlohmann::json;

json to_json(bench::StepOptions const& options, bench::StepResult const& result,
             bench::SgemmPeak const& peak) {
  auto record = bench::context();
  record.update(
      {{"what", "pretrain_step"},
       {"batch", options.batch},
       {"without", options.conformers ? json::array() : json::array({"3d"})},
       {"hub_passes", options.model.three_passes ? "each" : "once"},
       {"steps", options.steps},
       {"molecules_per_s", result.molecules_per_second()},
       {"step_ms_median", 1e3 * result.median_seconds()},
       {"step_ms_min", 1e3 * *std::min_element(result.seconds.begin(), result.seconds.end())},
       {"gflop",
        {{"hub", 1e-9 * result.flops.hub},
         {"3d", 1e-9 * result.flops.conformers},
         {"rest", 1e-9 * result.flops.rest},
         {"total", 1e-9 * result.flops.total()}}},
       {"gflop_per_s", result.gflops()},
       {"sgemm_peak", bench::to_json(peak)},
       {"share_of_peak", result.gflops() / peak.best()},
       {"peak_rss_mib", result.peak_rss_mib},
       {"arena_mib", result.arena_bytes / (1 << 20)},
       {"allocations_per_step", result.allocations_per_step},
       {"parameters", result.parameters},
       {"atoms", result.shape.atoms},
       {"conformer_atoms", result.shape.conformer_atoms},
       {"conformer_edges", result.shape.conformer_edges},
       {"loss", result.loss}});
  return record;
}

void print(json const& r) {
  std::printf("%s, %d threads, %s\n", r["cpu"].get<std::string>().c_str(), r["threads"].get<int>(),
              r["revision"].get<std::string>().c_str());
  std::printf("batch %d%s, %.0f atoms, %.0f atoms and %.0f edges in 3D, %zu parameters\n",
              r["batch"].get<int>(), r["without"].empty() ? "" : " without 3d",
              r["atoms"].get<double>(), r["conformer_atoms"].get<double>(),
              r["conformer_edges"].get<double>(), r["parameters"].get<std::size_t>());
  std::printf("%.1f molecules/s: median step %.2f ms, shortest %.2f ms\n",
              r["molecules_per_s"].get<double>(), r["step_ms_median"].get<double>(),
              r["step_ms_min"].get<double>());
  auto const& flop = r["gflop"];
  std::printf("%.2f GFLOP per step (hub %.2f, 3d %.2f, rest %.2f): %.1f GFLOP/s\n",
              flop["total"].get<double>(), flop["hub"].get<double>(), flop["3d"].get<double>(),
              flop["rest"].get<double>(), r["gflop_per_s"].get<double>());
  auto const& peak = r["sgemm_peak"];
  std::printf("sgemm: ours %.0f, Eigen %.0f, OpenBLAS %.0f GFLOP/s; share of the best %.1f %%\n",
              peak["ours"].get<double>(), peak["eigen"].get<double>(),
              peak["openblas"].get<double>(), 100.0 * r["share_of_peak"].get<double>());
  std::printf("peak memory %.0f MiB, arena %.1f MiB, %.1f allocations per step, loss %.4f\n",
              r["peak_rss_mib"].get<double>(), r["arena_mib"].get<double>(),
              r["allocations_per_step"].get<double>(), r["loss"].get<double>());
}

int run(int argc, char** argv) {
  CLI::App program{"Time of the published model's training step on prepared molecules.",
                   "bench_pretrain_step"};
  bench::StepOptions options;
  int threads = 0;
  bool as_json = false;
  bool profile = false;
  std::vector<std::string> without;
  std::string passes = "once";
  auto& m = options.model;
  program.add_option("--data", options.data, "Folder that m2umol prepare wrote")->required();
  program.add_option("--batch", options.batch, "Molecules per step")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  program.add_option("--threads", threads, "Threads (default: OMP_NUM_THREADS or all)");
  program.add_option("--without", without, "Train without this modality")
      ->check(CLI::IsMember({"3d"}));
  program.add_option("--hub-passes", passes, "Encode the 2D graph once, or for each modality")
      ->check(CLI::IsMember({"once", "each"}))
      ->capture_default_str();
  program.add_option("--steps", options.steps, "Steps that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--warmup", options.warmup, "Steps before them")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--width", m.width, "Of the 2D encoder")->capture_default_str();
  program.add_option("--layers", m.layers, "Of the 2D encoder")->capture_default_str();
  program.add_option("--conformer-width", m.conformer_width, "Of the 3D encoder")
      ->capture_default_str();
  program.add_option("--conformer-blocks", m.conformer_blocks, "Of the 3D encoder")
      ->capture_default_str();
  program.add_option("--seed", options.seed, "Of batches, features and values")
      ->capture_default_str();
  program.add_flag("--profile", profile, "Time of every kernel, by its label");
  program.add_flag("--json", as_json, "One line of JSON instead of the text");
  CLI11_PARSE(program, argc, argv);
  options.conformers = without.empty();
  m.three_passes = passes == "each";

  Kokkos::InitializationSettings settings;
  if (threads > 0) {
    settings.set_num_threads(threads);
  }
  settings.set_disable_warnings(true);
  Kokkos::ScopeGuard const guard(settings);
  bench::Space const space;
  auto const result = bench::measure_step(space, options, profile);
  auto const record = to_json(options, result, bench::measure_sgemm_peak(space));
  if (as_json) {
    std::cout << record.dump() << '\n';
  } else {
    print(record);
  }
  if (profile) {
    double sum = 0.0;
    for (double const seconds : result.seconds) {
      sum += seconds;
    }
    (as_json ? std::cerr : std::cout) << result.profile.table(sum, options.steps);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (std::exception const& error) {
    std::cerr << "bench_pretrain_step: error: " << error.what() << '\n';
    return 1;
  }
}
