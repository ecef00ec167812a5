// SPDX-License-Identifier: Apache-2.0
// outer_product, reverse_gradient.
#include "m2u/ops/outer_product.hpp"

#include "m2u/ops/add.hpp"
#include "m2u/ops/reverse_gradient.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::largest_difference;
using m2u::test::OpTape;

// Every input is used twice, so its gradient is first written and then added to.
template <class S>
m2u::GradientReport check_product(S const& space, int rows, int m, int n) {
  return m2u::gradient_check(space, {}, {random_input(rows, m, {1}), random_input(rows, n, {2})},
                             [](auto& tape, auto const& in) {
                               return m2u::add(tape, m2u::outer_product(tape, in[0], in[1]),
                                               m2u::outer_product(tape, in[0], in[1]));
                             });
}

// Turned round twice, a gradient is as differences say.
template <class S>
m2u::GradientReport check_reverse(S const& space, int rows) {
  return m2u::gradient_check(space, {}, {random_input(rows, 3, {1})},
                             [](auto& tape, auto const& in) {
                               auto const once = m2u::reverse_gradient(tape, in[0], 2);
                               return m2u::add(tape, in[0], m2u::reverse_gradient(tape, once, 0.5));
                             });
}

bool const outer_product_cases[] = {
    add_gradient_case("outer_product", "two", [](auto s) { return check_product(s, 40, 5, 3); }),
    add_gradient_case("outer_product", "one column",
                      [](auto s) { return check_product(s, 7, 4, 1); }),
    add_gradient_case("outer_product", "one row", [](auto s) { return check_product(s, 1, 2, 6); }),
    add_gradient_case("outer_product", "no rows", [](auto s) { return check_product(s, 0, 2, 3); }),
    add_gradient_case("reverse_gradient", "twice", [](auto s) { return check_reverse(s, 5); }),
    add_gradient_case("reverse_gradient", "one row", [](auto s) { return check_reverse(s, 1); }),
    add_gradient_case("reverse_gradient", "no rows", [](auto s) { return check_reverse(s, 0); }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("outer_product gives the values of plain loops", "[outer_product]",
                        m2u::test::Spaces) {
  OpTape<TestType> tape;
  auto const a = random_input(37, 4, {1});
  auto const b = random_input(37, 3, {2});
  auto const y = m2u::outer_product(tape, tape.input(a), tape.input(b));
  std::vector<double> expected;
  for (std::size_t i = 0; i < 37; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        expected.push_back(a.values[i * 4 + j] * b.values[i * 3 + k]);
      }
    }
  }
  CHECK(shape(y) == m2u::Shape{37, 12});
  CHECK(largest_difference(tape.values(y), expected) < 1e-14);
  CHECK_THROWS_WITH(m2u::outer_product(tape, tape.input(random_input(2, 3, {1})), tape.input(b)),
                    ContainsSubstring("outer_product: [2, 3] and [37, 3]"));
}

TEMPLATE_LIST_TEST_CASE("reverse_gradient changes the gradient alone", "[reverse_gradient]",
                        m2u::test::Spaces) {
  OpTape<TestType> tape;
  auto const x = tape.input(2, 2, {1, -2, 3, 4});
  auto const y = m2u::reverse_gradient(tape, x, 0.5);
  CHECK(tape.values(y) == std::vector<double>{1, -2, 3, 4});
  CHECK(tape.gradient_of(x, y, {2, -4, 0, 6}) == std::vector<double>{-1, 2, 0, -3});
  CHECK_FALSE(m2u::reverse_gradient(tape, tape.constant(x.value)).differentiable());
}
