// SPDX-License-Identifier: Apache-2.0
// bench_pretrain_step: the published model's training step on prepared molecules, with text and bio
// features drawn at random in the paper's sizes. docs/performance.md says how to prepare them.
#include <numeric>

#include "support/pretrain_step.hpp"
#include "support/program.hpp"

namespace {

using nlohmann::json;

json to_json(bench::StepOptions const& options, bench::StepResult const& result,
             bench::SgemmPeak const& peak) {
  auto record = bench::context();
  auto const gflop = [](double flop) { return 1e-9 * flop; };
  auto const shortest = *std::min_element(result.seconds.begin(), result.seconds.end());
  record.update({{"what", "pretrain_step"},
                 {"batch", options.batch},
                 {"without", options.conformers ? json::array() : json::array({"3d"})},
                 {"hub_passes", options.model.three_passes ? "each" : "once"},
                 {"steps", options.steps},
                 {"molecules_per_s", result.molecules_per_second()},
                 {"step_ms_median", 1e3 * result.median_seconds()},
                 {"step_ms_min", 1e3 * shortest},
                 {"gflop",
                  {{"2d", gflop(result.flops.hub)},
                   {"3d", gflop(result.flops.conformers)},
                   {"rest", gflop(result.flops.rest)},
                   {"total", gflop(result.flops.total())}}},
                 {"gflop_per_s", result.gflops()},
                 {"sgemm_gflop_per_s", bench::to_json(peak)},
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Time of the published model's training step on prepared molecules.",
                   "bench_pretrain_step"};
  bench::StepOptions options;
  bool as_json = false;
  bool profile = false;
  std::vector<std::string> without;
  std::string passes = "once";
  auto& m = options.model;
  program.add_option("--data", options.data, "Folder that m2umol prepare wrote")->required();
  program.add_option("--batch", options.batch, "Molecules per step")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
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
  program.add_flag("--json", as_json, "One line of JSON");
  return bench::run_program(program, argc, argv, [&] {
    options.conformers = without.empty();
    m.three_passes = passes == "each";
    bench::Space const space;
    auto const result = bench::measure_step(space, options, profile);
    bench::print_record(to_json(options, result, bench::measure_sgemm_peak(space)), as_json);
    if (profile) {
      double const sum = std::accumulate(result.seconds.begin(), result.seconds.end(), 0.0);
      (as_json ? std::cerr : std::cout) << result.profile.table(sum, options.steps);
    }
  });
}
