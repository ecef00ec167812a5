// SPDX-License-Identifier: Apache-2.0
// Optimisers, parameter groups, clipping and schedules.
#include "m2u/train/adam.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/train/schedule.hpp"
#include "m2u/train/sgd.hpp"
#include "support/spaces.hpp"

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Odd sizes, more than one team's blocks, and names that are prefixes of others.
m2u::ParameterLayout make_layout() {
  m2u::ParameterLayout layout;
  layout.scope("hub").matrix("weight", 37, 131, m2u::Initialiser::normal(1));
  layout.scope("hub").scope("deep").vector("bias", 65, m2u::Initialiser::normal(1));
  layout.scope("hub2").vector("bias", 3, m2u::Initialiser::normal(1));
  layout.scope("head").matrix("weight", 5, 7, m2u::Initialiser::normal(1));
  return layout;
}

float gradient_at(std::size_t i, int step) {
  return m2u::RandomStream{static_cast<std::uint64_t>(step), 4}.uniform(i) - 0.5F;
}

/// Gradients for a step: random where there are parameters, zero in the padding.
template <class S>
std::vector<float> set_gradients(S const& space, m2u::Parameters<S> const& theta, int step) {
  std::vector<float> gradients(theta.gradients().extent(0), 0.0F);
  for (auto const& entry : theta.layout().parameters()) {
    for (std::size_t i = 0; i < entry.slice.size(); ++i) {
      gradients[entry.slice.offset + i] = gradient_at(entry.slice.offset + i, step);
    }
  }
  m2u::from_host(space, std::span<float const>(gradients), theta.gradients());
  return gradients;
}

double norm_of(std::vector<float> const& values) {
  double squares = 0.0;
  for (float const value : values) {
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(squares);
}

/// PyTorch's formulas, in double.
struct Reference {
  std::vector<double> weight;
  std::vector<double> first = std::vector<double>(weight.size(), 0.0);
  std::vector<double> second = std::vector<double>(weight.size(), 0.0);
  int steps = 0;

  void adam(std::vector<float> const& gradients, double scale, double factor, bool decoupled,
            std::vector<double> const& rate, std::vector<double> const& decay) {
    ++steps;
    double const correction1 = 1.0 - std::pow(0.9, steps);
    double const correction2 = 1.0 - std::pow(0.999, steps);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      double const lr = rate[i] * factor;
      double g = scale * static_cast<double>(gradients[i]);
      if (decoupled) {
        weight[i] *= 1.0 - lr * decay[i];
      } else {
        g += decay[i] * weight[i];
      }
      first[i] = 0.9 * first[i] + 0.1 * g;
      second[i] = 0.999 * second[i] + 0.001 * g * g;
      weight[i] -=
          lr / correction1 * first[i] / (std::sqrt(second[i]) / std::sqrt(correction2) + 1e-8);
    }
  }
  void sgd(std::vector<float> const& gradients, std::vector<double> const& rate, double decay) {
    for (std::size_t i = 0; i < weight.size(); ++i) {
      first[i] = 0.8 * first[i] + static_cast<double>(gradients[i]) + decay * weight[i];
      weight[i] -= rate[i] * first[i];
    }
  }
  double worst(std::vector<float> const& values) const {
    double worst = 0.0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(values[i]) - weight[i]));
    }
    return worst;
  }
};

template <class S>
Reference reference_of(m2u::Parameters<S> const& theta) {
  auto const values = m2u::to_host(S{}, theta.values());
  return {{values.begin(), values.end()}};
}

/// One number per parameter from the parameter's name.
template <class F>
std::vector<double> spread(m2u::ParameterLayout const& layout, F const& of_name) {
  std::vector<double> result(layout.parameter_size(), 0.0);
  for (auto const& entry : layout.parameters()) {
    for (std::size_t i = 0; i < entry.slice.size(); ++i) {
      result[entry.slice.offset + i] = of_name(entry.name);
    }
  }
  return result;
}

template <class S, class Optimiser>
void compare_adam(bool decoupled) {
  S const space;
  m2u::Parameters<S> const theta(space, make_layout(), m2u::Seed{1});
  auto reference = reference_of(theta);
  Optimiser adam(theta,
                 {.learning_rate = 1e-3,
                  .weight_decay = 0.1,
                  .groups = {{"hub.deep.", 5e-3, 0.0}, {"hub", 2e-3, {}}, {"head", 0.0, 0.3}}});
  auto const rate = spread(theta.layout(), [](std::string const& name) {
    return name.starts_with("hub.deep.") ? 5e-3
           : name.starts_with("hub.")    ? 2e-3
           : name.starts_with("head.")   ? 0.0
                                         : 1e-3;
  });
  auto const decay = spread(theta.layout(), [](std::string const& name) {
    return name.starts_with("hub.deep.") ? 0.0 : name.starts_with("head.") ? 0.3 : 0.1;
  });
  for (int step = 0; step < 20; ++step) {
    auto const gradients = set_gradients(space, theta, step);
    double const clip = step % 2 == 0 ? 0.0 : 3.0;
    double const factor = step < 10 ? 1.0 : 0.5;
    adam.step(space, factor, {.clip_norm = clip});
    double const scale = clip > 0.0 ? std::min(1.0, clip / (norm_of(gradients) + 1e-6)) : 1.0;
    reference.adam(gradients, scale, factor, decoupled, rate, decay);
  }
  CHECK(reference.worst(m2u::to_host(space, theta.values())) < 2e-6);
  CHECK(adam.state().steps == 20);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("Adam and AdamW follow PyTorch's formulas", "[adam]", m2u::test::Spaces) {
  compare_adam<TestType, m2u::Adam<TestType>>(false);
  compare_adam<TestType, m2u::AdamW<TestType>>(true);
}

TEMPLATE_LIST_TEST_CASE("Sgd follows PyTorch's formula", "[sgd]", m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::Parameters<S> const theta(space, make_layout(), m2u::Seed{1});
  auto reference = reference_of(theta);
  m2u::Sgd<S> sgd{theta,
                  {.learning_rate = 0.1,
                   .momentum = 0.8,
                   .weight_decay = 0.01,
                   .groups = {{"hub2.bias", 0.2, {}}}}};
  auto const rate = spread(theta.layout(),
                           [](std::string const& name) { return name == "hub2.bias" ? 0.2 : 0.1; });
  for (int step = 0; step < 20; ++step) {
    auto const gradients = set_gradients(space, theta, step);
    sgd.step(space);
    reference.sgd(gradients, rate, 0.01);
  }
  CHECK(reference.worst(m2u::to_host(space, theta.values())) < 1e-5);
}

TEST_CASE("the first Adam step is the learning rate against the gradient's sign", "[adam]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  layout.scope("a").vector("w", 3, m2u::Initialiser::constant(1));
  m2u::Parameters<S> const theta(S{}, layout, {});
  m2u::Adam adam{theta, {.learning_rate = 0.01}};
  std::vector<float> gradients(64, 0.0F);
  gradients[0] = 1e-3F;
  gradients[1] = -40.0F;
  m2u::from_host(S{}, std::span<float const>(gradients), theta.gradients());
  adam.step(S{});
  auto const values = m2u::to_host(S{}, theta.values());
  CHECK(values[0] == Approx(0.99).epsilon(1e-5));
  CHECK(values[1] == Approx(1.01).epsilon(1e-5));
  CHECK(values[2] == 1.0F);
  CHECK(values[3] == 0.0F);  // padding stays zero
}

TEST_CASE("wrong parameter groups and options are refused", "[adam]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Parameters<S> const theta(S{}, make_layout(), {});
  auto const make = [&](m2u::AdamOptions const& options) { return m2u::Adam<S>(theta, options); };
  CHECK_THROWS_WITH(
      make({.groups = {{"hubs.", 1, {}}}}),
      ContainsSubstring("\"hubs.\" holds no parameter; the scopes are head, hub, hub2"));
  CHECK_THROWS_WITH(make({.groups = {{"hub.we", 1, {}}}}), ContainsSubstring("holds no parameter"));
  CHECK_THROWS_WITH(make({.groups = {{"hub", 1, {}}, {"hub", 2, {}}}}), ContainsSubstring("twice"));
  CHECK_THROWS_AS(make({.groups = {{"hub", -1, {}}}}), m2u::Error);
  CHECK_THROWS_AS(make({.learning_rate = std::nan("")}), m2u::Error);
  CHECK_THROWS_AS(make({.beta1 = 1.0}), m2u::Error);
  CHECK_THROWS_AS(m2u::Sgd<S>(theta, {.momentum = 1.0}), m2u::Error);
  CHECK_THROWS_AS(make({}).step(S{}, -1.0), m2u::Error);
  CHECK_NOTHROW(make({.groups = {{"hub.weight", 1, {}}, {"hub2", 1, {}}}}));
}

TEMPLATE_LIST_TEST_CASE("the gradient norm is exact and clips without waiting", "[clip]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::Parameters<S> const theta(space, make_layout(), m2u::Seed{1});
  auto const gradients = set_gradients(space, theta, 1);
  m2u::GradientGuard<S> const guard(space, gradients.size());
  guard.measure(space, theta.gradients(), {});
  CHECK(guard.read(space).norm == Approx(norm_of(gradients)).epsilon(1e-13));
  CHECK(guard.read(space).scale == 1.0);
  CHECK(guard.read(space).stopped_at == -1);
  m2u::clip_gradients(space, theta, 1e9);
  CHECK(m2u::to_host(space, theta.gradients()) == gradients);
  m2u::clip_gradients(space, theta, 0.5);
  CHECK(norm_of(m2u::to_host(space, theta.gradients())) == Approx(0.5).epsilon(1e-5));
  CHECK_THROWS_AS(m2u::clip_gradients(space, theta, -1.0), m2u::Error);
}

TEMPLATE_LIST_TEST_CASE("a gradient or loss that is not finite stops all updates", "[clip]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::Parameters<S> const theta(space, make_layout(), m2u::Seed{1});
  m2u::Adam adam{theta};
  set_gradients(space, theta, 1);
  adam.step(space, 1.0, {.number = 10});
  auto const good = m2u::to_host(space, theta.values());
  auto const loss = m2u::make_vector<float>(space, "loss", 1);
  for (float const bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    adam.guard().reset(space);
    SECTION("in one gradient " + std::to_string(bad)) {
      auto gradients = set_gradients(space, theta, 2);
      gradients[gradients.size() / 2] = bad;
      m2u::from_host(space, std::span<float const>(gradients), theta.gradients());
      adam.step(space, 1.0, {.number = 11});
    }
    SECTION("in the loss " + std::to_string(bad)) {
      Kokkos::deep_copy(loss, bad);
      adam.step(space, 1.0, {.loss = loss.data(), .number = 11});
    }
    set_gradients(space, theta, 3);
    Kokkos::deep_copy(loss, 1.0F);
    if (adam.guard().read(space).stopped_at >= 0) {
      adam.step(space, 1.0, {.loss = loss.data(), .number = 12});
      CHECK(adam.guard().read(space).stopped_at == 11);
      CHECK(m2u::to_host(space, theta.values()) == good);
      adam.guard().reset(space);
      adam.step(space, 1.0, {.loss = loss.data(), .number = 13});
      CHECK(m2u::to_host(space, theta.values()) != good);
    }
  }
}

TEST_CASE("schedules", "[schedule]") {
  static_assert(m2u::Schedule<m2u::MultiStep> && m2u::Schedule<m2u::CosineDecay> &&
                m2u::Schedule<m2u::Constant> && m2u::Schedule<m2u::TrainSchedule> &&
                !m2u::Schedule<int>);
  m2u::MultiStep const steps{{100, 200}, 0.8};
  CHECK(steps(99.99) == 1.0);
  CHECK(steps(100) == 0.8);
  CHECK(steps(200) == Approx(0.64));
  m2u::CosineDecay const cosine{.total = 10, .warmup = 2, .floor = 0.1};
  CHECK(cosine(0) == 0.0);
  CHECK(cosine(1) == 0.5);
  CHECK(cosine(2) == 1.0);
  CHECK(cosine(6) == Approx(0.55));
  CHECK(cosine(10) == Approx(0.1));
  CHECK(cosine(50) == Approx(0.1));
  CHECK(m2u::CosineDecay{.total = 4}(0) == 1.0);
  CHECK_THROWS_AS((m2u::CosineDecay{.total = 1, .warmup = 1}(0)), m2u::Error);
  m2u::TrainSchedule const stored = m2u::Constant{};
  CHECK(stored(17.5) == 1.0);
}
