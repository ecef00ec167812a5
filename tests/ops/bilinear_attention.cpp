// SPDX-License-Identifier: Apache-2.0
// bilinear_attention and unfold.
#include "m2u/ops/bilinear_attention.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/ops/unfold.hpp"
#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::CheckInput;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::evaluate;
using m2u::test::largest_error;

std::vector<int> const left{3, 1, 0, 18};
std::vector<int> const right{2, 5, 4, 1};

int sum(std::vector<int> const& lengths) {
  int total = 0;
  for (int const length : lengths) {
    total += length;
  }
  return total;
}

/// v, q, weight and bias.
std::vector<CheckInput> pair_inputs(int width) {
  return {random_input(sum(left), width, {1}), random_input(sum(right), width, {2}),
          random_input(1, width, {3}), random_input(1, 1, {4})};
}

auto const attend = [](auto& tape, auto const& in) {
  auto const pairs = m2u::to_space(tape.space(), m2u::make_group_pairs(left, right));
  return m2u::bilinear_attention(tape, in[0], in[1], pairs, in[2], in[3]);
};

auto windows(std::vector<int> const& lengths, int window) {
  return [=](auto& tape, auto const& in) {
    return m2u::unfold(tape, in[0], m2u::to_space(tape.space(), m2u::make_ragged(lengths)), window);
  };
}

bool const bilinear_attention_cases[] = {
    add_gradient_case("bilinear_attention", "pairs of groups",
                      [](auto s) { return m2u::gradient_check(s, {}, pair_inputs(5), attend); }),
    add_gradient_case("bilinear_attention", "a wide one",
                      [](auto s) { return m2u::gradient_check(s, {}, pair_inputs(37), attend); }),
    add_gradient_case("unfold", "odd window",
                      [](auto s) {
                        return m2u::gradient_check(s, {}, {random_input(9, 4, {1})},
                                                   windows({4, 0, 1, 4}, 3));
                      }),
    add_gradient_case("unfold", "even window, longer than a group", [](auto s) {
      return m2u::gradient_check(s, {}, {random_input(9, 3, {1})}, windows({2, 7}, 6));
    })};

}  // namespace

TEMPLATE_LIST_TEST_CASE("bilinear_attention agrees with plain loops", "[bilinear_attention]",
                        m2u::test::Spaces) {
  int const width = 21;
  auto const in = pair_inputs(width);
  auto const at = [&](int input, int row, int col) {
    auto const& one = in[static_cast<std::size_t>(input)];
    return one.values[static_cast<std::size_t>(row * one.cols + col)];
  };
  std::vector<double> expected;
  for (std::size_t p = 0, l = 0, r = 0; p < left.size(); ++p) {
    std::vector<double> row(width, 0.0);
    for (int i = 0; i < left[p]; ++i) {
      for (int j = 0; j < right[p]; ++j) {
        double weight = at(3, 0, 0);
        for (int k = 0; k < width; ++k) {
          weight +=
              at(2, 0, k) * at(0, static_cast<int>(l) + i, k) * at(1, static_cast<int>(r) + j, k);
        }
        for (int k = 0; k < width; ++k) {
          row[static_cast<std::size_t>(k)] +=
              weight * at(0, static_cast<int>(l) + i, k) * at(1, static_cast<int>(r) + j, k);
        }
      }
    }
    expected.insert(expected.end(), row.begin(), row.end());
    l += static_cast<std::size_t>(left[p]);
    r += static_cast<std::size_t>(right[p]);
  }
  CHECK(largest_error(evaluate(TestType{}, {}, in, attend).values, expected) < 1e-5);
}

TEMPLATE_LIST_TEST_CASE("unfold puts windows side by side, zeros beyond the ends", "[unfold]",
                        m2u::test::Spaces) {
  CheckInput const x{5, 1, {1, 2, 3, 4, 5}};
  auto const three = evaluate(TestType{}, {}, {x}, windows({3, 2}, 3));
  CHECK(three.values == std::vector<double>{0, 1, 2, 1, 2, 3, 2, 3, 0, 0, 4, 5, 4, 5, 0});
  auto const two = evaluate(TestType{}, {}, {x}, windows({3, 2}, 2));
  CHECK(two.values == std::vector<double>{1, 2, 2, 3, 3, 0, 4, 5, 5, 0});
}

TEST_CASE("bilinear_attention and unfold refuse what does not fit", "[bilinear_attention]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape(S{}, {S{}, {}, {}}, m2u::Mode::training);
  auto const zeros = [&](int rows, int cols) { return tape.constant(tape.matrix(rows, cols)); };
  auto const pairs = m2u::to_space(S{}, m2u::make_group_pairs(left, right));
  CHECK_THROWS_WITH(
      m2u::bilinear_attention(tape, zeros(4, 2), zeros(12, 2), pairs, zeros(1, 2), zeros(1, 1)),
      ContainsSubstring("22 and 12 rows"));
  CHECK_THROWS_WITH(
      m2u::bilinear_attention(tape, zeros(22, 2), zeros(12, 2), pairs, zeros(1, 3), zeros(1, 1)),
      ContainsSubstring("weight"));
  CHECK_THROWS_WITH(m2u::make_group_pairs(left, std::vector{1}), ContainsSubstring("4 groups"));
  auto const groups = m2u::to_space(S{}, m2u::make_ragged(std::vector{2}));
  CHECK_THROWS_WITH(m2u::unfold(tape, zeros(3, 1), groups, 3), ContainsSubstring("2 rows"));
  CHECK_THROWS_WITH(m2u::unfold(tape, zeros(2, 1), groups, 0), ContainsSubstring("window"));
}
