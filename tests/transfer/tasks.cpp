// SPDX-License-Identifier: Apache-2.0
// Tasks: labels of samples and classes of pairs, learnt from the hub.
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/data/labelled_dataset.hpp"
#include "m2u/data/pair_dataset.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/best_epoch.hpp"
#include "m2u/train/trainer.hpp"
#include "m2u/transfer/fusion.hpp"
#include "m2u/transfer/predict.hpp"
#include "support/spaces.hpp"
#include "support/toy_graphs.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::test::toy_width;
using ToyGraphs = m2u::test::ToyGraphs<12>;

constexpr float no_label = std::numeric_limits<float>::quiet_NaN();

auto small_hub(m2u::ParameterLayout& layout) {
  return m2u::hub(m2u::Gps{layout.scope("hub"),
                           {.width = toy_width,
                            .layers = 1,
                            .heads = 2,
                            .dropout = 0.0F,
                            .attention_dropout = 0.0F,
                            .node_vocabularies = {7, 3},
                            .edge_vocabularies = {4},
                            .encoding_steps = 4,
                            .encoding_width = 4}});
}

auto fused_model(m2u::ParameterLayout& layout, m2u::LabelLoss loss) {
  auto const adapter = [&](char const* name) {
    return m2u::LinearAdapter{layout.scope(name), toy_width, toy_width};
  };
  return m2u::MultiToUni{
      small_hub(layout),
      m2u::generator<"text">(adapter("to_text")),
      m2u::generator<"bio">(adapter("to_bio")),
      m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), toy_width}),
      m2u::fused(
          m2u::Fusion{layout.scope("fusion"), {.width = toy_width, .heads = 2, .dropout = 0.0F}}),
      m2u::task<"labels">(m2u::LabelHead{
          layout.scope("head"),
          {.in = toy_width, .hidden = 8, .tasks = 2, .dropout = 0.0F, .loss = loss}})};
}

m2u::Labels toy_labels() {
  m2u::Labels labels{2, {}, {}};
  for (int sample = 0; sample < ToyGraphs{}.size(); ++sample) {
    int const nodes = m2u::test::toy_graph(sample).nodes;
    labels.values.push_back(nodes > 5 ? 1.0F : 0.0F);
    labels.values.push_back(sample % 3 == 0 ? no_label : (nodes % 2 == 0 ? 1.0F : 0.0F));
  }
  return labels;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a model with a task learns its labels, and predicts them", "[tasks]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::ParameterLayout layout;
  auto const model = fused_model(layout, m2u::LabelLoss::binary_cross_entropy);
  static_assert(decltype(model)::learns() && decltype(model)::predicts());
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{3});
  m2u::Adam<S> adam{theta, {.learning_rate = 1e-2}};
  m2u::SequentialBatches<S, m2u::LabelledDataset<ToyGraphs>> source(
      m2u::LabelledDataset(ToyGraphs{}, toy_labels()), {.size = 12, .shuffle = false});
  m2u::SequentialBatches<S, ToyGraphs> unlabelled(ToyGraphs{}, {.size = 5, .shuffle = false});
  auto const errors = [&] {
    auto const found = m2u::predict(space, model, theta, unlabelled);
    REQUIRE(found.rows == 12);
    REQUIRE(found.cols == 2);
    auto const labels = toy_labels();
    int wrong = 0;
    for (std::size_t i = 0; i < labels.values.size(); ++i) {
      wrong +=
          !std::isnan(labels.values[i]) && (found.values[i] > 0.0F) != (labels.values[i] > 0.5F);
    }
    return static_cast<double>(wrong);
  };
  double const before = errors();
  m2u::BestEpoch<S> best(theta, errors, {.highest = false, .patience = 150});
  m2u::Trainer trainer{model, theta, adam, std::ref(best)};
  auto const result = trainer.fit(source, {.epochs = 300});
  best.restore(space);
  CHECK(before > 0.0);
  CHECK(best.score() == 0.0);
  CHECK(errors() == 0.0);
  // 150 epochs after the first without an error there was no better one.
  CHECK(result.epochs == best.epoch() + 150);
  CHECK(result.history.front().terms.at(0).name == "labels");
  CHECK(result.history.front().terms.at(0).rows == 12);
  CHECK(result.history.back().extra.at("validation") == 0.0);
}

TEST_CASE("the best epoch is the first of the best, and its values come back", "[tasks]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  layout.scope("a").vector("b", 3, m2u::Initialiser::constant(0.0F));
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{});
  std::vector<double> const scores{0.5, 0.9, 0.9, 0.1};
  std::size_t epoch = 0;
  m2u::BestEpoch<S> best(theta, [&] { return scores[epoch]; }, {.patience = 2});
  CHECK_THROWS_WITH(best.restore(S{}), ContainsSubstring("no epoch"));
  for (; epoch < scores.size(); ++epoch) {
    Kokkos::deep_copy(theta.values(), static_cast<float>(epoch + 1));
    m2u::EpochInfo info{.epoch = static_cast<int>(epoch + 1)};
    best.on_epoch(info);
    CHECK(info.stop == (epoch == 3));
  }
  CHECK(best.epoch() == 2);
  CHECK(best.score() == 0.9);
  best.restore(S{});
  CHECK(m2u::to_host(S{}, theta.values())[0] == 2.0F);
  m2u::BestEpoch<S> late(theta, [&] { return 1.0 / static_cast<double>(epoch); },
                         {.patience = 1, .first = 3});
  for (epoch = 1; epoch < 5; ++epoch) {
    m2u::EpochInfo info{.epoch = static_cast<int>(epoch)};
    late.on_epoch(info);
    CHECK(info.extra.contains("validation"));
    CHECK(info.stop == (epoch == 4));
  }
  CHECK(late.epoch() == 3);
  m2u::BestEpoch<S> broken(theta, [] { return std::nan(""); });
  m2u::EpochInfo info{.epoch = 7};
  CHECK_THROWS_WITH(broken.on_epoch(info), ContainsSubstring("epoch 7"));
}

TEST_CASE("gradients of tasks agree with central differences", "[tasks][gradients]") {
  using S = Kokkos::DefaultExecutionSpace;
  S const space;
  m2u::ParameterLayout layout;
  m2u::LabelHead const head{layout.scope("head"),
                            {.in = 5, .hidden = 4, .tasks = 2, .dropout = 0.0F, .normalise = true}};
  m2u::PairHead const pairs{layout.scope("pairs"),
                            {.in = 5, .hidden = 6, .middle = 4, .classes = 3, .dropout = 0.0F}};
  auto const both = [&](auto& tape, auto const& in) {
    auto const labels = m2u::make_sparse_rows(std::vector{2, 0, 1, 1}, std::vector{0, 1, 1, 0},
                                              std::vector{1.0F, 0.0F, 1.0F, 0.0F}, 2);
    m2u::LabelBatch<S> const batch{m2u::to_space(tape.space(), labels), {}};
    m2u::PairBatch<S> const pair_batch{
        m2u::to_space(tape.space(), m2u::make_row_index(std::vector{0, 0, 3, 2, 1}, 4)),
        m2u::to_space(tape.space(), m2u::make_row_index(std::vector{1, 3, 0, 0, 1}, 4)),
        m2u::to_space<S>(tape.space(), m2u::host_vector("classes", std::vector{0, 2, 1, 1, 0}))};
    return add(tape, head.loss(tape, head(tape, in[0]), batch),
               pairs.loss(tape, pairs(tape, in[0], pair_batch), pair_batch));
  };
  auto const report = m2u::gradient_check(space, layout, {m2u::random_input(4, 5, {1})}, both);
  INFO(report);
  CHECK(report.difference_error < 1e-6);
  CHECK(report.float_error < 1e-4);
}

TEST_CASE("a task without labels in the batch is skipped", "[tasks]") {
  using S = Kokkos::DefaultExecutionSpace;
  S const space;
  m2u::ParameterLayout layout;
  auto const model = fused_model(layout, m2u::LabelLoss::squared_error);
  m2u::Tape<S> tape(space, {space, layout, m2u::Seed{1}}, m2u::Mode::training);
  auto const batch = ToyGraphs{}.collate<S>(std::vector{0, 1, 2}).to_space(space);
  auto const losses = model.losses(tape, batch);
  REQUIRE(losses.terms.size() == 1);
  CHECK(losses.terms[0].skipped);
  CHECK_FALSE(losses.total.differentiable());
}

TEST_CASE("a labelled data set refuses labels that do not fit", "[tasks]") {
  CHECK_THROWS_WITH(m2u::LabelledDataset(ToyGraphs{}, m2u::Labels{2, {1.0F}, {}}),
                    ContainsSubstring("1 labels") && ContainsSubstring("12 samples of 2 tasks"));
  auto labels = toy_labels();
  labels.weights = {1.0F};
  CHECK_THROWS_WITH(m2u::LabelledDataset(ToyGraphs{}, labels), ContainsSubstring("1 weights"));
}

TEMPLATE_LIST_TEST_CASE("a model learns what holds between two samples", "[tasks]",
                        m2u::test::Spaces) {
  using S = TestType;
  S const space;
  m2u::ParameterLayout layout;
  m2u::MultiToUni const model{small_hub(layout),
                              m2u::task<"pairs">(m2u::PairHead{layout.scope("head"),
                                                               {.in = toy_width,
                                                                .hidden = 16,
                                                                .middle = 8,
                                                                .classes = 3,
                                                                .dropout = 0.0F,
                                                                .normalise = true}})};
  m2u::Pairs pairs;
  for (int i = 0; i < 20; ++i) {
    pairs.first.push_back(i % 7);
    pairs.second.push_back((3 * i + 1) % 11);
    int const difference = m2u::test::toy_graph(pairs.first.back()).nodes -
                           m2u::test::toy_graph(pairs.second.back()).nodes;
    pairs.classes.push_back(difference < 0 ? 0 : difference == 0 ? 1 : 2);
  }
  m2u::PairDataset const dataset(ToyGraphs{}, pairs);
  auto const batch = dataset.template collate<S>(std::vector{1, 8, 1}).to_space(space);
  CHECK(batch.ids() == std::vector{1, 3, 4});  // the samples 1 and 4, and 1 and 3
  auto const& held = batch.template get<m2u::PairBatch<S>>("pairs");
  CHECK(m2u::to_host(space, held.first.rows) == std::vector{0, 0, 0});
  CHECK(m2u::to_host(space, held.second.rows) == std::vector{2, 1, 2});
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{3});
  m2u::Adam<S> adam{theta, {.learning_rate = 1e-2}};
  m2u::SequentialBatches<S, m2u::PairDataset<ToyGraphs>> source(dataset,
                                                                {.size = 20, .shuffle = false});
  m2u::Trainer trainer{model, theta, adam};
  trainer.fit(source, {.epochs = 300});
  auto const found = m2u::predict(space, model, theta, source);
  REQUIRE(found.rows == 20);
  REQUIRE(found.cols == 3);
  for (std::size_t i = 0; i < 20; ++i) {
    auto const first = found.values.begin() + static_cast<std::ptrdiff_t>(3 * i);
    CHECK(std::max_element(first, first + 3) - first == pairs.classes[i]);
  }
  CHECK_THROWS_WITH(m2u::PairDataset(ToyGraphs{}, m2u::Pairs{{0}, {12}, {0}}),
                    ContainsSubstring("sample 12"));
  CHECK_THROWS_WITH(m2u::PairDataset(ToyGraphs{}, m2u::Pairs{{0}, {1}, {}}),
                    ContainsSubstring("0 classes"));
}
