// SPDX-License-Identifier: Apache-2.0
#include "m2u/autodiff/tape.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/linear.hpp"
#include "m2u/ops/scale.hpp"

namespace {
using S = Kokkos::DefaultExecutionSpace;
using Catch::Matchers::ContainsSubstring;
}  // namespace

TEST_CASE("a layout hands out aligned, named slices", "[parameters]") {
  m2u::ParameterLayout layout;
  auto const scope = layout.scope("hub").scope("layer", 0);
  auto const a = scope.matrix("weight", 3, 5, m2u::Initialiser::uniform(1.0F));
  auto const b = scope.vector("bias", 7, m2u::Initialiser::constant(2.0F));
  auto const s = scope.state("running", 4, 1.0F);
  CHECK(a.offset == 0);
  CHECK(b.offset == 64);
  CHECK(s.offset == 0);
  CHECK(layout.parameter_size() == 128);
  CHECK(layout.parameters()[1].name == "hub.layer0.bias");
  CHECK(layout.parameters()[1].shape == std::vector<int>{7});
  CHECK_THROWS_WITH(scope.vector("bias", 2, {}),
                    ContainsSubstring("\"hub.layer0.bias\" is used twice"));
  CHECK_THROWS_WITH(scope.matrix("empty", 0, 2, {}), ContainsSubstring("must be positive"));

  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{3});
  auto const values = m2u::to_host(S{}, theta.values());
  CHECK(values[0] != values[1]);
  CHECK(values[64] == 2.0F);
  CHECK(values[71] == 0.0F);  // padding
  CHECK(m2u::to_host(S{}, theta.state())[3] == 1.0F);

  // Another parameter does not change the draws of the first.
  m2u::ParameterLayout larger;
  larger.scope("other").matrix("weight", 9, 9, m2u::Initialiser::normal(1.0F));
  auto const again =
      larger.scope("hub").scope("layer", 0).matrix("weight", 3, 5, m2u::Initialiser::uniform(1.0F));
  m2u::Parameters<S> const other(S{}, larger, m2u::Seed{3});
  CHECK(m2u::to_host(S{}, other.value(again)) == m2u::to_host(S{}, theta.value(a)));

  m2u::ParameterLayout tiny;
  CHECK_THROWS_WITH((m2u::Parameters<S>(S{}, tiny, {}).value(a)),
                    ContainsSubstring("another layout"));
}

TEST_CASE("stacked tables are initialised each by its own size", "[parameters]") {
  m2u::ParameterLayout layout;
  auto const slice =
      layout.scope("t").matrix("weight", 102, 50, m2u::Initialiser::xavier_tables({100, 2}));
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{3});
  auto const values = m2u::to_host(S{}, theta.value(slice));
  auto const largest = [&](std::size_t first, std::size_t last) {
    float most = 0.0F;
    for (std::size_t i = first * 50; i < last * 50; ++i) {
      most = std::max(most, std::abs(values[i]));
    }
    return most;
  };
  CHECK(largest(0, 100) <= std::sqrt(6.0F / 150.0F));
  CHECK(largest(0, 100) > 0.98F * std::sqrt(6.0F / 150.0F));
  CHECK(largest(100, 102) <= std::sqrt(6.0F / 52.0F));
  CHECK(largest(100, 102) > 0.85F * std::sqrt(6.0F / 52.0F));
}

TEST_CASE("a tensor that is used twice gets both gradients, an unused op none", "[tape]") {
  auto const report =
      m2u::gradient_check(S{}, {}, {m2u::random_input(4, 4, {1})}, [](auto& tape, auto const& in) {
        auto const unused = m2u::linear(tape, in[0], in[0]);
        static_cast<void>(unused);
        auto const y = m2u::linear(tape, in[0], in[0]);
        return m2u::linear(tape, y, in[0]);
      });
  INFO(report);
  CHECK(report.difference_error < 1e-8);
}

TEST_CASE("the gradient check finds a wrong gradient", "[tape]") {
  auto const report = m2u::gradient_check(
      S{}, {}, {m2u::random_input(4, 3, {1})}, []<class R>(m2u::Tape<S, R>& tape, auto const& in) {
        auto const x = in[0];
        auto const y = tape.result(x.rows(), x.cols(), x);
        Kokkos::deep_copy(tape.space(), y.value, x.value);
        tape.record("wrong", y, [=](m2u::Tape<S, R>& back, auto const&) {
          Kokkos::deep_copy(back.space(), back.gradient(x).matrix, R(1));
        });
        return y;
      });
  CHECK(report.difference_error > 0.1);
}

TEST_CASE("the tape refuses what it cannot do", "[tape]") {
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const constant = tape.constant(tape.matrix(1, 1));
  CHECK_THROWS_WITH(tape.gradient(constant), ContainsSubstring("is a constant"));
  CHECK_THROWS_WITH(tape.backward(constant), ContainsSubstring("no parameter or variable"));
  CHECK_THROWS_WITH(tape.backward(tape.variable(tape.matrix(2, 1))),
                    ContainsSubstring("must be [1, 1], but is [2, 1]"));
}

TEST_CASE("the arena grows once and then stays", "[arena]") {
  S const space;
  m2u::Arena<S> arena;
  for (int step = 0; step < 3; ++step) {
    arena.reset(space);
    for (int i = 0; i < 40; ++i) {
      auto* const memory = arena.allocate(space, 100'000);
      REQUIRE(memory != nullptr);
      CHECK(reinterpret_cast<std::uintptr_t>(memory) % 64 == 0);
    }
    CHECK(arena.high_water() == 40 * ((100'000 + 255) / 256 * 256));
  }
}

TEST_CASE("closures are destroyed, in any number", "[arena]") {
  auto const token = std::make_shared<int>(1);
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  for (int step = 0; step < 2; ++step) {
    tape.reset(static_cast<std::uint64_t>(step));
    auto const x = tape.variable(tape.matrix(1, 1));
    for (int i = 0; i < 5000; ++i) {
      auto const y = tape.result(1, 1, x);
      tape.record("token", y, [token](m2u::Tape<S>&, m2u::Matrix<float, S> const&) {});
    }
    CHECK(token.use_count() == 5001);
  }
  tape.reset(9);
  CHECK(token.use_count() == 1);
}

TEST_CASE("the first op that is not finite is found", "[tape]") {
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const x = tape.variable(tape.matrix(1, 1));
  Kokkos::deep_copy(x.value, 1.0F);
  auto const good = m2u::linear(tape, x, x);
  CHECK(tape.first_non_finite_value().empty());
  auto const bad = tape.constant(tape.matrix(1, 1));
  Kokkos::deep_copy(bad.value, std::numeric_limits<float>::infinity());
  auto const y = m2u::linear(tape, good, bad);
  CHECK(tape.first_non_finite_value() == "linear");
  CHECK(tape.first_non_finite_gradient(y) == "linear");
}

TEST_CASE("the backward pass uses its memory again", "[tape]") {
  constexpr int depth = 40;
  constexpr std::size_t bytes = 64 * 64 * sizeof(float);
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const x = tape.variable(tape.matrix(64, 64));
  Kokkos::deep_copy(x.value, 1.0F);
  auto y = x;
  for (int i = 0; i < depth; ++i) {
    y = m2u::scale(tape, y, 1.5F);
  }
  CHECK(tape.high_water() == (depth + 1) * bytes);
  tape.backward_from(y, std::vector<float>(64 * 64, 1.0F));
  CHECK(tape.high_water() <= (depth + 4) * bytes);
  auto const gradient = m2u::to_host(S{}, tape.gradient(x).matrix);
  CHECK(std::abs(gradient[7] / std::pow(1.5F, depth) - 1.0F) < 1e-4F);
}

TEST_CASE("a passed gradient is the output's own, and later ones are added to it", "[tape]") {
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const x = tape.variable(tape.matrix(1, 2));
  Kokkos::deep_copy(x.value, 1.0F);
  // Twice the same input: the first gradient is copied or passed, the second one added.
  auto const y = m2u::add(tape, m2u::add(tape, x, x), x);
  tape.backward_from(y, {1.0F, 10.0F});
  CHECK(m2u::to_host(S{}, tape.gradient(x).matrix) == std::vector<float>{3.0F, 30.0F});

  tape.reset(1);
  auto const z = tape.variable(tape.matrix(1, 1));
  auto const other = tape.matrix(1, 1);
  auto const output = tape.result(1, 1, z);
  tape.record("wrong", output, [=](m2u::Tape<S>& back, m2u::Matrix<float, S> const&) {
    back.pass_gradient(z, other);
  });
  CHECK_THROWS_WITH(tape.backward_from(output, {1.0F}),
                    ContainsSubstring("the backward function was called with"));
}

TEST_CASE("dropped values are made again, and their memory is used meanwhile", "[tape]") {
  m2u::ParameterLayout layout;
  constexpr int blocks = 3;
  constexpr int layers = 3;
  std::vector<m2u::Linear> linear;
  for (int i = 0; i < blocks * layers; ++i) {
    linear.emplace_back(layout.scope("net").scope("layer", i), 16, 16);
  }
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{3});
  auto const input = m2u::random_input(200, 16, {1});
  std::vector<float> const ones(200 * 16, 1.0F);
  std::size_t memory = 0;
  auto const gradients = [&](bool keep) {
    m2u::Tape<S> tape(S{}, theta, m2u::Mode::training);
    tape.keep_values(keep);
    std::vector<float> result;
    for (std::uint64_t step : {0, 1}) {  // the second finds the memory of the first
      tape.reset(step);
      theta.zero_gradients(S{});
      auto const x = tape.variable(tape.matrix(200, 16));
      m2u::from_host(
          S{}, std::span<float const>(std::vector<float>(input.values.begin(), input.values.end())),
          x.value);
      auto const last = tape.internal([&] {
        auto h = m2u::scale(tape, x, 0.5F);
        for (int block = 0; block < blocks; ++block) {
          std::vector<m2u::Tensor<S>> made{h};
          for (int i = 0; i < layers; ++i) {
            made.push_back(linear[static_cast<std::size_t>(block * layers + i)](
                tape, made.back(), {.activation = m2u::Activation::silu, .residual = made.back()}));
          }
          h = m2u::scale(tape, made.back(), 0.5F);
          for (; !made.empty(); made.pop_back()) {
            tape.drop(made.back());
          }
        }
        return h;
      });
      auto const y = m2u::scale(tape, last, 2.0F);
      tape.backward_from(y, ones);
      result = m2u::to_host(S{}, theta.gradients());
      auto const dx = m2u::to_host(S{}, tape.gradient(x).matrix);
      result.insert(result.end(), dx.begin(), dx.end());
    }
    memory = tape.high_water();
    return result;
  };
  auto const kept = gradients(true);
  auto const memory_kept = memory;
  CHECK(gradients(false) == kept);
  CHECK(memory + 4 * ones.size() * sizeof(float) <= memory_kept);
  CHECK(std::any_of(kept.begin(), kept.end(), [](float x) { return x != 0.0F; }));
}
