// SPDX-License-Identifier: Apache-2.0
// cross_entropy, label_loss, nt_xent, symmetric_info_nce and cosine_loss.
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/ops/cosine_loss.hpp"
#include "m2u/ops/cross_entropy.hpp"
#include "m2u/ops/info_nce.hpp"
#include "m2u/ops/label_loss.hpp"
#include "m2u/ops/nt_xent.hpp"
#include "support/evaluate.hpp"
#include "support/gradient_cases.hpp"

namespace {

using m2u::CheckInput;
using m2u::random_input;
using m2u::test::add_gradient_case;
using m2u::test::evaluate;
using m2u::test::largest_error;

auto labelled(std::vector<int> labels) {
  return [=](auto& tape, auto const& in) {
    auto const host = m2u::host_vector("labels", labels);
    auto const device = tape.template vector<int>(static_cast<int>(labels.size()));
    Kokkos::deep_copy(tape.space(), device, host);
    tape.space().fence();
    return m2u::cross_entropy(tape, in[0], device);
  };
}

auto const nt_xent = [](auto& tape, auto const& in) {
  return m2u::nt_xent(tape, in[0], in[1], 0.2F);
};
auto const info_nce = [](auto& tape, auto const& in) {
  return m2u::symmetric_info_nce(tape, in[0], in[1], 0.2F);
};
auto const cosine = [](auto& tape, auto const& in) { return m2u::cosine_loss(tape, in[0], in[1]); };

/// Labels of `rows` samples in three tasks: every fourth is missing, the last row has none.
m2u::SparseRows<m2u::Host> sparse_labels(int rows) {
  std::vector<int> lengths;
  std::vector<int> columns;
  std::vector<float> values;
  for (int i = 0; i < rows; ++i) {
    lengths.push_back(0);
    for (int task = 0; task < 3 && i + 1 < rows; ++task) {
      if ((3 * i + task) % 4 != 3) {
        ++lengths.back();
        columns.push_back(task);
        values.push_back((i + task) % 2 == 0 ? 1.0F : 0.0F);
      }
    }
  }
  return m2u::make_sparse_rows(lengths, columns, values, 3);
}

std::vector<float> label_weights(m2u::SparseRows<m2u::Host> const& labels) {
  std::vector<float> weights;
  for (int k = 0; k < labels.rows.total; ++k) {
    weights.push_back(0.5F + 0.25F * static_cast<float>(k % 5));
  }
  return weights;
}

auto of_labels(int rows, m2u::LabelLoss kind, bool weighted) {
  return [=](auto& tape, auto const& in) {
    auto const host = sparse_labels(rows);
    auto const weights =
        m2u::host_vector("weights", weighted ? label_weights(host) : std::vector<float>());
    return m2u::label_loss(tape, in[0], m2u::to_space(tape.space(), host), kind,
                           m2u::to_space(tape.space(), weights));
  };
}

std::vector<CheckInput> views(int rows, int cols) {
  return {random_input(rows, cols, {1}), random_input(rows, cols, {2})};
}

std::vector<int> some_labels(int rows, int classes) {
  std::vector<int> labels;
  for (int i = 0; i < rows; ++i) {
    labels.push_back((7 * i + i / 3) % classes);
  }
  return labels;
}

template <class S>
m2u::GradientReport check_labelled(S const& space, int rows, int classes) {
  return m2u::gradient_check(space, {}, {random_input(rows, classes, {1})},
                             labelled(some_labels(rows, classes)));
}

// A function of two views, at a few shapes. The views' rows make more than one block in a sum.
template <class F>
bool add_view_cases(std::string const& op, int rows_of_blocks, F f) {
  auto const add = [&](std::string const& what, int rows, int cols) {
    add_gradient_case(op, what,
                      [=](auto s) { return m2u::gradient_check(s, {}, views(rows, cols), f); });
  };
  add("a few rows", 5, 4);
  add("blocks of rows", rows_of_blocks, 2);
  add("two rows", 2, 3);
  add("one row", 1, 3);
  add("no rows", 0, 3);
  add_gradient_case(op, "a view of itself and its own gradient added", [=](auto s) {
    return m2u::gradient_check(s, {}, {random_input(4, 3, {1})}, [=](auto& tape, auto const& in) {
      return f(tape, std::vector{in[0], in[0]});
    });
  });
  return true;
}

m2u::GradientReport check_labels(auto const& space, int rows, m2u::LabelLoss kind, bool weighted) {
  return m2u::gradient_check(space, {}, {random_input(rows, 3, {1})},
                             of_labels(rows, kind, weighted));
}
using m2u::LabelLoss;

bool const losses_cases[] = {
    add_gradient_case(
        "label_loss", "logits",
        [](auto s) { return check_labels(s, 7, LabelLoss::binary_cross_entropy, false); }),
    add_gradient_case(
        "label_loss", "weighted logits",
        [](auto s) { return check_labels(s, 300, LabelLoss::binary_cross_entropy, true); }),
    add_gradient_case("label_loss", "squares",
                      [](auto s) { return check_labels(s, 9, LabelLoss::squared_error, true); }),
    add_gradient_case("label_loss", "no labels",
                      [](auto s) { return check_labels(s, 1, LabelLoss::squared_error, false); }),
    add_gradient_case("cross_entropy", "rows", [](auto s) { return check_labelled(s, 5, 4); }),
    add_gradient_case("cross_entropy", "blocks of rows",
                      [](auto s) { return check_labelled(s, 260, 2); }),
    add_gradient_case("cross_entropy", "many classes",
                      [](auto s) { return check_labelled(s, 3, 75); }),
    add_gradient_case("cross_entropy", "one class", [](auto s) { return check_labelled(s, 3, 1); }),
    add_gradient_case("cross_entropy", "one row", [](auto s) { return check_labelled(s, 1, 3); }),
    add_gradient_case("cross_entropy", "no rows", [](auto s) { return check_labelled(s, 0, 3); }),
    add_view_cases("nt_xent", 66, nt_xent),
    add_view_cases("info_nce", 66, info_nce),
    add_view_cases("cosine_loss", 140, cosine),
};

double cosine_of(CheckInput const& a, int i, CheckInput const& b, int j) {
  double ab = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  for (int c = 0; c < a.cols; ++c) {
    double const x = a.values[static_cast<std::size_t>(i * a.cols + c)];
    double const y = b.values[static_cast<std::size_t>(j * b.cols + c)];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::max(std::sqrt(aa), 1e-12) / std::max(std::sqrt(bb), 1e-12);
}

// Mean over i of the cross entropy of a(i) against all b(j), and all a(j) with j ≠ i if `within`.
double one_direction(CheckInput const& a, CheckInput const& b, double temperature, bool within) {
  double mean = 0.0;
  for (int i = 0; i < a.rows; ++i) {
    double sum = 0.0;
    for (int j = 0; j < a.rows; ++j) {
      sum += std::exp(cosine_of(a, i, b, j) / temperature);
      if (within && j != i) {
        sum += std::exp(cosine_of(a, i, a, j) / temperature);
      }
    }
    mean += (std::log(sum) - cosine_of(a, i, b, i) / temperature) / a.rows;
  }
  return mean;
}

bool finite(std::vector<double> const& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("contrastive losses agree with plain loops",
                        "[nt_xent][info_nce][cosine_loss]", m2u::test::Spaces) {
  int const rows = GENERATE(0, 1, 2, 7, 150);
  auto const in = views(rows, 9);
  double apart = 0.0;
  for (int i = 0; i < rows; ++i) {
    apart += (1.0 - cosine_of(in[0], i, in[1], i)) / rows;
  }
  double const whole =
      one_direction(in[0], in[1], 0.2, true) + one_direction(in[1], in[0], 0.2, true);
  double const across =
      (one_direction(in[0], in[1], 0.2, false) + one_direction(in[1], in[0], 0.2, false)) / 2.0;
  CHECK(largest_error(evaluate(TestType{}, {}, in, nt_xent).values, {whole}) < 1e-5);
  CHECK(largest_error(evaluate(TestType{}, {}, in, info_nce).values, {across}) < 1e-5);
  CHECK(largest_error(evaluate(TestType{}, {}, in, cosine).values, {apart}) < 1e-5);
  if (rows == 1) {
    CHECK(std::abs(whole) < 1e-12);  // the only logit is the target
  }
}

TEMPLATE_LIST_TEST_CASE("contrastive losses stay finite for rows of zeros and low temperatures",
                        "[nt_xent][info_nce][cosine_loss]", m2u::test::Spaces) {
  auto in = views(6, 4);
  std::fill_n(in[0].values.begin(), 4, 0.0);      // row 0 of a
  std::fill_n(in[1].values.begin() + 8, 4, 0.0);  // row 2 of b
  auto const cold = [](auto& tape, auto const& x) { return m2u::nt_xent(tape, x[0], x[1], 1e-3F); };
  auto const cold_across = [](auto& tape, auto const& x) {
    return m2u::symmetric_info_nce(tape, x[0], x[1], 1e-3F);
  };
  for (auto const& got :
       {evaluate(TestType{}, {}, in, nt_xent), evaluate(TestType{}, {}, in, info_nce),
        evaluate(TestType{}, {}, in, cosine), evaluate(TestType{}, {}, in, cold),
        evaluate(TestType{}, {}, in, cold_across)}) {
    CHECK(finite(got.values));
    CHECK(finite(got.gradients[0]));
    CHECK(finite(got.gradients[1]));
  }
  double const expected =
      one_direction(in[0], in[1], 0.2, true) + one_direction(in[1], in[0], 0.2, true);
  CHECK(largest_error(evaluate(TestType{}, {}, in, nt_xent).values, {expected}) < 1e-5);
  auto const got = evaluate(TestType{}, {}, in, cosine);
  CHECK(std::all_of(got.gradients[0].begin(), got.gradients[0].begin() + 4,
                    [](double v) { return v == 0.0; }));
  CHECK(std::any_of(got.gradients[0].begin() + 4, got.gradients[0].end(),
                    [](double v) { return v != 0.0; }));
}

TEMPLATE_LIST_TEST_CASE("label_loss is the mean over the labels that there are", "[label_loss]",
                        m2u::test::Spaces) {
  int const rows = GENERATE(1, 2, 7, 150);
  bool const weighted = GENERATE(false, true);
  auto in = random_input(rows, 3, {1});
  for (auto& value : in.values) {
    value *= 200.0;  // exp would overflow
  }
  auto const labels = sparse_labels(rows);
  auto const weights = label_weights(labels);
  double logistic = 0.0;
  double squares = 0.0;
  for (int i = 0; i < rows; ++i) {
    for (int k = labels.rows.offsets(i); k < labels.rows.offsets(i + 1); ++k) {
      double const x = in.values[static_cast<std::size_t>(3 * i + labels.columns(k))];
      double const y = static_cast<double>(labels.weights(k));
      double const w = weighted ? static_cast<double>(weights[static_cast<std::size_t>(k)]) : 1.0;
      double const sign = y > 0.5 ? -x : x;
      logistic += w * (std::max(sign, 0.0) + std::log1p(std::exp(-std::abs(sign))));
      squares += w * (x - y) * (x - y);
    }
  }
  double const count = std::max(1, labels.rows.total);
  auto const of = [&](LabelLoss kind) {
    return evaluate(TestType{}, {}, {in}, of_labels(rows, kind, weighted)).values;
  };
  CHECK(largest_error(of(LabelLoss::binary_cross_entropy), {logistic / count}) < 1e-5);
  CHECK(largest_error(of(LabelLoss::squared_error), {squares / count}) < 1e-5);
}

TEST_CASE("the exponential of kernels is accurate", "[cross_entropy]") {
  double worst = 0.0;
  for (float x = -87.0F; x <= 88.0F; x += 0.001F) {
    double const exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(m2u::exponential(x) - exact) / exact);
  }
  CHECK(worst < 2e-7);
  CHECK(m2u::exponential(0.0F) == 1.0F);
  CHECK(m2u::exponential(-HUGE_VALF) < 2e-38F);
  CHECK(std::isnan(m2u::exponential(std::nanf(""))));
}

TEMPLATE_LIST_TEST_CASE("cross_entropy agrees with plain loops and is stable", "[cross_entropy]",
                        m2u::test::Spaces) {
  auto const [rows, classes] =
      GENERATE(std::pair{0, 3}, std::pair{1, 1}, std::pair{300, 3}, std::pair{4, 86});
  auto logits = random_input(rows, classes, {1});
  for (auto& value : logits.values) {
    value = 50.0 * value + 1000.0;  // exp would overflow
  }
  auto const labels = some_labels(rows, classes);
  double expected = 0.0;
  for (int i = 0; i < rows; ++i) {
    auto const* const row = logits.values.data() + i * classes;
    double const largest = *std::max_element(row, row + classes);
    double sum = 0.0;
    for (int j = 0; j < classes; ++j) {
      sum += std::exp(row[j] - largest);
    }
    expected += (largest + std::log(sum) - row[labels[static_cast<std::size_t>(i)]]) / rows;
  }
  auto const got = evaluate(TestType{}, {}, {logits}, labelled(labels));
  CHECK(largest_error(got.values, {expected}) < 1e-4);
  CHECK(finite(got.gradients[0]));
}

TEMPLATE_LIST_TEST_CASE("a label out of range shows in the loss", "[cross_entropy]",
                        m2u::test::Spaces) {
  auto const logits = random_input(3, 2, {1});
  CHECK(std::isnan(evaluate(TestType{}, {}, {logits}, labelled({0, 2, 1})).values[0]));
  CHECK(std::isnan(evaluate(TestType{}, {}, {logits}, labelled({0, 1, -1})).values[0]));
}

TEMPLATE_LIST_TEST_CASE("losses give the same bits on one thread",
                        "[cross_entropy][nt_xent][info_nce][cosine_loss]", m2u::test::Spaces) {
  auto const part = m2u::test::fewer_threads<TestType>();
  if (!part) {
    SKIP("the space has no instance with fewer threads");
  }
  auto const in = views(400, 24);
  CHECK(evaluate(TestType{}, {}, in, nt_xent) == evaluate(*part, {}, in, nt_xent));
  CHECK(evaluate(TestType{}, {}, in, info_nce) == evaluate(*part, {}, in, info_nce));
  CHECK(evaluate(TestType{}, {}, in, cosine) == evaluate(*part, {}, in, cosine));
  auto const labels = labelled(some_labels(400, 24));
  CHECK(evaluate(TestType{}, {}, {in[0]}, labels) == evaluate(*part, {}, {in[0]}, labels));
}

TEST_CASE("losses refuse what does not fit", "[cross_entropy][nt_xent][info_nce][cosine_loss]") {
  using Catch::Matchers::ContainsSubstring;
  using S = Kokkos::DefaultExecutionSpace;
  m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::training);
  auto const a = tape.constant(tape.matrix(3, 4));
  auto const b = tape.constant(tape.matrix(2, 4));
  CHECK_THROWS_WITH(m2u::nt_xent(tape, a, b, 0.1F), ContainsSubstring("nt_xent: the views [3, 4]"));
  CHECK_THROWS_WITH(m2u::nt_xent(tape, a, a, 0.0F), ContainsSubstring("temperature 0"));
  CHECK_THROWS_WITH(m2u::symmetric_info_nce(tape, a, b, 0.1F), ContainsSubstring("[2, 4]"));
  CHECK_THROWS_WITH(m2u::symmetric_info_nce(tape, a, a, -1.0F),
                    ContainsSubstring("temperature -1"));
  CHECK_THROWS_WITH(m2u::cosine_loss(tape, a, b), ContainsSubstring("same shape"));
  CHECK_THROWS_WITH(m2u::cross_entropy(tape, a, tape.vector<int>(2)),
                    ContainsSubstring("2 labels do not fit logits [3, 4]"));
  CHECK_THROWS_WITH(m2u::cross_entropy(tape, tape.constant(tape.matrix(2, 0)), tape.vector<int>(2)),
                    ContainsSubstring("no classes"));
  CHECK_THROWS_WITH(m2u::check_labels(std::vector{0, 3}, 3),
                    ContainsSubstring("label 3 at position 1 is outside 0 … 2"));
  CHECK_NOTHROW(m2u::check_labels(std::vector{0, 2}, 3));
}
