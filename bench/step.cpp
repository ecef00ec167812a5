// SPDX-License-Identifier: Apache-2.0
// The sgemm peak of this machine, and a pre-training step beside it: forward, backward and update
// of a GPS hub with text and bio on made-up graphs. Options are Google Benchmark's;
// --benchmark_out=FILE writes JSON.
#include <benchmark/benchmark.h>

#include "m2u/core/version.hpp"
#include "m2u/train/adam.hpp"
#include "support/toy.hpp"

namespace {

using S = Kokkos::DefaultExecutionSpace;

void sgemm(benchmark::State& state) {
  S const space;
  int const n = static_cast<int>(state.range(0));
  auto const matrix = [&] {
    auto const m = m2u::make_matrix<float>(space, "m2u::bench::matrix", n, n);
    Kokkos::deep_copy(space, m, 0.5F);
    return m;
  };
  auto const a = matrix();
  auto const b = matrix();
  auto const c = matrix();
  for (auto _ : state) {
    m2u::gemm(space, a, b, c);
    space.fence();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * n * n * n, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(sgemm)->Arg(1024)->Arg(2048)->UseRealTime()->Unit(benchmark::kMillisecond);

auto composition(m2u::ParameterLayout& layout) {
  return m2u::MultiToUni{
      m2u::hub(
          m2u::Gps{layout.scope("hub"),
                   {.node_vocabularies = {7, 3}, .edge_vocabularies = {4}, .encoding_steps = 4}}),
      m2u::match<"text">(m2u::HashedText{layout.scope("text"), {.buckets = 32}},
                         m2u::LinearAdapter{layout.scope("to_text"), 128, 128}, m2u::NtXent{}),
      m2u::match<"bio">(m2u::MultiHot{layout.scope("bio"), {.vocabularies = {9, 5}}},
                        m2u::LinearAdapter{layout.scope("to_bio"), 128, 128}, m2u::NtXent{})};
}

void pretrain_step(benchmark::State& state) {
  S const space;
  int const size = static_cast<int>(state.range(0));
  m2u::ParameterLayout layout;
  auto const model = composition(layout);
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{1});
  m2u::Adam<S> adam{theta, {}};
  auto const batch = m2u::test::make_toy_batch(space, size);
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  std::uint64_t step = 0;
  for (auto _ : state) {
    tape.reset(step++);
    theta.zero_gradients(space);
    tape.backward(model.losses(tape, batch).total);
    adam.step(space);
    space.fence();
  }
  state.SetItemsProcessed(state.iterations() * size);
  state.counters["arena bytes"] = static_cast<double>(tape.high_water());
}
BENCHMARK(pretrain_step)->Arg(32)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  Kokkos::ScopeGuard const guard(argc, argv);
  benchmark::AddCustomContext("m2u", std::string(m2u::version) + " " + M2U_GIT_REVISION);
  benchmark::AddCustomContext(
      "space", std::string(S::name()) + ", " + std::to_string(S{}.concurrency()) + " threads");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
