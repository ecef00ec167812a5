// SPDX-License-Identifier: Apache-2.0
// Models that encode the hub for each match, and models that generate what they have no encoder
// for.
#include "m2u/transfer/hub_passes.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/transfer/embed.hpp"
#include "m2u/transfer/fusion.hpp"
#include "support/op_values.hpp"
#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::HubPasses;
using m2u::test::largest_difference;
using m2u::test::toy_width;

auto toy_hub(m2u::ParameterLayout& layout) {
  return m2u::hub(m2u::Gps{layout.scope("hub"),
                           {.width = toy_width,
                            .layers = 2,
                            .heads = 2,
                            .dropout = 0.0F,
                            .attention_dropout = 0.0F,
                            .node_vocabularies = {7, 3},
                            .edge_vocabularies = {4},
                            .encoding_steps = 4,
                            .encoding_width = 4}});
}
auto text_match(m2u::ParameterLayout& layout) {
  return m2u::match<"text">(
      m2u::HashedText{layout.scope("text"), {.buckets = 32, .width = 8, .out = toy_width}},
      m2u::LinearAdapter{layout.scope("to_text"), toy_width, toy_width}, m2u::SymmetricInfoNce{});
}

/// Three matches without dropout.
auto composition(m2u::ParameterLayout& layout, HubPasses hub_passes) {
  return m2u::MultiToUni{
      toy_hub(layout),
      text_match(layout),
      m2u::match<"3d">(m2u::SchNet{layout.scope("3d"),
                                   {.width = 8,
                                    .filters = 8,
                                    .interactions = 1,
                                    .gaussians = 6,
                                    .elements = 10,
                                    .out = toy_width}},
                       m2u::LinearAdapter{layout.scope("to_3d"), toy_width, toy_width},
                       m2u::NtXent{}),
      m2u::match<"bio">(
          m2u::MultiHot{layout.scope("bio"), {.vocabularies = {9, 5}, .out = toy_width}},
          m2u::LinearAdapter{layout.scope("to_bio"), toy_width, toy_width}, m2u::NtXent{}),
      m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), toy_width}),
      m2u::joint(m2u::ModalityClassifier{layout.scope("modality"), {.width = toy_width}}),
      m2u::passes(hub_passes)};
}

/// The hub's input for just the samples that have the modality numbered `modality` (1 3d, 2 text,
/// 3 bio): see make_toy_host_batch.
template <class S>
void add_hub_part(m2u::HostBatch<S>& batch, std::string const& name, int modality) {
  std::vector<int> rows;
  std::vector<m2u::GraphRecord> graphs;
  for (int row = 0; row < batch.size(); ++row) {
    int const sample = batch.ids()[static_cast<std::size_t>(row)];
    if (sample % (modality + 1) != 0) {
      rows.push_back(row);
      graphs.push_back(m2u::test::toy_graph(sample));
    }
  }
  std::vector<m2u::GraphView> views;
  for (auto const& graph : graphs) {
    views.push_back(graph.view());
  }
  batch.add(name, rows, m2u::make_graph_batch(views, {2, 1, 4}));
}

template <class S>
m2u::MultiBatch<S> batch_of(S const& space, std::vector<int> const& ids) {
  auto host = m2u::test::make_toy_host_batch<S>(ids);
  add_hub_part(host, "2d/3d", 1);
  add_hub_part(host, "2d/text", 2);
  add_hub_part(host, "2d/bio", 3);
  return host.to_space(space);
}

struct Step {
  std::vector<std::string> names;
  std::vector<float> values;  // of the terms, and the total
  std::vector<float> gradients;
  std::vector<float> before;  // state
  std::vector<float> after;
};

template <class S>
Step run(S const& space, HubPasses hub_passes, std::vector<int> const& ids) {
  m2u::ParameterLayout layout;
  auto const model = composition(layout, hub_passes);
  CHECK(model.hub_passes() == hub_passes);
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{1});
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  theta.zero_gradients(space);
  Step step;
  step.before = m2u::to_host(space, theta.state());
  auto const batch = batch_of(space, ids);
  auto const losses = model.losses(tape, batch);
  tape.backward(losses.total);
  for (auto const& term : losses.terms) {
    REQUIRE_FALSE(term.skipped);
    step.names.push_back(term.name);
    step.values.push_back(m2u::to_host(space, term.value.value)[0]);
  }
  step.values.push_back(m2u::to_host(space, losses.total.value)[0]);
  step.gradients = m2u::to_host(space, theta.gradients());
  step.after = m2u::to_host(space, theta.state());
  return step;
}

// Samples that have everything.
std::vector<int> const complete{1, 5, 7, 11, 13, 17};

/// Gives one batch, once.
template <class S>
struct OneBatch {
  std::shared_ptr<m2u::MultiBatch<S>> batch;
  bool given = false;
  void start_epoch(int) { given = false; }
  std::shared_ptr<m2u::MultiBatch<S>> next(S const&) {
    return std::exchange(given, true) ? nullptr : batch;
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("with all modalities present one pass and three give the same losses",
                        "[transfer]", m2u::test::Spaces) {
  TestType const space;
  auto const once = run(space, HubPasses::once, complete);
  auto const each = run(space, HubPasses::each, complete);
  CHECK(once.names == std::vector<std::string>{"text", "3d", "bio", "joint"});
  CHECK(each.names == once.names);
  CHECK(largest_difference(each.values, once.values) < 1e-5);
  CHECK(largest_difference(each.gradients, once.gradients) < 1e-4);
  // One update takes a running statistic from r to r + (b - r) / 10, three to r + 0.271 (b - r).
  REQUIRE(each.after.size() == once.after.size());
  double moved = 0.0;
  for (std::size_t i = 0; i < once.after.size(); ++i) {
    double const before = once.before[i];
    double const step = static_cast<double>(once.after[i]) - before;
    CHECK(std::abs(each.after[i] - (before + 2.71 * step)) < 1e-4 * (1.0 + std::abs(before)));
    moved = std::max(moved, std::abs(step));
  }
  CHECK(moved > 0.01);
}

TEST_CASE("a pass for each match sees the samples with its modality alone", "[transfer]") {
  Kokkos::DefaultExecutionSpace const space;
  std::vector<int> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(i);
  }
  auto const all = run(space, HubPasses::each, ids);
  std::vector<int> with_text;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(with_text),
               [](int id) { return id % 3 != 0; });
  auto const alone = run(space, HubPasses::once, with_text);
  CHECK(std::abs(all.values[0] - alone.values[0]) < 1e-5F);
  // The single pass over everybody uses the statistics of everybody.
  CHECK(std::abs(all.values[0] - run(space, HubPasses::once, ids).values[0]) > 1e-4F);
}

TEST_CASE("a pass for each match needs the hub's input for it", "[transfer]") {
  Kokkos::DefaultExecutionSpace const space;
  m2u::ParameterLayout layout;
  auto const model = composition(layout, HubPasses::each);
  m2u::Tape<Kokkos::DefaultExecutionSpace> tape(space, {space, layout, m2u::Seed{1}},
                                                m2u::Mode::training);
  CHECK_THROWS_WITH(model.losses(tape, m2u::test::make_toy_batch(space, 12)),
                    ContainsSubstring("needs the batch's modality \"2d/text\"") &&
                        ContainsSubstring("hub_parts = \"2d\""));
  auto host = m2u::test::make_toy_host_batch<Kokkos::DefaultExecutionSpace>({1, 2, 5});
  add_hub_part(host, "2d/text", 1);  // the rows of another modality
  CHECK_THROWS_WITH(model.losses(tape, host.to_space(space)),
                    ContainsSubstring("\"2d/text\" has 2 rows, but \"text\" 3"));
}

TEST_CASE("a generator generates and does not learn", "[transfer]") {
  Kokkos::DefaultExecutionSpace const space;
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  auto const hub = toy_hub(layout);
  auto const text = text_match(layout);
  auto const norm = m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), toy_width});
  auto const sound =
      m2u::generator<"sound">(m2u::LinearAdapter{layout.scope("to_sound"), toy_width, toy_width});
  auto const fusion = m2u::Fusion{layout.scope("fusion"), {.width = toy_width, .heads = 2}};
  m2u::MultiToUni const with{hub, sound, text, norm};
  m2u::MultiToUni const without{hub, text, norm};
  m2u::MultiToUni const only{hub, sound, norm};
  CHECK(with.modalities() == std::vector<std::string>{"sound", "text"});
  m2u::Parameters<S> const theta(space, layout, m2u::Seed{1});
  auto const batch = std::make_shared<m2u::MultiBatch<S>>(m2u::test::make_toy_batch(space, 6));

  m2u::Tape<S> tape(space, theta, m2u::Mode::evaluation);
  auto const losses = with.losses(tape, *batch);
  REQUIRE(losses.terms.size() == 1);
  CHECK(losses.terms[0].name == "text");
  CHECK(m2u::to_host(space, losses.total.value) ==
        m2u::to_host(space, without.losses(tape, *batch).total.value));
  auto const expected =
      m2u::to_host(space, norm.norm(tape, sound.adapter(tape, with.hub(tape, *batch))).value);

  OneBatch<S> source{batch};
  auto const embeddings = m2u::embed(space, with, theta, source);
  CHECK(embeddings.modality("sound").generated.values == expected);
  CHECK(embeddings.modality("sound").real.rows == 0);
  CHECK(embeddings.modality("sound").samples.empty());
  CHECK(embeddings.modality("text").samples == std::vector<int>{1, 2, 4, 5});
  CHECK(embeddings.modality("text").real.rows == 4);
  CHECK(m2u::embed(space, only, theta, source).modality("sound").generated.values == expected);
  CHECK(m2u::embed(space, only, theta, source).fused.rows == 0);

  // A fusion takes what generators and matches give, with the normalised hub vectors as the query.
  m2u::MultiToUni const fusing{hub, sound, norm, m2u::fused(fusion)};
  auto const hub_rows = fusing.hub(tape, *batch);
  std::vector<m2u::Tensor<S>> const vectors{fusing.generate(tape, sound, hub_rows)};
  CHECK(m2u::embed(space, fusing, theta, source).fused.values ==
        m2u::to_host(space, fusion(tape, norm.norm(tape, hub_rows), vectors).value));
}
