// SPDX-License-Identifier: Apache-2.0
// bench_growth: the training step's time against batch, atoms per molecule, width and layers, with
// and without the 3D encoder; writes a chart of each as SVG.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "m2u/core/file.hpp"
#include "m2u/report/line_chart.hpp"

#include "support/pretrain_step.hpp"
#include "support/program.hpp"

namespace {

struct Options {
  std::string data;
  std::filesystem::path out;
  int steps = 5;
  int batch = 32;  ///< of all but the first sweep
};

double available_mib() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) {
      return std::strtod(line.c_str() + 13, nullptr) / 1024.0;
    }
  }
  return HUGE_VAL;
}

/// One sweep: two curves and their chart.
class Sweep {
 public:
  Sweep(bench::Space const& space, Options const& options, std::string name,
        std::string const& title, std::string const& x_label)
      : space_(space), options_(options), name_(std::move(name)) {
    chart_.title = title;
    chart_.x_label = x_label;
    chart_.y_label = "ms per step";
    chart_.log_y = name_ == "batch";  // over three orders of magnitude
    chart_.series = {{"with 3D", {}, {}}, {"2D, text, bio", {}, {}}};
  }

  /// @param change sets what the sweep varies. @param x of the measured step, or at(result)
  template <class Change, class At>
  void add(Change const& change, At const& at) {
    for (std::size_t i = 0; i < 2; ++i) {
      bench::StepOptions step{.data = options_.data,
                              .batch = options_.batch,
                              .steps = options_.steps,
                              .warmup = 2,
                              .conformers = i == 0};
      change(step);
      double const expected = mib_per_molecule_[i] * step.batch;
      if (expected > 0.5 * available_mib()) {
        std::fprintf(stderr, "%s, %s, batch %d: left out, it would take some %.0f MiB\n",
                     name_.c_str(), chart_.series[i].name.c_str(), step.batch, expected);
        continue;
      }
      auto const result = bench::measure_step(space_, step);
      mib_per_molecule_[i] = result.arena_bytes / (1 << 20) / step.batch;
      chart_.series[i].x.push_back(at(step, result));
      chart_.series[i].y.push_back(1e3 * result.median_seconds());
      nlohmann::json point{{"sweep", name_},
                           {"curve", chart_.series[i].name},
                           {"x", chart_.series[i].x.back()},
                           {"batch", step.batch},
                           {"step_ms_median", chart_.series[i].y.back()},
                           {"gflop_per_s", result.gflops()},
                           {"arena_mib", result.arena_bytes / (1 << 20)}};
      std::fprintf(stderr, "%s\n", point.dump().c_str());
      points_.push_back(std::move(point));
    }
  }

  nlohmann::json finish() const {
    m2u::write_file(options_.out / ("growth_" + name_ + ".svg"), m2u::line_chart_svg(chart_));
    return points_;
  }

 private:
  bench::Space space_;
  Options const& options_;
  std::string name_;
  m2u::LineChart chart_;
  double mib_per_molecule_[2] = {0.0, 0.0};
  nlohmann::json points_ = nlohmann::json::array();
};

nlohmann::json measure(bench::Space const& space, Options const& options) {
  auto record = bench::context();
  record["what"] = "growth";
  auto const keep = [&](Sweep const& sweep) {
    for (auto& point : sweep.finish()) {
      record["points"].push_back(point);
    }
  };
  {
    Sweep sweep(space, options, "batch", "Step time against batch", "log2 of the batch");
    for (int batch = 8; batch <= 2048; batch *= 2) {
      sweep.add([&](auto& step) { step.batch = batch; },
                [](auto const& step, auto const&) { return std::log2(step.batch); });
    }
    keep(sweep);
  }
  {
    Sweep sweep(space, options, "atoms", "Step time against size of the molecules",
                "mean heavy atoms per molecule");
    constexpr int edges[] = {0, 13, 18, 23, 28, 35, 48, 500};
    for (std::size_t i = 0; i + 1 < std::size(edges); ++i) {
      sweep.add(
          [&](auto& step) {
            step.least_atoms = edges[i] + 1;
            step.most_atoms = edges[i + 1];
          },
          [](auto const&, auto const& result) {
            return result.shape.atoms / result.shape.molecules;
          });
    }
    keep(sweep);
  }
  {
    Sweep sweep(space, options, "width", "Step time against width",
                "width of the 2D encoder (3D: twice)");
    for (int const width : {32, 64, 128, 192, 256, 384}) {
      sweep.add(
          [&](auto& step) {
            step.model.width = width;
            step.model.conformer_width = 2 * width;
          },
          [](auto const& step, auto const&) { return step.model.width; });
    }
    keep(sweep);
  }
  {
    Sweep sweep(space, options, "layers", "Step time against depth",
                "layers of the 2D encoder (3D: one more)");
    for (int const layers : {1, 2, 3, 4, 6, 8}) {
      sweep.add(
          [&](auto& step) {
            step.model.layers = layers;
            step.model.conformer_blocks = layers + 1;
          },
          [](auto const& step, auto const&) { return step.model.layers; });
    }
    keep(sweep);
  }
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"How the training step's time grows; writes growth_*.svg.", "bench_growth"};
  Options options;
  bool as_json = false;
  program.add_option("--data", options.data, "Folder that m2umol prepare wrote")->required();
  program.add_option("--out", options.out, "Folder for the charts")->required();
  program.add_option("--steps", options.steps, "Steps that are timed, of each point")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--batch", options.batch, "Molecules per step, where it is not varied")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  program.add_flag("--json", as_json, "One line of JSON");
  return bench::run_program(program, argc, argv, [&] {
    std::filesystem::create_directories(options.out);
    bench::print_record(measure(bench::Space{}, options), as_json);
  });
}
