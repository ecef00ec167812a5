// SPDX-License-Identifier: Apache-2.0
// layer_norm and batch_norm.
#include "m2u/ops/batch_norm.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/ops/add.hpp"
#include "m2u/ops/layer_norm.hpp"
#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::CheckInput;
using m2u::Mode;
using m2u::random_input;
using m2u::test::add_gradient_case;

std::vector<CheckInput> norm_inputs(int rows, int cols) {
  return {random_input(rows, cols, {1}), random_input(1, cols, {2}), random_input(1, cols, {3})};
}

template <class S>
m2u::GradientReport check_layer(S const& space, int rows, int cols) {
  return m2u::gradient_check(space, {}, norm_inputs(rows, cols), [](auto& tape, auto const& in) {
    return m2u::layer_norm(tape, in[0], in[1], in[2]);
  });
}

// Running statistics that are not those of the batch.
struct BatchNormUnderTest {
  m2u::ParameterLayout layout;
  m2u::StateSlice mean;
  m2u::StateSlice variance;
  explicit BatchNormUnderTest(int cols)
      : mean(layout.scope("norm").state("running_mean", cols, 0.3F)),
        variance(layout.scope("norm").state("running_variance", cols, 1.7F)) {}
  auto op() const {
    return [m = mean, v = variance](auto& tape, auto const& in) {
      return m2u::batch_norm(tape, in[0], in[1], in[2], m, v);
    };
  }
};

template <class S>
m2u::GradientReport check_batch(S const& space, int rows, int cols, Mode mode) {
  BatchNormUnderTest const norm(cols);
  return m2u::gradient_check(space, norm.layout, norm_inputs(rows, cols), norm.op(), mode);
}

// Two terms with statistics of their own, or with one input for both.
struct BatchNormSum {
  BatchNormUnderTest first{4};
  m2u::StateSlice mean = first.layout.scope("other").state("running_mean", 4, -0.2F);
  m2u::StateSlice variance = first.layout.scope("other").state("running_variance", 4, 0.8F);

  static std::vector<CheckInput> inputs(int rows) {
    auto result = norm_inputs(rows, 4);
    result.push_back(random_input(rows, 4, {4}));
    result.push_back(random_input(1, 4, {5}));
    result.push_back(random_input(1, 4, {6}));
    return result;
  }
  auto op(std::size_t second) const {
    return [*this, second](auto& tape, auto const& in) {
      using Term = m2u::BatchNormTerm<
          std::remove_cvref_t<decltype(tape.space())>,
          typename std::remove_cvref_t<decltype(in[0].value)>::non_const_value_type>;
      return m2u::batch_norm(tape, std::array{Term{in[0], in[1], in[2], first.mean, first.variance},
                                              Term{in[second], in[4], in[5], mean, variance}});
    };
  }
};

template <class S>
m2u::GradientReport check_sum(S const& space, int rows, Mode mode, std::size_t second) {
  BatchNormSum const sum;
  auto const op = sum.op(second);
  return m2u::gradient_check(
      space, sum.first.layout, BatchNormSum::inputs(rows),
      [=](auto& tape, auto const& in) {
        // With one input for both, the other one has to matter all the same.
        auto const y = op(tape, in);
        return second == 3 ? y : m2u::add(tape, y, in[3]);
      },
      mode);
}

bool const batch_norm_cases[] = {
    add_gradient_case("layer_norm", "few rows", [](auto s) { return check_layer(s, 5, 7); }),
    add_gradient_case("layer_norm", "wide", [](auto s) { return check_layer(s, 3, 70); }),
    add_gradient_case("layer_norm", "blocks of rows",
                      [](auto s) { return check_layer(s, 140, 3); }),
    add_gradient_case("layer_norm", "one row", [](auto s) { return check_layer(s, 1, 4); }),
    add_gradient_case("layer_norm", "no rows", [](auto s) { return check_layer(s, 0, 4); }),
    add_gradient_case("layer_norm", "input used twice",
                      [](auto s) {
                        return m2u::gradient_check(
                            s, {}, {random_input(1, 5, {1}), random_input(1, 5, {2})},
                            [](auto& tape, auto const& in) {
                              return m2u::layer_norm(tape, in[0], in[0], in[1]);
                            });
                      }),
    add_gradient_case("batch_norm", "training",
                      [](auto s) { return check_batch(s, 6, 5, Mode::training); }),
    add_gradient_case("batch_norm", "training, blocks of rows",
                      [](auto s) { return check_batch(s, 140, 3, Mode::training); }),
    add_gradient_case("batch_norm", "evaluation",
                      [](auto s) { return check_batch(s, 6, 5, Mode::evaluation); }),
    add_gradient_case("batch_norm", "three rows",
                      [](auto s) { return check_batch(s, 3, 5, Mode::training); }),
    add_gradient_case("batch_norm", "one row",
                      [](auto s) { return check_batch(s, 1, 5, Mode::training); }),
    add_gradient_case("batch_norm", "no rows",
                      [](auto s) { return check_batch(s, 0, 5, Mode::training); }),
    add_gradient_case("batch_norm", "two terms",
                      [](auto s) { return check_sum(s, 60, Mode::training, 3); }),
    add_gradient_case("batch_norm", "two terms, evaluation",
                      [](auto s) { return check_sum(s, 6, Mode::evaluation, 3); }),
    add_gradient_case("batch_norm", "two terms of one input",
                      [](auto s) { return check_sum(s, 7, Mode::training, 0); }),
};

// What the op sees of an input's value.
double in_float(CheckInput const& input, int i, int j) {
  return static_cast<float>(input.values[static_cast<std::size_t>(i * input.cols + j)]);
}

struct Moments {
  double mean = 0.0;
  double squares = 0.0;  // sum of squared deviations
};

template <class At>
Moments moments(int count, At const& at) {
  Moments result;
  for (int i = 0; i < count; ++i) {
    result.mean += at(i) / count;
  }
  for (int i = 0; i < count; ++i) {
    result.squares += (at(i) - result.mean) * (at(i) - result.mean);
  }
  return result;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("layer_norm agrees with plain loops", "[layer_norm]", m2u::test::Spaces) {
  int const cols = GENERATE(1, 31, 32, 100);
  int const rows = 9;
  auto inputs = norm_inputs(rows, cols);
  for (auto& value : inputs[0].values) {
    value += 1000.0;  // a variance from E[x²] - E[x]² would be lost in float
  }
  auto const at = [&](int i, int j) { return in_float(inputs[0], i, j); };
  std::vector<double> expected;
  for (int i = 0; i < rows; ++i) {
    auto const m = moments(cols, [&](int j) { return at(i, j); });
    for (int j = 0; j < cols; ++j) {
      expected.push_back((at(i, j) - m.mean) / std::sqrt(m.squares / cols + 1e-5) *
                             inputs[1].values[static_cast<std::size_t>(j)] +
                         inputs[2].values[static_cast<std::size_t>(j)]);
    }
  }
  auto const got = m2u::test::evaluate(TestType{}, {}, inputs, [](auto& tape, auto const& in) {
    return m2u::layer_norm(tape, in[0], in[1], in[2]);
  });
  CHECK(m2u::test::largest_error(got.values, expected) < 1e-3);
}

TEMPLATE_LIST_TEST_CASE("batch_norm agrees with plain loops", "[batch_norm]", m2u::test::Spaces) {
  int const rows = GENERATE(2, 128, 129, 500);
  int const cols = 3;
  BatchNormUnderTest const norm(cols);
  auto inputs = norm_inputs(rows, cols);
  for (auto& value : inputs[0].values) {
    value += 1000.0;
  }
  auto const at = [&](int i, int j) { return in_float(inputs[0], i, j); };
  std::vector<double> expected(static_cast<std::size_t>(rows * cols));
  auto const got = m2u::test::evaluate(TestType{}, norm.layout, inputs, norm.op());
  for (int j = 0; j < cols; ++j) {
    auto const m = moments(rows, [&](int i) { return at(i, j); });
    for (int i = 0; i < rows; ++i) {
      expected[static_cast<std::size_t>(i * cols + j)] =
          (at(i, j) - m.mean) / std::sqrt(m.squares / rows + 1e-5) *
              inputs[1].values[static_cast<std::size_t>(j)] +
          inputs[2].values[static_cast<std::size_t>(j)];
    }
    auto const column = static_cast<std::size_t>(j);
    CHECK(std::abs(got.state[norm.mean.offset + column] - (0.9 * 0.3 + 0.1 * m.mean)) < 1e-4);
    CHECK(std::abs(got.state[norm.variance.offset + column] -
                   (0.9 * 1.7 + 0.1 * m.squares / (rows - 1))) < 1e-4);
  }
  CHECK(m2u::test::largest_error(got.values, expected) < 1e-3);
}

TEMPLATE_LIST_TEST_CASE("batch_norm of two terms is the sum of both", "[batch_norm]",
                        m2u::test::Spaces) {
  auto const mode = GENERATE(Mode::training, Mode::evaluation);
  BatchNormSum const sum;
  auto const inputs = BatchNormSum::inputs(130);
  auto const& layout = sum.first.layout;
  auto const together = m2u::test::evaluate(TestType{}, layout, inputs, sum.op(3), mode);
  auto const apart = m2u::test::evaluate(
      TestType{}, layout, inputs,
      [&](auto& tape, auto const& in) {
        return m2u::add(
            tape, m2u::batch_norm(tape, in[0], in[1], in[2], sum.first.mean, sum.first.variance),
            m2u::batch_norm(tape, in[3], in[4], in[5], sum.mean, sum.variance));
      },
      mode);
  CHECK(m2u::test::largest_error(together.values, apart.values) < 1e-6);
  CHECK(together.state == apart.state);
}

TEMPLATE_LIST_TEST_CASE("batch_norm uses running statistics in evaluation and for one row",
                        "[batch_norm]", m2u::test::Spaces) {
  auto const [rows, mode] = GENERATE(std::pair{4, Mode::evaluation}, std::pair{1, Mode::training},
                                     std::pair{1, Mode::evaluation}, std::pair{0, Mode::training});
  BatchNormUnderTest const norm(3);
  auto const inputs = norm_inputs(rows, 3);
  auto const got = m2u::test::evaluate(TestType{}, norm.layout, inputs, norm.op(), mode);
  std::vector<double> expected;
  for (std::size_t i = 0; i < inputs[0].values.size(); ++i) {
    expected.push_back((inputs[0].values[i] - 0.3) / std::sqrt(1.7 + 1e-5) *
                           inputs[1].values[i % 3] +
                       inputs[2].values[i % 3]);
  }
  CHECK(m2u::test::largest_error(got.values, expected) < 1e-5);
  CHECK(got.state[norm.mean.offset] == static_cast<double>(0.3F));
  CHECK(got.state[norm.variance.offset] == static_cast<double>(1.7F));
}

TEMPLATE_LIST_TEST_CASE("norms give the same bits on one thread", "[layer_norm][batch_norm]",
                        m2u::test::Spaces) {
  auto const part = m2u::test::fewer_threads<TestType>();
  if (!part) {
    SKIP("the space has no instance with fewer threads");
  }
  auto const inputs = norm_inputs(1000, 37);
  BatchNormUnderTest const norm(37);
  CHECK(m2u::test::evaluate(TestType{}, norm.layout, inputs, norm.op()) ==
        m2u::test::evaluate(*part, norm.layout, inputs, norm.op()));
  auto const layer = [](auto& tape, auto const& in) {
    return m2u::layer_norm(tape, in[0], in[1], in[2]);
  };
  CHECK(m2u::test::evaluate(TestType{}, {}, inputs, layer) ==
        m2u::test::evaluate(*part, {}, inputs, layer));
}

TEST_CASE("norms refuse shapes that do not fit", "[layer_norm][batch_norm]") {
  using Catch::Matchers::ContainsSubstring;
  using S = Kokkos::DefaultExecutionSpace;
  BatchNormUnderTest const norm(4);
  m2u::Tape<S> tape({}, {S{}, norm.layout, {}}, Mode::training);
  auto const x = tape.constant(tape.matrix(2, 3));
  auto const three = tape.constant(tape.matrix(1, 3));
  auto const four = tape.constant(tape.matrix(1, 4));
  CHECK_THROWS_WITH(m2u::layer_norm(tape, x, three, four), ContainsSubstring("beta [1, 4]"));
  CHECK_THROWS_WITH(m2u::layer_norm(tape, x, four, three), ContainsSubstring("gamma [1, 4]"));
  CHECK_THROWS_WITH(m2u::batch_norm(tape, x, four, three, norm.mean, norm.variance),
                    ContainsSubstring("gamma [1, 4]"));
  CHECK_THROWS_WITH(m2u::batch_norm(tape, x, three, three, norm.mean, norm.variance),
                    ContainsSubstring("running mean [1, 4]"));
  using Term = m2u::BatchNormTerm<S, float>;
  auto const wide = tape.constant(tape.matrix(2, 4));
  auto const tall = tape.constant(tape.matrix(3, 4));
  CHECK_THROWS_WITH(
      m2u::batch_norm(tape, std::array{Term{wide, four, four, norm.mean, norm.variance},
                                       Term{tall, four, four, norm.mean, norm.variance}}),
      ContainsSubstring("[2, 4] and [3, 4] differ"));
}
