// SPDX-License-Identifier: Apache-2.0
// The same step and the same training on every execution space of this build of Kokkos.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "m2u/train/adam.hpp"
#include "m2u/train/batch_source.hpp"
#include "m2u/train/trainer.hpp"
#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

/// A data set of toy samples.
struct ToySamples {
  int size() const { return 24; }
  template <m2u::ExecutionSpace S>
  m2u::HostBatch<S> collate(std::span<int const> ids) const {
    return m2u::test::make_toy_host_batch<S>({ids.begin(), ids.end()});
  }
};

struct StepValues {
  std::string space;
  float loss = 0.0F;
  std::map<std::string, std::vector<float>> gradients;
  std::vector<double> curve;
};

template <class S>
StepValues step_on(S const& space) {
  StepValues result{S::name(), 0.0F, {}, {}};
  auto const toy = m2u::test::make_toy_model();
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  {
    m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
    tape.reset(0);
    theta.zero_gradients(space);
    auto const batch = m2u::test::make_toy_batch(space, 12);  // the backward pass reads it
    auto const losses = toy.model.losses(tape, batch);
    tape.backward(losses.total);
    auto const all = m2u::to_host(space, theta.gradients());
    for (auto const& entry : toy.layout.parameters()) {
      auto const first = all.begin() + static_cast<std::ptrdiff_t>(entry.slice.offset);
      result.gradients[entry.name].assign(first,
                                          first + static_cast<std::ptrdiff_t>(entry.slice.size()));
    }
    result.loss = m2u::to_host(space, losses.total.value)[0];
  }
  m2u::Adam<S> adam{theta, {.learning_rate = 1e-3}};
  m2u::Trainer trainer{toy.model, theta, adam};
  m2u::SequentialBatches<S, ToySamples> source(ToySamples{}, {.size = 8});
  auto const fit = trainer.fit(space, source, {.epochs = 5, .seed = m2u::Seed{3}});
  for (auto const& epoch : fit.history) {
    result.curve.push_back(epoch.loss);
  }
  return result;
}

}  // namespace

// Sums are in another order there, and products by another library: the last digits differ. Of a
// parameter's gradient the largest entry is the measure: small ones are differences of large ones.
TEST_CASE("a step and a training curve agree on all spaces", "[transfer][spaces]") {
  std::vector<StepValues> results;
  m2u::test::for_each_space(
      [&]<class S>(std::type_identity<S>) { results.push_back(step_on(S{})); });
  auto const& first = results.front();
  CHECK(first.curve.back() < first.curve.front());
  if (results.size() == 1) {
    SKIP("this build of Kokkos has one execution space, " << first.space);
  }
  for (std::size_t i = 1; i < results.size(); ++i) {
    auto const& other = results[i];
    INFO(first.space << " and " << other.space);
    CHECK(std::abs(other.loss - first.loss) <= 1e-5F * std::abs(first.loss));
    for (auto const& [name, values] : first.gradients) {
      auto const& others = other.gradients.at(name);
      float largest = 0.0F;
      float difference = 0.0F;
      for (std::size_t k = 0; k < values.size(); ++k) {
        largest = std::max(largest, std::abs(values[k]));
        difference = std::max(difference, std::abs(values[k] - others[k]));
      }
      INFO(name << ": largest " << largest << ", difference " << difference);
      CHECK(difference <= 1e-4F * largest + 1e-7F);
    }
    for (std::size_t epoch = 0; epoch < first.curve.size(); ++epoch) {
      INFO("epoch " << epoch + 1 << ": " << first.curve[epoch] << ", " << other.curve[epoch]);
      CHECK(std::abs(first.curve[epoch] - other.curve[epoch]) <=
            1e-3 * std::abs(first.curve[epoch]));
    }
  }
}
