// SPDX-License-Identifier: Apache-2.0
// Google Benchmark with --data and --threads of our own, and the machine in its context.
#pragma once

#include <functional>
#include <iostream>
#include <string>

#include <benchmark/benchmark.h>

#include "m2u/core/error.hpp"

#include "support/machine.hpp"

namespace bench {

/// Registers benchmarks for a data folder, then runs what the options choose.
/// @param setup (space, data folder): registers, and returns what the benchmarks need
template <class Setup>
int run_benchmarks(int argc, char** argv, Setup const& setup) {
  std::string data;
  int threads = 0;
  std::vector<char*> rest{argv[0]};
  for (int i = 1; i < argc; ++i) {
    std::string const argument = argv[i];
    if (argument.starts_with("--data=")) {
      data = argument.substr(7);
    } else if (argument.starts_with("--threads=")) {
      threads = std::atoi(argument.c_str() + 10);
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) {
    return 1;
  }
  try {
    Kokkos::InitializationSettings settings;
    if (threads > 0) {
      settings.set_num_threads(threads);
    }
    settings.set_disable_warnings(true);
    Kokkos::ScopeGuard const guard(settings);
    m2u::expects(!data.empty(), "--data=DIR is needed: a folder that m2umol prepare wrote");
    Space const space;
    auto const text = [](nlohmann::json const& value) {
      return value.is_string() ? value.get<std::string>() : value.dump();
    };
    auto const machine = context();
    for (auto const& [key, value] : machine.items()) {
      benchmark::AddCustomContext(key, text(value));
    }
    benchmark::AddCustomContext("sgemm_gflop_per_s", to_json(measure_sgemm_peak(space)).dump());
    [[maybe_unused]] auto const kept = setup(space, data);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::ClearRegisteredBenchmarks();  // with their views, while Kokkos is there
    benchmark::Shutdown();
    return 0;
  } catch (std::exception const& error) {
    std::cerr << argv[0] << ": error: " << error.what() << '\n';
    return 1;
  }
}

/// One step of a benchmark, given its number; it must wait for the space.
using Step = std::function<void(std::uint64_t)>;

/// Times steps in wall-clock time.
/// @param make makes what a step needs, and the step; both live as long as the benchmark runs
/// @param gflop and @param items of a step, for the rates; 0 for none
inline void add_benchmark(std::string const& name, std::function<Step()> const& make,
                          double gflop = 0.0, std::int64_t items = 0) {
  benchmark::RegisterBenchmark(name,
                               [=](benchmark::State& state) {
                                 Step const step = make();
                                 std::uint64_t number = 0;
                                 for (; number < 2; ++number) {
                                   step(number);  // the first allocates
                                 }
                                 for (auto _ : state) {
                                   step(number++);
                                 }
                                 if (gflop > 0.0) {
                                   state.counters["GFLOP/s"] = benchmark::Counter(
                                       gflop, benchmark::Counter::kIsIterationInvariantRate);
                                 }
                                 if (items > 0) {
                                   state.SetItemsProcessed(state.iterations() * items);
                                 }
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->MinTime(0.1);
}

}  // namespace bench
