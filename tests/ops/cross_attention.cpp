// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/cross_attention.hpp"

#include <array>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::CheckInput;
using m2u::Mode;
using m2u::random_input;
using m2u::test::add_gradient_case;

auto attention(int heads, float dropout = 0.0F) {
  return [=](auto& tape, auto const& in) {
    return m2u::cross_attention(tape, in[0], in[1], in[2], heads, {.dropout = dropout});
  };
}

std::vector<CheckInput> inputs(int samples, int keys, int width) {
  return {random_input(samples, width, {1}), random_input(keys * samples, width, {2}),
          random_input(keys * samples, width, {3})};
}

template <class S>
m2u::GradientReport check(S const& space, int samples, int keys, int heads, int dim,
                          float dropout = 0.0F) {
  return m2u::gradient_check(space, {}, inputs(samples, keys, heads * dim),
                             attention(heads, dropout));
}

bool const cross_attention_cases[] = {
    add_gradient_case("cross_attention", "three keys", [](auto s) { return check(s, 5, 3, 2, 3); }),
    add_gradient_case("cross_attention", "one sample, five keys",
                      [](auto s) { return check(s, 1, 5, 4, 2); }),
    add_gradient_case("cross_attention", "one key", [](auto s) { return check(s, 3, 1, 2, 2); }),
    add_gradient_case("cross_attention", "no samples", [](auto s) { return check(s, 0, 3, 2, 2); }),
    add_gradient_case("cross_attention", "dropout",
                      [](auto s) { return check(s, 6, 4, 2, 3, 0.4F); }),
    add_gradient_case("cross_attention", "one tensor as query, keys and values",
                      [](auto s) {
                        return m2u::gradient_check(
                            s, {}, {random_input(4, 6, {1})}, [](auto& tape, auto const& in) {
                              return m2u::cross_attention(tape, in[0], in[0], in[0], 2);
                            });
                      }),
};

struct Reference {
  std::vector<double> y;
  std::vector<double> weights;  // averaged over heads, [samples, keys]
};

Reference reference(std::vector<CheckInput> const& in, int heads) {
  int const samples = in[0].rows;
  int const width = in[0].cols;
  int const keys = in[1].rows / samples;
  int const dim = width / heads;
  auto const at = [&](std::size_t input, int row, int col) {
    return in[input].values[static_cast<std::size_t>(row * width + col)];
  };
  Reference result;
  result.y.assign(static_cast<std::size_t>(samples * width), 0.0);
  result.weights.assign(static_cast<std::size_t>(samples * keys), 0.0);
  for (int i = 0; i < samples; ++i) {
    for (int h = 0; h < heads; ++h) {
      std::vector<double> p;
      double sum = 0.0;
      for (int m = 0; m < keys; ++m) {
        double score = 0.0;
        for (int d = h * dim; d < (h + 1) * dim; ++d) {
          score += at(0, i, d) * at(1, m * samples + i, d);
        }
        p.push_back(std::exp(score / std::sqrt(dim)));
        sum += p.back();
      }
      for (int m = 0; m < keys; ++m) {
        double const weight = p[static_cast<std::size_t>(m)] / sum;
        result.weights[static_cast<std::size_t>(i * keys + m)] += weight / heads;
        for (int d = h * dim; d < (h + 1) * dim; ++d) {
          result.y[static_cast<std::size_t>(i * width + d)] += weight * at(2, m * samples + i, d);
        }
      }
    }
  }
  return result;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("cross attention and its weights agree with plain loops",
                        "[cross_attention]", m2u::test::Spaces) {
  auto const [samples, keys, heads, dim] =
      GENERATE(std::array{33, 3, 4, 32}, std::array{1, 7, 1, 5}, std::array{6, 1, 3, 2});
  auto const in = inputs(samples, keys, heads * dim);
  auto const expected = reference(in, heads);
  auto const got =
      m2u::test::evaluate(TestType{}, {}, in, attention(heads, 0.5F), Mode::evaluation);
  CHECK(m2u::test::largest_error(got.values, expected.y) < 1e-5);
  auto const weights = m2u::test::evaluate(
      TestType{}, {}, {in[0], in[1]}, [h = heads](auto& tape, auto const& tensors) {
        auto const mean = m2u::cross_attention_weights(tape, tensors[0], tensors[1], h);
        CHECK_FALSE(mean.differentiable());
        return tape.variable(mean.value);  // evaluate differentiates
      });
  CHECK(weights.rows == samples);
  CHECK(m2u::test::largest_error(weights.values, expected.weights) < 1e-5);
}

TEMPLATE_LIST_TEST_CASE("cross attention stays finite for large scores", "[cross_attention]",
                        m2u::test::Spaces) {
  auto in = inputs(4, 3, 8);
  for (auto& value : in[0].values) {
    value *= 1e8;
  }
  for (double const value : m2u::test::evaluate(TestType{}, {}, in, attention(2)).values) {
    CHECK(std::isfinite(value));
  }
}

// With q = 0 the weights are 1 / keys; with values of one column each they show in the output.
TEMPLATE_LIST_TEST_CASE("cross attention dropout drops its share and scales the rest",
                        "[cross_attention]", m2u::test::Spaces) {
  constexpr int samples = 2000;
  constexpr int keys = 4;
  std::vector<CheckInput> in{{samples, keys, std::vector<double>(samples * keys, 0.0)},
                             random_input(samples * keys, keys, {1}),
                             {samples * keys, keys, {}}};
  in[2].values.assign(static_cast<std::size_t>(samples * keys * keys), 0.0);
  for (int m = 0; m < keys; ++m) {
    for (int i = 0; i < samples; ++i) {
      in[2].values[static_cast<std::size_t>((m * samples + i) * keys + m)] = 1.0;
    }
  }
  auto const values = m2u::test::evaluate(TestType{}, {}, in, attention(1, 0.3F)).values;
  int dropped = 0;
  for (double const value : values) {
    dropped += value == 0.0;
    CHECKED_IF(value != 0.0) { CHECK(std::abs(value - 1.0 / (0.7 * keys)) < 1e-6); }
  }
  CHECK(std::abs(dropped / static_cast<double>(values.size()) - 0.3) < 0.02);
  CHECK(values == m2u::test::evaluate(TestType{}, {}, in, attention(1, 0.3F)).values);
}

TEST_CASE("cross attention refuses shapes that do not fit", "[cross_attention]") {
  using Catch::Matchers::ContainsSubstring;
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape({}, {S{}, {}, {}}, Mode::training);
  auto const zeros = [&](int rows, int cols) { return tape.constant(tape.matrix(rows, cols)); };
  auto const query = zeros(4, 6);
  auto const keys = zeros(8, 6);
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, keys, keys, 4),
                    ContainsSubstring("4 heads do not divide the columns of the query [4, 6]"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, keys, keys, 0), ContainsSubstring("0 heads"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, zeros(8, 4), keys, 2),
                    ContainsSubstring("same number of columns"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, zeros(9, 6), keys, 2),
                    ContainsSubstring("keys [9, 6] are not a whole number of rows"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, zeros(0, 6), keys, 2),
                    ContainsSubstring("at least one"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, zeros(0, 6), keys, keys, 2),
                    ContainsSubstring("without a query"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, keys, query, 2),
                    ContainsSubstring("values [4, 6]"));
  CHECK_THROWS_WITH(m2u::cross_attention(tape, query, keys, keys, 2, {.dropout = 1.0F}),
                    ContainsSubstring("outside [0, 1)"));
  CHECK_THROWS_WITH(m2u::cross_attention_weights(tape, query, zeros(9, 6), 2),
                    ContainsSubstring("cross_attention_weights"));
}
