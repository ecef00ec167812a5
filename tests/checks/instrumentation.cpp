// SPDX-License-Identifier: Apache-2.0
// What Kokkos' tools see of a training step: labels, the execution space instance, allocations.
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "m2u/train/adam.hpp"
#include "m2u/train/loss_sums.hpp"
#include "m2u/transfer/staging.hpp"
#include "support/toy.hpp"

namespace {

using S = Kokkos::DefaultExecutionSpace;

struct Launch {
  std::string name;
  std::uint32_t device;
};
std::vector<Launch> launches;          // NOLINT: Kokkos' callbacks are plain functions
std::vector<std::string> allocations;  // NOLINT
std::vector<std::string> waits;        // NOLINT

void on_launch(char const* name, std::uint32_t device, std::uint64_t*) {
  launches.push_back({name, device});
}
void on_allocate(Kokkos_Profiling_SpaceHandle, char const* name, void const*, std::uint64_t) {
  allocations.emplace_back(name);
}
void on_fence(char const* name, std::uint32_t, std::uint64_t*) {
  if (std::string_view(name).substr(0, 15) != "Kokkos::Tools::") {  // around these callbacks
    waits.emplace_back(name);
  }
}

/// Records from construction to destruction.
struct Recorder {
  Recorder() {
    namespace tools = Kokkos::Tools::Experimental;
    launches.clear();
    allocations.clear();
    waits.clear();
    tools::set_begin_parallel_for_callback(on_launch);
    tools::set_begin_parallel_reduce_callback(on_launch);
    tools::set_begin_parallel_scan_callback(on_launch);
    tools::set_allocate_data_callback(on_allocate);
    tools::set_begin_fence_callback(on_fence);
  }
  ~Recorder() {
    namespace tools = Kokkos::Tools::Experimental;
    tools::set_begin_parallel_for_callback(nullptr);
    tools::set_begin_parallel_reduce_callback(nullptr);
    tools::set_begin_parallel_scan_callback(nullptr);
    tools::set_allocate_data_callback(nullptr);
    tools::set_begin_fence_callback(nullptr);
  }
};

/// A step of a model with every kind of part; returns after the backward pass.
template <class Model, class Batch>
void step(m2u::Tape<S>& tape, m2u::Parameters<S> const& theta, Model const& model,
          Batch const& batch, std::uint64_t number) {
  tape.reset(number);
  theta.zero_gradients(tape.space());
  tape.backward(model.losses(tape, batch).total);
}

}  // namespace

TEST_CASE("every kernel is labelled and runs on the instance it was given", "[instrumentation]") {
  auto const instances = Kokkos::Experimental::partition_space(S{}, 1, 1);
  S const space = instances[0];
  auto const toy = m2u::test::make_toy_model();
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  auto const batch = m2u::test::make_toy_batch(space, 12);
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  Recorder const recorder;
  step(tape, theta, toy.model, batch, 0);
  space.fence();
  auto const expected = Kokkos::Tools::Experimental::device_id(space);
  REQUIRE(launches.size() > 50);
  for (auto const& launch : launches) {
    INFO(launch.name);
    CHECK((launch.name.rfind("m2u::", 0) == 0 || launch.name.rfind("Kokkos::", 0) == 0));
    CHECK(launch.device == expected);
  }
  for (auto const& name : allocations) {
    INFO(name);
    CHECK((name.rfind("m2u::", 0) == 0 || name.rfind("Kokkos::", 0) == 0));
  }
}

TEST_CASE("after the first steps a training step allocates nothing and waits for nothing",
          "[instrumentation]") {
  // As the trainer does: a batch that came to the space, forward, backward, update.
  S const space;
  auto const toy = m2u::test::make_toy_model();
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  // Batches of their own, as loaders make them: they are gone after their step.
  std::vector<m2u::HostBatch<S>> made;
  for (int i = 0; i < 10; ++i) {
    made.push_back(m2u::test::make_toy_host_batch<S>(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  }
  // A host uses their memory as it is and frees it after the step: it has no kernels to wait for.
  auto const kept = m2u::on_host<S> ? made : std::vector<m2u::HostBatch<S>>{};
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  m2u::Adam<S> adam{theta, {}};
  m2u::LossSums<S> sums(space);
  m2u::Staging<S> staging;
  auto const train_step = [&](std::uint64_t number) {
    staging.start(space, std::exchange(made[number], m2u::HostBatch<S>({})));
    auto const batch = staging.take(space);
    tape.reset(number);
    theta.zero_gradients(space);
    auto const losses = toy.model.losses(tape, batch);
    sums.add(space, losses);
    tape.backward(losses.total);
    adam.step(space, 1.0,
              {.loss = losses.total.value.data(), .number = static_cast<long long>(number)});
  };
  sums.reset(space);
  train_step(0);
  train_step(1);
  {
    Recorder const recorder;
    for (std::uint64_t number = 2; number < made.size(); ++number) {
      train_step(number);
    }
  }
  for (auto const& name : allocations) {
    UNSCOPED_INFO("allocated: " << name);
  }
  CHECK(allocations.empty());
  for (auto const& name : waits) {
    UNSCOPED_INFO("waited: " << name);
  }
  CHECK(waits.empty());
  CHECK(std::isfinite(sums.mean(space)));
}
