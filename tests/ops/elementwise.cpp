// SPDX-License-Identifier: Apache-2.0
// activation, add, scale, multiply, dropout.
#include "m2u/ops/activation.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/dropout.hpp"
#include "m2u/ops/multiply.hpp"
#include "m2u/ops/scale.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cmath>
#include <limits>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Activation;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::largest_difference;
using m2u::test::OpTape;

template <class S>
m2u::GradientReport check_activation(S const& space, int rows, Activation kind) {
  return m2u::gradient_check(
      space, {}, {random_input(rows, 5, {1})},
      [=](auto& tape, auto const& in) { return m2u::activation(tape, in[0], kind); });
}

template <class S>
m2u::GradientReport check_two(S const& space, int rows, auto const& f) {
  return m2u::gradient_check(space, {}, {random_input(rows, 3, {1}), random_input(rows, 3, {2})},
                             f);
}

auto const add_two = [](auto& tape, auto const& in) { return m2u::add(tape, in[0], in[1]); };
auto const multiply_two = [](auto& tape, auto const& in) {
  return m2u::multiply(tape, in[0], in[1]);
};
// Every input is used twice, so its gradient is first written and then added to.
auto const product_of_sums = [](auto& tape, auto const& in) {
  return m2u::multiply(tape, m2u::add(tape, in[0], in[1], in[0]),
                       m2u::multiply(tape, in[1], in[1]));
};
auto const scale_twice = [](auto& tape, auto const& in) {
  return m2u::add(tape, m2u::scale(tape, in[0], -1.5), m2u::scale(tape, in[0], 0.25));
};

template <class S>
m2u::GradientReport check_scale(S const& space, int rows) {
  return m2u::gradient_check(space, {}, {random_input(rows, 3, {1})}, scale_twice);
}

template <class S>
m2u::GradientReport check_dropout(S const& space, int rows, float p, m2u::Mode mode) {
  return m2u::gradient_check(
      space, {}, {random_input(rows, 7, {1})},
      [=](auto& tape, auto const& in) {
        auto const once = m2u::dropout(tape, in[0], p);
        return m2u::add(tape, once, m2u::dropout(tape, in[0], p));
      },
      mode);
}

bool const elementwise_cases[] = {
    add_gradient_case("activation", "none",
                      [](auto s) { return check_activation(s, 4, Activation::none); }),
    add_gradient_case("activation", "relu",
                      [](auto s) { return check_activation(s, 40, Activation::relu); }),
    add_gradient_case("activation", "gelu",
                      [](auto s) { return check_activation(s, 4, Activation::gelu); }),
    add_gradient_case("activation", "silu, one row",
                      [](auto s) { return check_activation(s, 1, Activation::silu); }),
    add_gradient_case("activation", "no rows",
                      [](auto s) { return check_activation(s, 0, Activation::relu); }),
    add_gradient_case("add", "two", [](auto s) { return check_two(s, 9, add_two); }),
    add_gradient_case("add", "one row", [](auto s) { return check_two(s, 1, add_two); }),
    add_gradient_case("add", "no rows", [](auto s) { return check_two(s, 0, add_two); }),
    add_gradient_case("add", "repeated", [](auto s) { return check_two(s, 5, product_of_sums); }),
    add_gradient_case("multiply", "two", [](auto s) { return check_two(s, 9, multiply_two); }),
    add_gradient_case("multiply", "one row", [](auto s) { return check_two(s, 1, multiply_two); }),
    add_gradient_case("multiply", "no rows", [](auto s) { return check_two(s, 0, multiply_two); }),
    add_gradient_case("multiply", "repeated",
                      [](auto s) { return check_two(s, 5, product_of_sums); }),
    add_gradient_case("scale", "twice", [](auto s) { return check_scale(s, 4); }),
    add_gradient_case("scale", "one row", [](auto s) { return check_scale(s, 1); }),
    add_gradient_case("scale", "no rows", [](auto s) { return check_scale(s, 0); }),
    add_gradient_case("dropout", "training",
                      [](auto s) { return check_dropout(s, 9, 0.4F, m2u::Mode::training); }),
    add_gradient_case("dropout", "evaluation",
                      [](auto s) { return check_dropout(s, 3, 0.4F, m2u::Mode::evaluation); }),
    add_gradient_case("dropout", "p = 0",
                      [](auto s) { return check_dropout(s, 3, 0.0F, m2u::Mode::training); }),
    add_gradient_case("dropout", "one row",
                      [](auto s) { return check_dropout(s, 1, 0.5F, m2u::Mode::training); }),
    add_gradient_case("dropout", "no rows",
                      [](auto s) { return check_dropout(s, 0, 0.5F, m2u::Mode::training); }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("elementwise ops give the values of plain loops", "[elementwise]",
                        m2u::test::Spaces) {
  OpTape<TestType> tape;
  auto const x = random_input(13, 5, {1});
  auto const z = random_input(13, 5, {2});
  auto const a = tape.input(x);
  auto const b = tape.input(z);
  auto const expect = [&](auto const& tensor, auto const& element) {
    std::vector<double> expected;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      expected.push_back(element(x.values[i], z.values[i]));
    }
    CHECK(shape(tensor) == m2u::Shape{13, 5});
    CHECK(largest_difference(tape.values(tensor), expected) < 1e-14);
  };
  expect(m2u::add(tape, a, b), [](double p, double q) { return p + q; });
  expect(m2u::add(tape, a, b, b, a), [](double p, double q) { return 2 * p + 2 * q; });
  expect(m2u::multiply(tape, a, b), [](double p, double q) { return p * q; });
  expect(m2u::scale(tape, a, -3), [](double p, double) { return -3 * p; });
  expect(m2u::activation(tape, a, Activation::none), [](double p, double) { return p; });
  expect(m2u::activation(tape, a, Activation::relu),
         [](double p, double) { return std::fmax(p, 0); });
  expect(m2u::activation(tape, a, Activation::silu),
         [](double p, double) { return p / (1 + std::exp(-p)); });
  expect(m2u::activation(tape, a, Activation::gelu),
         [](double p, double) { return p * 0.5 * std::erfc(-p / std::sqrt(2.0)); });
}

TEST_CASE("add and multiply refuse shapes that differ", "[elementwise]") {
  OpTape<Kokkos::DefaultExecutionSpace> tape;
  auto const a = tape.constant(tape.matrix(2, 3));
  auto const b = tape.constant(tape.matrix(3, 2));
  CHECK_THROWS_WITH(m2u::add(tape, a, b), ContainsSubstring("add: the shapes [2, 3] and [3, 2]"));
  CHECK_THROWS_WITH(m2u::multiply(tape, a, b),
                    ContainsSubstring("multiply: the shapes [2, 3] and [3, 2]"));
  CHECK_FALSE(m2u::add(tape, a, a).differentiable());
}

namespace {

/// Whether dropout keeps element i, said in the plainest way.
bool keeps(m2u::RandomStream const& stream, std::size_t i, float p) {
  auto const block = m2u::Philox::block<7>(stream.key, stream.stream, i / 128 * 16 + i % 16);
  auto const half = i % 128 / 16;
  auto const bits = block.words[half / 2] >> (half % 2 * 16) & 0xFFFFU;
  return bits >= std::lround(p * 65536.0F);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("dropout masks by the stream's numbers", "[dropout]", m2u::test::Spaces) {
  for (int const cols : {1, 4, 7, 128}) {
    OpTape<TestType, float> tape(m2u::Mode::training, {9});
    tape.reset(21);
    auto const stream = OpTape<TestType, float>(tape.mode(), {9}).random_stream();
    std::vector<float> const ones(static_cast<std::size_t>(101 * cols), 1.0F);
    auto const x = tape.input(101, cols, ones);
    auto const y = m2u::dropout(tape, x, 0.3F);
    m2u::RandomStream const expected_stream{stream.key, stream.stream | (21U << 20U)};
    std::vector<float> expected(ones.size());
    int kept = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      bool const keep = keeps(expected_stream, i, 0.3F);
      kept += keep ? 1 : 0;
      expected[i] = keep ? 65536.0F / (65536.0F - std::round(0.3F * 65536.0F)) : 0.0F;
    }
    CHECK(largest_difference(tape.values(y), expected) < 1e-6);
    CHECK(std::abs(kept / static_cast<double>(expected.size()) - 0.7) <
          4 * std::sqrt(0.21 / static_cast<double>(expected.size())));
    CHECK(largest_difference(tape.gradient_of(x, y, ones), tape.values(y)) == 0.0);
    auto const second = tape.values(m2u::dropout(tape, x, 0.3F));
    CHECK(largest_difference(second, tape.values(y)) > 0.0);
    tape.reset(21);
    auto const again = m2u::dropout(tape, tape.input(101, cols, ones), 0.3F);
    CHECK(largest_difference(tape.values(again), expected) < 1e-6);
  }
}

TEST_CASE("dropout is the identity when evaluating, and refuses other probabilities", "[dropout]") {
  using S = Kokkos::DefaultExecutionSpace;
  OpTape<S> tape;
  auto const x = tape.input(1, 2, {1.0, 2.0});
  CHECK(m2u::dropout(tape, x, 0.0F).entry == x.entry);
  for (float const p : {-0.1F, 1.0F, 2.0F, std::numeric_limits<float>::quiet_NaN()}) {
    CHECK_THROWS_WITH(m2u::dropout(tape, x, p), ContainsSubstring("is outside [0, 1)"));
  }
  tape.set_mode(m2u::Mode::evaluation);
  CHECK(m2u::dropout(tape, x, 0.9F).value.data() == x.value.data());
  CHECK_THROWS_AS(m2u::dropout(tape, x, 1.0F), m2u::Error);
}
