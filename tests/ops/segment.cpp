// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/segment.hpp"

#include "m2u/ops/concat_columns.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cmath>
#include <limits>

namespace {

using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::largest_difference;
using m2u::test::OpTape;

// All three of the same input, so that gradients are also added to.
template <class S>
m2u::GradientReport check(S const& space, std::vector<int> const& lengths) {
  auto const groups = to_space(space, m2u::make_ragged(lengths));
  return m2u::gradient_check(
      space, {}, {random_input(groups.total, 3, {1})}, [=](auto& tape, auto const& in) {
        auto const sum = m2u::segment_sum(tape, in[0], groups);
        auto const mean = m2u::segment_mean(tape, in[0], groups);
        auto const max = m2u::segment_max(tape, in[0], groups);
        return m2u::concat_columns(tape, m2u::concat_columns(tape, mean, max), sum);
      });
}

// One alone, so that its gradient is written and not added to.
template <class S>
m2u::GradientReport check_alone(S const& space, auto const& op) {
  auto const groups = to_space(space, m2u::make_ragged(std::vector{0, 4, 1, 0, 3, 0}));
  return m2u::gradient_check(space, {}, {random_input(8, 3, {2})},
                             [=](auto& tape, auto const& in) { return op(tape, in[0], groups); });
}

auto const sum_op = [](auto& tape, auto const& x, auto const& groups) {
  return m2u::segment_sum(tape, x, groups);
};
auto const mean_op = [](auto& tape, auto const& x, auto const& groups) {
  return m2u::segment_mean(tape, x, groups);
};
auto const max_op = [](auto& tape, auto const& x, auto const& groups) {
  return m2u::segment_max(tape, x, groups);
};

bool const segment_cases[] = {
    add_gradient_case("segment", "groups", [](auto s) { return check(s, {3, 1, 4}); }),
    add_gradient_case("segment", "empty segments",
                      [](auto s) { return check(s, {0, 2, 0, 0, 5, 0}); }),
    add_gradient_case("segment", "only empty segments", [](auto s) { return check(s, {0, 0}); }),
    add_gradient_case("segment", "one row", [](auto s) { return check(s, {1}); }),
    add_gradient_case("segment", "no segments", [](auto s) { return check(s, {}); }),
    add_gradient_case("segment", "sum", [](auto s) { return check_alone(s, sum_op); }),
    add_gradient_case("segment", "mean", [](auto s) { return check_alone(s, mean_op); }),
    add_gradient_case("segment", "max", [](auto s) { return check_alone(s, max_op); }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("segment reductions give the values of plain loops", "[segment]",
                        m2u::test::Spaces) {
  std::vector<int> const lengths{2, 0, 7, 1, 0, 40, 3};
  auto const input = random_input(53, 9, {4});
  std::vector<double> sum;
  std::vector<double> mean;
  std::vector<double> max;
  std::size_t first = 0;
  for (int const length : lengths) {
    auto const last = first + static_cast<std::size_t>(length);
    for (std::size_t j = 0; j < 9; ++j) {
      double total = 0.0;
      double largest = length > 0 ? -std::numeric_limits<double>::infinity() : 0.0;
      for (std::size_t i = first; i < last; ++i) {
        total += input.values[9 * i + j];
        largest = std::fmax(largest, input.values[9 * i + j]);
      }
      sum.push_back(total);
      mean.push_back(length > 0 ? total / length : 0.0);
      max.push_back(largest);
    }
    first = last;
  }
  OpTape<TestType> tape;
  auto const x = tape.input(input);
  auto const groups = to_space(TestType{}, m2u::make_ragged(lengths));
  CHECK(largest_difference(tape.values(m2u::segment_sum(tape, x, groups)), sum) < 1e-13);
  CHECK(largest_difference(tape.values(m2u::segment_mean(tape, x, groups)), mean) < 1e-13);
  CHECK(tape.values(m2u::segment_max(tape, x, groups)) == max);
}

TEMPLATE_LIST_TEST_CASE("segment_max gives the gradient to the first of equal rows", "[segment]",
                        m2u::test::Spaces) {
  OpTape<TestType> tape;
  auto const x = tape.input(5, 2, {1, -3, 2, -3, 2, -4, 5, 6, 5, 7});
  auto const groups = to_space(TestType{}, m2u::make_ragged(std::vector{3, 0, 2}));
  auto const y = m2u::segment_max(tape, x, groups);
  CHECK(tape.values(y) == std::vector<double>{2, -3, 0, 0, 5, 7});
  CHECK(tape.gradient_of(x, y, {1, 2, 3, 4, 5, 6}) ==
        std::vector<double>{0, 2, 1, 0, 0, 0, 5, 0, 0, 6});
}

TEMPLATE_LIST_TEST_CASE("segment_max shows values that are not numbers", "[segment]",
                        m2u::test::Spaces) {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  auto const groups = to_space(TestType{}, m2u::make_ragged(std::vector{3}));
  for (auto const& values : {std::vector{nan, 1.0, 2.0}, {1.0, nan, 2.0}, {1.0, 2.0, nan}}) {
    OpTape<TestType> tape;
    CHECK(std::isnan(tape.values(m2u::segment_max(tape, tape.input(3, 1, values), groups))[0]));
  }
}

TEST_CASE("segment reductions refuse groups that do not cover the rows", "[segment]") {
  using S = Kokkos::DefaultExecutionSpace;
  OpTape<S> tape;
  auto const x = tape.constant(tape.matrix(4, 3));
  auto const groups = to_space(S{}, m2u::make_ragged(std::vector{3, 2}));
  auto const message =
      Catch::Matchers::ContainsSubstring("the groups cover 5 rows, but the input is [4, 3]");
  CHECK_THROWS_WITH(m2u::segment_sum(tape, x, groups), message);
  CHECK_THROWS_WITH(m2u::segment_mean(tape, x, groups), message);
  CHECK_THROWS_WITH(m2u::segment_max(tape, x, groups), message);
}
