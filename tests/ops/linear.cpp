// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/linear.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "support/gradient_cases.hpp"

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

bool const cases[] = {
    add_gradient_case("linear", "none", [](auto s) { return check(s, 7, Activation::none); }),
    add_gradient_case("linear", "relu", [](auto s) { return check(s, 300, Activation::relu); }),
    add_gradient_case("linear", "gelu", [](auto s) { return check(s, 7, Activation::gelu); }),
    add_gradient_case("linear", "silu", [](auto s) { return check(s, 7, Activation::silu); }),
    add_gradient_case("linear", "shifted softplus",
                      [](auto s) { return check(s, 7, Activation::shifted_softplus); }),
    add_gradient_case("linear", "one row", [](auto s) { return check(s, 1, Activation::relu); }),
    add_gradient_case("linear", "no rows", [](auto s) { return check(s, 0, Activation::relu); }),
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
