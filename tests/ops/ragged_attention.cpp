// SPDX-License-Identifier: Apache-2.0
#include "m2u/ops/ragged_attention.hpp"

#include <numeric>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::Mode;
using m2u::random_input;
using m2u::test::add_gradient_case;

using Lengths = std::vector<int>;

int total(Lengths const& lengths) { return std::accumulate(lengths.begin(), lengths.end(), 0); }

// A function of a tape: attention over groups of the given lengths.
auto attention(Lengths lengths, int heads, float dropout = 0.0F) {
  return [=](auto& tape, auto const& in) {
    auto const groups = to_space(tape.space(), m2u::make_ragged(lengths));
    auto const y = m2u::ragged_attention(tape, in[0], groups, heads, {.dropout = dropout});
    tape.space().fence();  // the groups end here
    return y;
  };
}

template <class S>
m2u::GradientReport check(S const& space, Lengths lengths, int heads, int dim,
                          float dropout = 0.0F) {
  return m2u::gradient_check(space, {}, {random_input(total(lengths), 3 * heads * dim, {1})},
                             attention(lengths, heads, dropout));
}

bool const ragged_attention_cases[] = {
    add_gradient_case("ragged_attention", "groups",
                      [](auto s) { return check(s, {3, 1, 5, 2}, 2, 3); }),
    add_gradient_case("ragged_attention", "empty groups",
                      [](auto s) { return check(s, {0, 4, 0, 0, 1, 0}, 2, 2); }),
    add_gradient_case("ragged_attention", "one row", [](auto s) { return check(s, {1}, 1, 4); }),
    add_gradient_case("ragged_attention", "no rows", [](auto s) { return check(s, {0, 0}, 2, 2); }),
    add_gradient_case("ragged_attention", "no groups", [](auto s) { return check(s, {}, 2, 2); }),
    add_gradient_case("ragged_attention", "wide head",
                      [](auto s) { return check(s, {5, 6}, 1, 27); }),
    add_gradient_case("ragged_attention", "queries in several tiles",
                      [](auto s) { return check(s, {70, 3}, 1, 2); }),
    add_gradient_case("ragged_attention", "dropout",
                      [](auto s) { return check(s, {3, 0, 6, 17}, 2, 2, 0.4F); }),
    add_gradient_case("ragged_attention", "dropout, queries in several tiles",
                      [](auto s) { return check(s, {2, 70}, 1, 1, 0.5F); }),
    add_gradient_case("ragged_attention", "input used twice",
                      [](auto s) {
                        return m2u::gradient_check(
                            s, {}, {random_input(7, 1 * 3, {1})}, [](auto& tape, auto const& in) {
                              // y's gradient reaches qkv through the first call's result as well.
                              auto const groups =
                                  to_space(tape.space(), m2u::make_ragged(Lengths{4, 3}));
                              auto const y = m2u::ragged_attention(tape, in[0], groups, 1);
                              auto const sum = tape.result(7, 1, y, in[0]);
                              Kokkos::deep_copy(tape.space(), sum.value, y.value);
                              auto const x = in[0];
                              tape.record("test", sum, [=](auto& back, auto const& dy) {
                                Kokkos::deep_copy(back.space(), back.gradient(y).matrix, dy);
                                Kokkos::deep_copy(back.space(), back.gradient(x).matrix, 0);
                              });
                              tape.space().fence();
                              return sum;
                            });
                      }),
};

struct AttentionReference {
  std::vector<double> y;
  std::vector<double> weights;  // averaged over heads, group after group
};

AttentionReference reference(m2u::CheckInput const& qkv, Lengths const& lengths, int heads) {
  int const width = qkv.cols / 3;
  int const dim = width / heads;
  auto const at = [&](int row, int col) {
    return qkv.values[static_cast<std::size_t>(row * qkv.cols + col)];
  };
  AttentionReference result;
  result.y.assign(static_cast<std::size_t>(qkv.rows * width), 0.0);
  int first = 0;
  for (int const n : lengths) {
    std::vector<double> mean(static_cast<std::size_t>(n * n), 0.0);
    for (int h = 0; h < heads; ++h) {
      for (int i = 0; i < n; ++i) {
        std::vector<double> p(static_cast<std::size_t>(n));
        double sum = 0.0;
        for (int j = 0; j < n; ++j) {
          double score = 0.0;
          for (int d = 0; d < dim; ++d) {
            score += at(first + i, h * dim + d) * at(first + j, width + h * dim + d);
          }
          p[static_cast<std::size_t>(j)] = std::exp(score / std::sqrt(dim));
          sum += p[static_cast<std::size_t>(j)];
        }
        for (int j = 0; j < n; ++j) {
          double const weight = p[static_cast<std::size_t>(j)] / sum;
          mean[static_cast<std::size_t>(i * n + j)] += weight / heads;
          for (int d = 0; d < dim; ++d) {
            result.y[static_cast<std::size_t>((first + i) * width + h * dim + d)] +=
                weight * at(first + j, 2 * width + h * dim + d);
          }
        }
      }
    }
    result.weights.insert(result.weights.end(), mean.begin(), mean.end());
    first += n;
  }
  return result;
}

Lengths const many_lengths{1, 16, 0, 17, 25, 64, 65, 3, 200, 33, 0};

}  // namespace

TEMPLATE_LIST_TEST_CASE("attention and its weights agree with plain loops", "[ragged_attention]",
                        m2u::test::Spaces) {
  auto const [heads, dim] = GENERATE(std::pair{4, 32}, std::pair{3, 19}, std::pair{2, 24},
                                     std::pair{5, 8}, std::pair{1, 1});
  auto const qkv = random_input(total(many_lengths), 3 * heads * dim, {4});
  auto const expected = reference(qkv, many_lengths, heads);
  auto const got = m2u::test::evaluate(TestType{}, {}, {qkv}, attention(many_lengths, heads, 0.5F),
                                       Mode::evaluation);
  CHECK(got.rows == qkv.rows);
  CHECK(got.cols == heads * dim);
  CHECK(m2u::test::largest_error(got.values, expected.y) < 2e-5);

  std::vector<float> const values(qkv.values.begin(), qkv.values.end());
  auto const matrix = m2u::make_matrix<float>(TestType{}, "qkv", qkv.rows, qkv.cols);
  m2u::from_host(TestType{}, std::span<float const>(values), matrix);
  auto const groups = to_space(TestType{}, m2u::make_ragged(many_lengths));
  auto const weights = m2u::attention_weights(TestType{}, matrix, groups, heads);
  auto const flat = m2u::to_host(TestType{}, weights.values);
  CHECK(m2u::test::largest_error({flat.begin(), flat.end()}, expected.weights) < 2e-5);
  auto const offsets = m2u::to_host(TestType{}, weights.offsets);
  REQUIRE(offsets.size() == many_lengths.size() + 1);
  CHECK(offsets[4] - offsets[3] == 17 * 17);
  CHECK(offsets.back() == static_cast<std::int64_t>(expected.weights.size()));
}

TEMPLATE_LIST_TEST_CASE("attention stays finite for large scores", "[ragged_attention]",
                        m2u::test::Spaces) {
  auto qkv = random_input(20, 12, {4});
  for (auto& value : qkv.values) {
    value *= 1e6;
  }
  auto const got = m2u::test::evaluate(TestType{}, {}, {qkv}, attention({20}, 2));
  auto const finite = [](std::vector<double> const& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  CHECK(finite(got.values));
  CHECK(finite(got.gradients[0]));
}

// With q = k = 0 the probabilities are 1 / n; with v the unit matrix they are the output.
TEMPLATE_LIST_TEST_CASE("attention dropout drops its share and scales the rest",
                        "[ragged_attention]", m2u::test::Spaces) {
  constexpr int n = 24;
  constexpr int heads = 2;
  constexpr int groups = 30;
  m2u::CheckInput qkv{groups * n, 3 * heads * n, {}};
  qkv.values.assign(static_cast<std::size_t>(qkv.rows * qkv.cols), 0.0);
  for (int row = 0; row < qkv.rows; ++row) {
    for (int h = 0; h < heads; ++h) {
      qkv.values[static_cast<std::size_t>(row * qkv.cols + (2 * heads + h) * n + row % n)] = 1.0;
    }
  }
  Lengths const lengths(groups, n);
  auto const run = [&] {
    return m2u::test::evaluate(TestType{}, {}, {qkv}, attention(lengths, heads, 0.3F)).values;
  };
  auto const values = run();
  CHECK(values == run());
  int dropped = 0;
  int heads_agree = 0;
  int groups_agree = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    dropped += values[i] == 0.0;
    CHECKED_IF(values[i] != 0.0) { CHECK(std::abs(values[i] - 1.0 / (0.7 * n)) < 1e-6); }
    heads_agree += i % (heads * n) < n && (values[i] == 0.0) == (values[i + n] == 0.0);
    std::size_t const next_group = i + heads * n * n;
    groups_agree += next_group < values.size() && (values[i] == 0.0) == (values[next_group] == 0.0);
  }
  auto const size = static_cast<double>(values.size());
  CHECK(std::abs(dropped / size - 0.3) < 0.01);
  // Independent masks agree with probability 0.7² + 0.3².
  CHECK(std::abs(heads_agree / (size / heads) - 0.58) < 0.02);
  CHECK(std::abs(groups_agree / (size * (groups - 1) / groups) - 0.58) < 0.02);
}

TEMPLATE_LIST_TEST_CASE("attention gives the same bits on one thread", "[ragged_attention]",
                        m2u::test::Spaces) {
  auto const part = m2u::test::fewer_threads<TestType>();
  if (!part) {
    SKIP("the space has no instance with fewer threads");
  }
  auto const qkv = random_input(total(many_lengths), 3 * 32, {4});
  auto const op = attention(many_lengths, 4, 0.5F);
  CHECK(m2u::test::evaluate(TestType{}, {}, {qkv}, op) ==
        m2u::test::evaluate(*part, {}, {qkv}, op));
}

TEST_CASE("attention refuses shapes that do not fit", "[ragged_attention]") {
  using Catch::Matchers::ContainsSubstring;
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape({}, {S{}, {}, {}}, Mode::training);
  auto const groups = to_space(S{}, m2u::make_ragged(Lengths{2, 1}));
  auto const qkv = tape.constant(tape.matrix(3, 12));
  CHECK_THROWS_WITH(m2u::ragged_attention(tape, qkv, groups, 3), ContainsSubstring("qkv [3, 12]"));
  CHECK_THROWS_WITH(m2u::ragged_attention(tape, qkv, groups, 0), ContainsSubstring("0 heads"));
  CHECK_THROWS_WITH(m2u::ragged_attention(tape, tape.constant(tape.matrix(4, 12)), groups, 2),
                    ContainsSubstring("groups of 3 rows"));
  CHECK_THROWS_WITH(m2u::ragged_attention(tape, qkv, groups, 2, {.dropout = 1.0F}),
                    ContainsSubstring("outside [0, 1)"));
  auto const endless = to_space(S{}, m2u::make_ragged(Lengths{100000}));
  CHECK_THROWS_WITH(m2u::ragged_attention(tape, tape.constant(tape.matrix(100000, 3)), endless, 1),
                    ContainsSubstring("a group of 100000 rows is too long"));
  CHECK_THROWS_WITH(m2u::attention_weights(S{}, qkv.value, groups, 3),
                    ContainsSubstring("attention_weights"));
}
