// SPDX-License-Identifier: Apache-2.0
// concat_columns, concat_rows, gather_rows, normalise_rows.
#include "m2u/ops/add.hpp"
#include "m2u/ops/concat_columns.hpp"
#include "m2u/ops/concat_rows.hpp"
#include "m2u/ops/gather_rows.hpp"
#include "m2u/ops/normalise_rows.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <cmath>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::largest_difference;
using m2u::test::OpTape;

template <class S>
m2u::GradientReport check_columns(S const& space, int rows) {
  return m2u::gradient_check(space, {}, {random_input(rows, 3, {1}), random_input(rows, 2, {2})},
                             [](auto& tape, auto const& in) {
                               return m2u::concat_columns(
                                   tape, m2u::concat_columns(tape, in[0], in[1]), in[0]);
                             });
}

template <class S>
m2u::GradientReport check_rows(S const& space, int first, int second) {
  return m2u::gradient_check(space, {}, {random_input(first, 3, {1}), random_input(second, 3, {2})},
                             [](auto& tape, auto const& in) {
                               auto const fixed = tape.matrix(2, 3);
                               Kokkos::deep_copy(tape.space(), fixed, 0.5F);
                               auto parts = in;
                               parts.push_back(tape.constant(fixed));
                               parts.push_back(in[0]);
                               return m2u::concat_rows(tape, parts);
                             });
}

template <class S>
m2u::GradientReport check_gather(S const& space, std::vector<int> const& picks, int sources) {
  auto const index = to_space(space, m2u::make_row_index(picks, sources));
  return m2u::gradient_check(space, {}, {random_input(sources, 5, {1})},
                             [=](auto& tape, auto const& in) {
                               auto const once = m2u::gather_rows(tape, in[0], index);
                               return m2u::add(tape, once, m2u::gather_rows(tape, in[0], index));
                             });
}

/// A number in the scalar type of a tensor.
template <class S, class R>
R eps_of(m2u::Tensor<S, R> const&, double eps) {
  return static_cast<R>(eps);
}

// With eps = 1.5 some rows of three normal values are shorter than eps.
template <class S>
m2u::GradientReport check_normalise(S const& space, m2u::CheckInput const& input, double eps) {
  return m2u::gradient_check(space, {}, {input}, [=](auto& tape, auto const& in) {
    auto const once = m2u::l2_normalise_rows(tape, in[0], eps_of(in[0], eps));
    return m2u::concat_columns(tape, once, m2u::l2_normalise_rows(tape, in[0], eps_of(in[0], eps)));
  });
}

bool const rows_cases[] = {
    add_gradient_case("concat_columns", "three parts", [](auto s) { return check_columns(s, 6); }),
    add_gradient_case("concat_columns", "one row", [](auto s) { return check_columns(s, 1); }),
    add_gradient_case("concat_columns", "no rows", [](auto s) { return check_columns(s, 0); }),
    add_gradient_case("concat_rows", "four parts", [](auto s) { return check_rows(s, 4, 3); }),
    add_gradient_case("concat_rows", "an empty part", [](auto s) { return check_rows(s, 0, 1); }),
    add_gradient_case("concat_rows", "no rows", [](auto s) { return check_rows(s, 0, 0); }),
    add_gradient_case("gather_rows", "repeated and unused rows",
                      [](auto s) { return check_gather(s, {3, 0, 3, 3, 5, 0}, 7); }),
    add_gradient_case("gather_rows", "one row", [](auto s) { return check_gather(s, {0}, 1); }),
    add_gradient_case("gather_rows", "no picks", [](auto s) { return check_gather(s, {}, 3); }),
    add_gradient_case("gather_rows", "no rows", [](auto s) { return check_gather(s, {}, 0); }),
    add_gradient_case("normalise_rows", "all longer than eps",
                      [](auto s) { return check_normalise(s, random_input(9, 4, {1}), 1e-12); }),
    add_gradient_case("normalise_rows", "some shorter than eps",
                      [](auto s) { return check_normalise(s, random_input(20, 3, {1}), 1.5); }),
    add_gradient_case("normalise_rows", "a row of zeros",
                      [](auto s) { return check_normalise(s, {2, 3, {0, 0, 0, 1, 2, -2}}, 0.5); }),
    add_gradient_case("normalise_rows", "one row",
                      [](auto s) { return check_normalise(s, random_input(1, 40, {1}), 1e-12); }),
    add_gradient_case("normalise_rows", "no rows",
                      [](auto s) { return check_normalise(s, random_input(0, 4, {1}), 1e-12); }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("concatenations and gather give the values of plain loops", "[rows]",
                        m2u::test::Spaces) {
  OpTape<TestType> tape;
  auto const a = tape.input(2, 2, {1, 2, 3, 4});
  auto const b = tape.input(2, 1, {5, 6});
  auto const c = tape.input(1, 2, {7, 8});
  auto const side = m2u::concat_columns(tape, a, b);
  CHECK(shape(side) == m2u::Shape{2, 3});
  CHECK(tape.values(side) == std::vector<double>{1, 2, 5, 3, 4, 6});
  auto const stacked = m2u::concat_rows(tape, std::vector{c, a, c});
  CHECK(shape(stacked) == m2u::Shape{4, 2});
  CHECK(tape.values(stacked) == std::vector<double>{7, 8, 1, 2, 3, 4, 7, 8});
  auto const index = to_space(TestType{}, m2u::make_row_index(std::vector{3, 0, 3}, 4));
  auto const picked = m2u::gather_rows(tape, stacked, index);
  CHECK(tape.values(picked) == std::vector<double>{7, 8, 7, 8, 7, 8});
  CHECK(tape.gradient_of(c, picked, {1, 2, 10, 20, 100, 200}) == std::vector<double>{111, 222});
  CHECK(tape.values({tape.gradient(a).matrix}) == std::vector<double>{0, 0, 0, 0});
  CHECK_FALSE(tape.has_gradient(b));
}

TEMPLATE_LIST_TEST_CASE("l2_normalise_rows gives unit rows and keeps zeros", "[normalise_rows]",
                        m2u::test::Spaces) {
  OpTape<TestType, float> tape;
  auto const input = random_input(50, 33, {3});
  std::vector<float> values(input.values.begin(), input.values.end());
  std::fill(values.begin(), values.begin() + 33, 0.0F);
  auto const x = tape.input(50, 33, values);
  auto const y = m2u::l2_normalise_rows(tape, x);
  auto expected = values;
  for (std::size_t row = 1; row < 50; ++row) {
    double squares = 0.0;
    for (std::size_t j = 33 * row; j < 33 * row + 33; ++j) {
      squares += static_cast<double>(values[j]) * static_cast<double>(values[j]);
    }
    for (std::size_t j = 33 * row; j < 33 * row + 33; ++j) {
      expected[j] = static_cast<float>(static_cast<double>(values[j]) / std::sqrt(squares));
    }
  }
  CHECK(largest_difference(tape.values(y), expected) < 1e-6);
  for (float const gradient : tape.gradient_of(x, y, values)) {
    CHECK(std::isfinite(gradient));
  }
}

TEST_CASE("row ops refuse shapes that do not fit", "[rows]") {
  using S = Kokkos::DefaultExecutionSpace;
  OpTape<S> tape;
  auto const a = tape.constant(tape.matrix(2, 3));
  auto const b = tape.constant(tape.matrix(3, 2));
  CHECK_THROWS_WITH(m2u::concat_columns(tape, a, b),
                    ContainsSubstring("[2, 3] and [3, 2] have different numbers of rows"));
  CHECK_THROWS_WITH(m2u::concat_rows(tape, std::vector{a, b}),
                    ContainsSubstring("[2, 3] and [3, 2] have different numbers of columns"));
  CHECK_THROWS_WITH(m2u::concat_rows(tape, {}), ContainsSubstring("at least one tensor"));
  CHECK_FALSE(m2u::concat_rows(tape, std::vector{a, a}).differentiable());
  auto const index = to_space(S{}, m2u::make_row_index(std::vector{0}, 4));
  CHECK_THROWS_WITH(m2u::gather_rows(tape, a, index),
                    ContainsSubstring("picks from 4 rows, but the input is [2, 3]"));
  CHECK_THROWS_WITH(m2u::l2_normalise_rows(tape, a, 0.0), ContainsSubstring("must be positive"));
}
