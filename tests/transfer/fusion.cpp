// SPDX-License-Identifier: Apache-2.0
#include "m2u/transfer/fusion.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/nn/multihead_attention.hpp"
#include "support/evaluate.hpp"
#include "support/spaces.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Mode;
using m2u::random_input;
using m2u::test::evaluate;
using m2u::test::largest_error;

constexpr int width = 12;

struct Model {
  m2u::ParameterLayout layout;
  m2u::Fusion fusion{layout.scope("fusion"), {.width = width, .heads = 3, .dropout = 0.4F}};
};

/// The first input is the query, the others the generated vectors.
auto fused(m2u::Fusion const& fusion) {
  return [&fusion](auto& tape, auto const& in) {
    return fusion(tape, in[0], {in.begin() + 1, in.end()});
  };
}
auto weights(m2u::Fusion const& fusion) {
  return [&fusion](auto& tape, auto const& in) {
    auto const result = fusion.weights(tape, in[0], {in.begin() + 1, in.end()});
    CHECK_FALSE(result.differentiable());
    return tape.variable(result.value);  // evaluate differentiates
  };
}

std::vector<m2u::CheckInput> inputs(int samples, int modalities) {
  std::vector<m2u::CheckInput> result;
  for (int i = 0; i <= modalities; ++i) {
    result.push_back(random_input(samples, width, {static_cast<std::uint64_t>(i + 1)}));
  }
  return result;
}

}  // namespace

TEST_CASE("gradients of the fusion agree with central differences", "[fusion][gradients]") {
  Kokkos::DefaultExecutionSpace const space;
  Model const model;
  for (int const modalities : {1, 3}) {
    auto const report =
        m2u::gradient_check(space, model.layout, inputs(5, modalities), fused(model.fusion));
    INFO(modalities << " modalities: " << report);
    CHECK(report.difference_error < 1e-6);
    CHECK(report.float_error < 1e-4);
  }
}

// Attention over the group of a query and its generated vectors is what MultiheadAttention does;
// its query row attends to itself too, so the generated ones' shares are those of the fusion,
// scaled.
TEMPLATE_LIST_TEST_CASE("the fusion's weights are those of self-attention without the query",
                        "[fusion]", m2u::test::Spaces) {
  Model const model;
  m2u::ParameterLayout layout;
  m2u::MultiheadAttention const attention(layout.scope("fusion"), width, 1, 0.0F);
  m2u::ParameterLayout one_head_layout;
  m2u::Fusion const one_head{one_head_layout.scope("fusion"), {.width = width, .heads = 1}};
  auto const in = inputs(7, 3);
  auto const got = evaluate(TestType{}, one_head_layout, in, weights(one_head), Mode::evaluation);
  REQUIRE(got.rows == 7);
  REQUIRE(got.cols == 3);
  // Rows sample by sample: the query, then its generated vectors.
  m2u::CheckInput grouped{28, width, {}};
  for (int sample = 0; sample < 7; ++sample) {
    for (auto const& input : in) {
      auto const row = input.values.begin() + sample * width;
      grouped.values.insert(grouped.values.end(), row, row + width);
    }
  }
  auto const map = evaluate(TestType{}, layout, {grouped}, [&](auto& tape, auto const& tensors) {
    auto const groups = m2u::to_space(tape.space(), m2u::make_ragged(std::vector<int>(7, 4)));
    return tape.variable(attention.weights(tape, tensors[0], groups).value);
  });
  for (std::size_t sample = 0; sample < 7; ++sample) {
    auto const* const row = map.values.data() + 16 * sample;
    for (std::size_t m = 0; m < 3; ++m) {
      CHECK(std::abs(got.values[3 * sample + m] - row[m + 1] / (1.0 - row[0])) < 1e-5);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("the fusion does not depend on the order of the modalities", "[fusion]",
                        m2u::test::Spaces) {
  Model const model;
  auto in = inputs(6, 3);
  auto const forward =
      evaluate(TestType{}, model.layout, in, fused(model.fusion), Mode::evaluation);
  auto const shares =
      evaluate(TestType{}, model.layout, in, weights(model.fusion), Mode::evaluation);
  std::swap(in[1], in[3]);
  auto const backward =
      evaluate(TestType{}, model.layout, in, fused(model.fusion), Mode::evaluation);
  auto const swapped =
      evaluate(TestType{}, model.layout, in, weights(model.fusion), Mode::evaluation);
  CHECK(largest_error(backward.values, forward.values) < 1e-5);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(std::abs(shares.values[3 * i] - swapped.values[3 * i + 2]) < 1e-6);
    CHECK(std::abs(shares.values[3 * i] + shares.values[3 * i + 1] + shares.values[3 * i + 2] -
                   1.0) < 1e-5);
  }
}

// The attention over a single row is that row's value, whatever the query; without running
// statistics from training the norm divides by √(1 + eps).
TEST_CASE("the fusion of one modality is the query plus its projected value", "[fusion]") {
  using S = Kokkos::DefaultExecutionSpace;
  Model const model;
  auto const in = inputs(4, 1);
  auto const got = evaluate(S{}, model.layout, in, fused(model.fusion), Mode::evaluation);
  m2u::Parameters<S> const theta(S{}, model.layout, m2u::Seed{11});
  auto const parameter = [&](std::string const& name) {
    for (auto const& entry : model.layout.parameters()) {
      if (entry.name == name) {
        return m2u::to_host(S{}, theta.value(entry.slice));
      }
    }
    throw m2u::Error("no " + name);
  };
  auto const in_weight = parameter("fusion.in_proj.weight");
  auto const out_weight = parameter("fusion.out_proj.weight");
  REQUIRE(in_weight.size() == 3 * width * width);
  std::vector<double> expected;
  for (std::size_t sample = 0; sample < 4; ++sample) {
    std::array<double, width> value{};
    for (std::size_t i = 0; i < width; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        value[i] += static_cast<double>(in_weight[(2 * width + i) * width + j]) *
                    in[1].values[sample * width + j];
      }
    }
    for (std::size_t i = 0; i < width; ++i) {
      double sum = in[0].values[sample * width + i];
      for (std::size_t j = 0; j < width; ++j) {
        sum += static_cast<double>(out_weight[i * width + j]) * value[j];
      }
      expected.push_back(sum / std::sqrt(1.0 + 1e-5));
    }
  }
  CHECK(largest_error(got.values, expected) < 1e-5);
}

TEST_CASE("the fusion refuses what does not fit", "[fusion]") {
  using S = Kokkos::DefaultExecutionSpace;
  Model const model;
  m2u::ParameterLayout layout;
  CHECK_THROWS_WITH(m2u::Fusion(layout.scope("odd"), {.width = 10, .heads = 4}),
                    ContainsSubstring("4 heads do not divide the width 10"));
  m2u::Tape<S> tape(S{}, {S{}, model.layout, {}}, Mode::training);
  auto const zeros = [&](int rows, int cols) { return tape.constant(tape.matrix(rows, cols)); };
  std::vector<m2u::Tensor<S>> const none;
  CHECK_THROWS_WITH(model.fusion(tape, zeros(2, width), none),
                    ContainsSubstring("no generated vectors"));
  std::vector<m2u::Tensor<S>> const odd{zeros(3, width)};
  CHECK_THROWS_WITH(model.fusion(tape, zeros(2, width), odd),
                    ContainsSubstring("[3, 12] do not fit the query [2, 12]"));
  CHECK_THROWS_WITH(model.fusion.weights(tape, zeros(3, 4), odd),
                    ContainsSubstring("the query [3, 4] needs 12 columns"));
  std::vector<m2u::Tensor<S>> const empty{zeros(0, width)};
  CHECK(m2u::shape(model.fusion(tape, zeros(0, width), empty)) == m2u::Shape{0, width});
}
