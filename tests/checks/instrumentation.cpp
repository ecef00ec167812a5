// SPDX-License-Identifier: Apache-2.0
// What Kokkos' tools see of a training step: labels, the execution space instance, allocations.
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "support/toy.hpp"

namespace {

using S = Kokkos::DefaultExecutionSpace;

struct Launch {
  std::string name;
  std::uint32_t device;
};
std::vector<Launch> launches;          // NOLINT: Kokkos' callbacks are plain functions
std::vector<std::string> allocations;  // NOLINT

void on_launch(char const* name, std::uint32_t device, std::uint64_t*) {
  launches.push_back({name, device});
}
void on_allocate(Kokkos_Profiling_SpaceHandle, char const* name, void const*, std::uint64_t) {
  allocations.emplace_back(name);
}

/// Records from construction to destruction.
struct Recorder {
  Recorder() {
    namespace tools = Kokkos::Tools::Experimental;
    launches.clear();
    allocations.clear();
    tools::set_begin_parallel_for_callback(on_launch);
    tools::set_begin_parallel_reduce_callback(on_launch);
    tools::set_begin_parallel_scan_callback(on_launch);
    tools::set_allocate_data_callback(on_allocate);
  }
  ~Recorder() {
    namespace tools = Kokkos::Tools::Experimental;
    tools::set_begin_parallel_for_callback(nullptr);
    tools::set_begin_parallel_reduce_callback(nullptr);
    tools::set_begin_parallel_scan_callback(nullptr);
    tools::set_allocate_data_callback(nullptr);
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

TEST_CASE("after the first steps a training step allocates nothing", "[instrumentation]") {
  S const space;
  auto const toy = m2u::test::make_toy_model();
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  auto const batch = m2u::test::make_toy_batch(space, 12);
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  step(tape, theta, toy.model, batch, 0);
  step(tape, theta, toy.model, batch, 1);
  Recorder const recorder;
  step(tape, theta, toy.model, batch, 2);
  space.fence();
  for (auto const& name : allocations) {
    INFO("allocated: " << name);
  }
  CHECK(allocations.empty());
}
