// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/linear.hpp"
#include "m2u/ops/add.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/nn/linear.hpp"
#include "support/gradient_cases.hpp"
#include "support/spaces.hpp"

namespace {

using m2u::Activation;
using m2u::test::add_gradient_case;

template <class S>
m2u::GradientReport check(S const& space, int rows, Activation activation) {
  return m2u::gradient_check(
      space, {},
      {m2u::random_input(rows, 3, {1}), m2u::random_input(5, 3, {2}), m2u::random_input(1, 5, {3})},
      [=](auto& tape, auto const& in) {
        return m2u::linear(tape, in[0], in[1], in[2], activation);
      });
}

/// Two maps added up, dropout and a residual.
template <class S>
m2u::GradientReport check_tail(S const& space, int rows, Activation activation, float dropout) {
  return m2u::gradient_check(
      space, {},
      {m2u::random_input(rows, 3, {1}), m2u::random_input(5, 3, {2}), m2u::random_input(1, 5, {3}),
       m2u::random_input(rows, 2, {4}), m2u::random_input(5, 2, {5}),
       m2u::random_input(rows, 5, {6})},
      [=](auto& tape, auto const& in) {
        auto const y = m2u::linear(
            tape, std::array{m2u::LinearTerm{in[0], in[1]}, m2u::LinearTerm{in[3], in[4]}}, in[2],
            {.activation = activation, .dropout = dropout, .residual = in[5]});
        return m2u::add(tape, y, in[5]);  // a second gradient for the residual
      });
}

/// Two inputs side by side, neither a parameter.
template <class S>
m2u::GradientReport check_side_by_side(S const& space, int rows) {
  return m2u::gradient_check(
      space, {},
      {m2u::random_input(rows, 3, {1}), m2u::random_input(rows, 2, {2}),
       m2u::random_input(4, 5, {3}), m2u::random_input(1, 4, {4})},
      [](auto& tape, auto const& in) {
        return m2u::linear(
            tape, std::array{m2u::LinearTerm{in[0], in[2]}, m2u::LinearTerm{in[1], in[2], 3}},
            in[3]);
      });
}

bool const linear_cases[] = {
    add_gradient_case("linear", "none", [](auto s) { return check(s, 7, Activation::none); }),
    add_gradient_case("linear", "relu", [](auto s) { return check(s, 300, Activation::relu); }),
    add_gradient_case("linear", "gelu", [](auto s) { return check(s, 7, Activation::gelu); }),
    add_gradient_case("linear", "silu", [](auto s) { return check(s, 7, Activation::silu); }),
    add_gradient_case("linear", "shifted softplus",
                      [](auto s) { return check(s, 7, Activation::shifted_softplus); }),
    add_gradient_case("linear", "one row", [](auto s) { return check(s, 1, Activation::relu); }),
    add_gradient_case("linear", "no rows", [](auto s) { return check(s, 0, Activation::relu); }),
    add_gradient_case("linear", "two maps and a residual",
                      [](auto s) { return check_tail(s, 61, Activation::silu, 0.0F); }),
    add_gradient_case("linear", "dropout and a residual",
                      [](auto s) { return check_tail(s, 61, Activation::none, 0.4F); }),
    add_gradient_case("linear", "relu, dropout and a residual",
                      [](auto s) { return check_tail(s, 61, Activation::relu, 0.4F); }),
    add_gradient_case("linear", "a tail without rows",
                      [](auto s) { return check_tail(s, 0, Activation::relu, 0.4F); }),
    add_gradient_case("linear", "side by side", [](auto s) { return check_side_by_side(s, 50); }),
    add_gradient_case("linear", "relu and dropout",
                      [](auto s) {
                        return m2u::gradient_check(
                            s, {},
                            {m2u::random_input(60, 3, {1}), m2u::random_input(5, 3, {2}),
                             m2u::random_input(1, 5, {3})},
                            [](auto& tape, auto const& in) {
                              return m2u::linear(tape, in[0], in[1], in[2],
                                                 {.activation = Activation::relu, .dropout = 0.3F});
                            });
                      }),
    add_gradient_case("linear", "without bias",
                      [](auto s) {
                        return m2u::gradient_check(
                            s, {}, {m2u::random_input(4, 3, {1}), m2u::random_input(5, 3, {2})},
                            [](auto& tape, auto const& in) {
                              return m2u::linear(tape, in[0], in[1]);
                            });
                      }),
};

}  // namespace

TEST_CASE("linear refuses shapes that do not fit", "[linear]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const x = tape.constant(tape.matrix(2, 3));
  auto const weight = tape.constant(tape.matrix(5, 4));
  auto const bias = tape.constant(tape.matrix(1, 5));
  CHECK_THROWS_WITH(m2u::linear(tape, x, weight, bias),
                    Catch::Matchers::ContainsSubstring("input [2, 3] does not fit weight [5, 4]"));
}

TEMPLATE_LIST_TEST_CASE("inference changes no bit", "[linear]", m2u::test::Spaces) {
  TestType const space;
  m2u::ParameterLayout layout;
  m2u::Linear const layer(layout.scope("layer"), 70, 37);
  m2u::Parameters<TestType> const theta(space, layout, m2u::Seed{3});
  auto const input = m2u::random_input(5, 70, {4});
  std::vector<float> const values(input.values.begin(), input.values.end());
  m2u::Tape<TestType> plain(space, theta, m2u::Mode::evaluation);
  m2u::Tape<TestType> keeping(space, theta, m2u::Mode::evaluation);
  keeping.infer_only();
  auto const result = [&](auto& tape, int rows, auto const& f) {
    auto const x = tape.matrix(rows, 70);
    m2u::from_host(space, std::span<float const>(values).first(static_cast<std::size_t>(rows * 70)),
                   x);
    return m2u::to_host(space, f(tape, tape.constant(x)).value);
  };
  auto const layered = [&](auto& tape, auto const& x) { return layer(tape, x); };
  for (int const rows : {5, 1, 3}) {
    keeping.reset(1);
    CHECK(result(keeping, rows, layered) == result(plain, rows, layered));
  }
  // A weight that is no parameter may change between calls, at the same place.
  for (float const factor : {1.0F, 2.0F}) {
    keeping.reset(1);
    auto const weight = keeping.matrix(2, 70);
    Kokkos::deep_copy(space, weight, factor);
    auto const sums = result(keeping, 1, [&](auto& tape, auto const& x) {
      return m2u::linear(tape, x, tape.constant(weight));
    });
    float sum = 0.0F;
    for (std::size_t k = 0; k < 70; ++k) {
      sum += factor * values[k];
    }
    CHECK(std::abs(sums[0] - sum) < 1e-4F);
  }
  m2u::Tape<TestType> training(space, theta, m2u::Mode::training);
  CHECK_THROWS_WITH(training.infer_only(),
                    Catch::Matchers::ContainsSubstring("parameters change in training"));
}
