// SPDX-License-Identifier: Apache-2.0
#include "m2u/transfer/multi_to_uni.hpp"

#include <cmath>
#include <type_traits>
#include <utility>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/encoders/gin.hpp"
#include "m2u/encoders/precomputed.hpp"
#include "m2u/objectives/cosine.hpp"
#include "m2u/transfer/embed.hpp"
#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

using m2u::Encoder;
using m2u::test::make_toy_batch;
using m2u::test::make_toy_model;
using Default = Kokkos::DefaultExecutionSpace;

// Concepts, positive …
static_assert(Encoder<m2u::Gps> && Encoder<m2u::Gin> && Encoder<m2u::SchNet>);
static_assert(Encoder<m2u::MultiHot> && Encoder<m2u::HashedText> && Encoder<m2u::Precomputed>);
static_assert(m2u::Adapter<m2u::LinearAdapter> && m2u::Adapter<m2u::MlpAdapter>);
static_assert(m2u::Objective<m2u::NtXent> && m2u::Objective<m2u::SymmetricInfoNce> &&
              m2u::Objective<m2u::Cosine>);
static_assert(m2u::JointObjective<m2u::ModalityClassifier>);
static_assert(m2u::TrainableModel<decltype(make_toy_model().model), Default>);
// Names of any length up to 31 characters.
static_assert(decltype(m2u::hub(std::declval<m2u::Gps>()))::modality() == "2d");
static_assert(m2u::Hub<"", m2u::Gps>::modality().empty());
static_assert(m2u::Hub<"é 345678", m2u::Gps>::modality() == "é 345678");
static_assert(m2u::Hub<"a name of thirty-one characters", m2u::Gps>::modality() ==
              "a name of thirty-one characters");
static_assert(!std::is_same_v<m2u::Hub<"text", m2u::Gps>, m2u::Hub<"texts", m2u::Gps>>);
// … and negative.
struct NotAnEncoder {
  template <class S>
  using Batch = m2u::GraphBatch<S>;
  template <class T>  // nvcc warns of other functions that are never called
  int operator()(T const&) const;
};
struct EncoderWithoutBatch {
  template <class S, class R>
  m2u::Tensor<S, R> operator()(m2u::Tape<S, R>&, m2u::GraphBatch<S> const&) const;
};
static_assert(!Encoder<NotAnEncoder> && !Encoder<EncoderWithoutBatch> && !Encoder<int>);
static_assert(!m2u::Adapter<m2u::NtXent> && !m2u::Objective<m2u::LinearAdapter>);
static_assert(!m2u::JointObjective<m2u::NtXent> && !m2u::TrainableModel<int, Default>);

template <class S>
std::vector<float> loss_and_gradients(S const& space, int size, m2u::Losses<S>* terms = nullptr) {
  auto const toy = make_toy_model();
  m2u::Parameters<S> const theta(space, toy.layout, m2u::Seed{1});
  auto const batch = make_toy_batch(space, size);
  m2u::Tape<S> tape(space, theta, m2u::Mode::training, m2u::Seed{2});
  tape.reset(0);
  theta.zero_gradients(space);
  auto const losses = toy.model.losses(tape, batch);
  tape.backward(losses.total);
  auto values = m2u::to_host(space, theta.gradients());
  values.push_back(m2u::to_host(space, losses.total.value)[0]);
  if (terms != nullptr) {
    *terms = losses;
    for (auto& term : terms->terms) {
      term.value = {};  // the tape's memory ends here
    }
  }
  return values;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a batch with missing modalities trains", "[transfer]", m2u::test::Spaces) {
  TestType const space;
  m2u::Losses<TestType> losses;
  auto const values = loss_and_gradients(space, 12, &losses);
  for (float const value : values) {
    REQUIRE(std::isfinite(value));
  }
  CHECK(values.back() > 0.0F);
  REQUIRE(losses.terms.size() == 4);
  CHECK(losses.terms[0].name == "3d");
  CHECK(losses.terms[0].rows == 6);
  CHECK(losses.terms[1].rows == 8);
  CHECK(losses.terms[2].rows == 9);
  CHECK(losses.terms[3].rows == 23);
  for (auto const& term : losses.terms) {
    CHECK_FALSE(term.skipped);
  }
}

TEST_CASE("terms with fewer than two rows are skipped and counted", "[transfer]") {
  Default const space;
  m2u::Losses<Default> losses;
  // Samples 0, 1: 3d has {1}, text {1}, bio {1}.
  auto const toy = make_toy_model();
  m2u::Parameters<Default> const theta(space, toy.layout, m2u::Seed{1});
  m2u::Tape<Default> tape(space, theta, m2u::Mode::training);
  losses = toy.model.losses(tape, make_toy_batch(space, 2));
  for (auto const& term : losses.terms) {
    INFO(term.name);
    CHECK(term.skipped);
  }
  CHECK(m2u::to_host(space, losses.total.value)[0] == 0.0F);
  CHECK_FALSE(losses.total.differentiable());
}

TEST_CASE("a batch with the hub alone works, one without it is refused", "[transfer]") {
  Default const space;
  auto const toy = make_toy_model();
  m2u::Parameters<Default> const theta(space, toy.layout, m2u::Seed{1});
  m2u::Tape<Default> tape(space, theta, m2u::Mode::training);
  auto const graph = m2u::test::toy_graph(0);
  std::vector<m2u::GraphView> const views{graph.view(), graph.view()};
  m2u::HostBatch<Default> alone({0, 1});
  alone.add("2d", std::vector<int>{0, 1}, m2u::make_graph_batch(views, {2, 1, 4}));
  auto const batch = alone.to_space(space);
  CHECK(m2u::shape(toy.model.hub(tape, batch)) == m2u::Shape{2, m2u::test::toy_width});
  CHECK_FALSE(toy.model.losses(tape, batch).total.differentiable());

  m2u::HostBatch<Default> partial({0, 1, 2});
  partial.add("2d", std::vector<int>{0, 2}, m2u::make_graph_batch(views, {2, 1, 4}));
  CHECK_THROWS_WITH(toy.model.losses(tape, partial.to_space(space)),
                    Catch::Matchers::ContainsSubstring("1 of 3 lack it"));
  m2u::HostBatch<Default> wrong({0, 1});
  wrong.add("2d", std::vector<int>{0, 1}, m2u::DenseBatch<m2u::Host>{});
  CHECK_THROWS_WITH(toy.model.losses(tape, wrong.to_space(space)),
                    Catch::Matchers::ContainsSubstring("the data set and the model disagree"));
}

TEST_CASE("the gradient of the whole model agrees with central differences",
          "[transfer][gradients]") {
  Default const space;
  auto const toy = make_toy_model();
  auto const batch = make_toy_batch(space, 7);
  auto const report = m2u::gradient_check(space, toy.layout, {}, [&](auto& tape, auto const&) {
    return toy.model.losses(tape, batch).total;
  });
  INFO(report);
  CHECK(report.difference_error < 1e-5);
  CHECK(report.float_error < 1e-3);
}

#if defined(KOKKOS_ENABLE_OPENMP)
TEST_CASE("loss and gradients have the same bits with any number of threads and on every run",
          "[transfer]") {
  auto const all = loss_and_gradients(Kokkos::OpenMP{}, 12);
  CHECK(all == loss_and_gradients(Kokkos::OpenMP{}, 12));
  auto const parts = Kokkos::Experimental::partition_space(Kokkos::OpenMP{}, 1, 1);
  INFO("threads: " << Kokkos::OpenMP{}.concurrency() << " and " << parts[0].concurrency());
  CHECK(all == loss_and_gradients(parts[0], 12));
}
#endif
