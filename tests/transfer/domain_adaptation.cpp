// SPDX-License-Identifier: Apache-2.0
// Conditional adversarial adaptation: its gradients, what it does, and what it does not look at.
#include "m2u/transfer/domain_adaptation.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/adaptation_batches.hpp"
#include "m2u/train/trainer.hpp"
#include "m2u/transfer/label_head.hpp"
#include "support/spaces.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Host;

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

/// Samples of four numbers: the first tells the label, the second the domain.
struct Shifted {
  bool target = false;
  float poison = 0.0F;  ///< if not 0: what stands for the labels

  int size() const { return 64; }

  static float label(int id) { return id % 2 == 0 ? 0.0F : 1.0F; }

  template <m2u::ExecutionSpace S>
  m2u::HostBatch<S> collate(std::span<int const> ids) const {
    std::vector<float> x;
    std::vector<float> labels;
    std::vector<int> rows;
    for (int const id : ids) {
      m2u::RandomStream const random{target ? 8U : 7U, static_cast<std::uint64_t>(id)};
      auto const noise = [&](std::uint64_t k) { return random.uniform(k) - 0.5F; };
      x.insert(x.end(), {2.0F * label(id) - 1.0F + noise(0), (target ? 1.0F : -1.0F) + noise(1),
                         noise(2), noise(3)});
      labels.push_back(poison == 0.0F ? label(id) : poison);
      rows.push_back(static_cast<int>(rows.size()));
    }
    m2u::HostBatch<S> batch({ids.begin(), ids.end()});
    auto const count = static_cast<int>(ids.size());
    batch.add("x", rows, m2u::DenseBatch<Host>{m2u::host_matrix("x", count, 4, x)});
    std::vector<int> const ones(ids.size(), 1);
    std::vector<int> const columns(ids.size(), 0);
    batch.add("labels", rows,
              m2u::LabelBatch<Host>{m2u::make_sparse_rows(ones, columns, labels, 1), {}});
    return batch;
  }
};

/// What DomainAdapted asks of a model, in the plainest form.
class Classifier {
 public:
  explicit Classifier(m2u::ParameterLayout& layout)
      : encoder_(layout.scope("encoder"), 4, 6), head_(layout.scope("head"), 6, 1) {}

  template <m2u::ExecutionSpace S, class R>
  m2u::Tensor<S, R> represent(m2u::Tape<S, R>& tape, m2u::MultiBatch<S> const& batch) const {
    auto const& x = batch.template get<m2u::DenseBatch<S>>("x").values;
    return encoder_(tape, tape.constant(x));
  }
  template <m2u::ExecutionSpace S, class R>
  m2u::Tensor<S, R> classify(m2u::Tape<S, R>& tape, m2u::Tensor<S, R> const& x) const {
    return head_(tape, x);
  }
  template <m2u::ExecutionSpace S, class R>
  m2u::Losses<S, R> losses(m2u::Tape<S, R>& tape, m2u::Tensor<S, R> const& logits,
                           m2u::MultiBatch<S> const& batch) const {
    auto const& labels = batch.template get<m2u::LabelBatch<S>>("labels").labels;
    auto const loss =
        m2u::label_loss(tape, logits, labels, m2u::LabelLoss::binary_cross_entropy, {});
    return {loss, {{"labels", loss, 1.0, logits.rows(), false}}};
  }

 private:
  m2u::Linear encoder_;
  m2u::Linear head_;
};

template <class S>
using Part = m2u::SequentialBatches<S, Shifted>;

/// A classifier that was trained on the source with the target beside it.
template <class S>
struct Trained {
  m2u::ParameterLayout layout;
  m2u::DomainAdapted<Classifier> model;
  m2u::Parameters<S> theta;
  m2u::FitResult result;

  /// @param poison of the target's labels
  explicit Trained(m2u::CdanOptions options, float poison = 0.0F, int epochs = 200,
                   int first_epoch = 1)
      : model(Classifier(layout), m2u::Cdan(layout.scope("adaptation"), options)),
        theta(S{}, layout, m2u::Seed{4}) {
    m2u::Adam<S> adam{theta, {.learning_rate = 1e-3}};
    m2u::AdaptationBatches batches(Part<S>(Shifted{}, {.size = 32}),
                                   Part<S>(Shifted{true, poison}, {.size = 32, .seed = 9}),
                                   first_epoch);
    m2u::Trainer trainer{model, theta, adam};
    result = trainer.fit(batches, {.epochs = epochs});
  }

  /// Mean loss of the domains in the last 20 epochs.
  double late_loss() const {
    double sum = 0.0;
    for (auto epoch = result.history.end() - 20; epoch != result.history.end(); ++epoch) {
      sum += epoch->terms.at(1).mean;
    }
    return sum / 20.0;
  }

  /// Shares of samples whose label, and whose domain, is found.
  struct Shares {
    double labels = 0.0;
    double domains = 0.0;
  };
  Shares shares(bool target) const {
    m2u::Tape<S> tape(S{}, theta, m2u::Mode::evaluation);
    auto const batch = Shifted{target}.template collate<S>(m2u::all_ids(64)).to_space(S{});
    auto const found = model.classified(tape, batch);
    auto const logits = m2u::to_host(S{}, found.logits.value);
    auto const scores = m2u::to_host(S{}, model.cdan()(tape, found).value);
    Shares shares;
    for (std::size_t i = 0; i < 64; ++i) {
      shares.labels += (logits[i] > 0.0F) == (i % 2 == 1) ? 1.0 / 64 : 0.0;
      shares.domains += (scores[2 * i + 1] > scores[2 * i]) == target ? 1.0 / 64 : 0.0;
    }
    return shares;
  }
};

m2u::CdanOptions small(float reversal, int projection = 16) {
  return {.features = 6, .projection = projection, .hidden = 16, .reversal = reversal};
}

}  // namespace

TEST_CASE("gradients of CDAN agree with central differences", "[cdan][gradients]") {
  using S = Kokkos::DefaultExecutionSpace;
  for (int const projection : {0, 5}) {
    for (int const classes : {2, 3}) {
      m2u::ParameterLayout layout;
      // Turned round once more, gradients are as differences say.
      m2u::Cdan const cdan{layout.scope("cdan"),
                           {.features = 4,
                            .classes = classes,
                            .projection = projection,
                            .hidden = 7,
                            .reversal = -1.0F}};
      auto const report = m2u::gradient_check(
          S{}, layout, {m2u::random_input(5, 4, {1}), m2u::random_input(3, 4, {2})},
          [&]<class R>(m2u::Tape<S, R>& tape, std::vector<m2u::Tensor<S, R>> const& in) {
            auto const logits = [&](int rows, m2u::Seed seed) {
              auto const given = m2u::random_input(rows, classes == 2 ? 1 : classes, seed);
              std::vector<R> const values(given.values.begin(), given.values.end());
              auto const matrix = tape.matrix(given.rows, given.cols);
              m2u::from_host(tape.space(), std::span<R const>(values), matrix);
              return tape.constant(matrix);
            };
            return cdan.loss(tape, m2u::Classified<S, R>{in[0], logits(5, {3})},
                             m2u::Classified<S, R>{in[1], logits(3, {4})});
          });
      INFO(projection << " columns, " << classes << " classes: " << report);
      CHECK(report.difference_error < 1e-6);
      CHECK(report.float_error < 1e-4);
    }
  }
}

TEST_CASE("representations get CDAN's gradient turned round, logits none", "[cdan]") {
  using S = Kokkos::DefaultExecutionSpace;
  auto const gradient = [](float reversal) {
    m2u::ParameterLayout layout;
    m2u::Cdan const cdan{layout.scope("cdan"), {.features = 2, .reversal = reversal}};
    m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{1});
    m2u::Tape<S> tape(S{}, theta, m2u::Mode::training);
    std::vector<float> const values{1.0F, -0.5F, 0.25F, 2.0F};
    auto const features = tape.variable(tape.matrix(2, 2));
    m2u::from_host(S{}, std::span<float const>(values), features.value);
    auto const logits = tape.variable(tape.matrix(2, 1));
    Kokkos::deep_copy(S{}, logits.value, 0.3F);
    m2u::Classified<S> const samples{features, logits};
    tape.backward(cdan.loss(tape, samples, samples));
    CHECK_FALSE(tape.has_gradient(logits));
    return m2u::to_host(S{}, tape.gradient(features).matrix);
  };
  auto const straight = gradient(-1.0F);
  auto const reversed = gradient(2.0F);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(straight[i] != 0.0F);
    CHECK(std::abs(reversed[i] + 2.0F * straight[i]) < 1e-6F);
  }
}

TEST_CASE("CDAN refuses what does not fit", "[cdan]") {
  using S = Kokkos::DefaultExecutionSpace;
  m2u::ParameterLayout layout;
  m2u::Cdan const cdan{layout.scope("cdan"), {.features = 2, .classes = 3}};
  m2u::Parameters<S> const theta(S{}, layout, m2u::Seed{1});
  m2u::Tape<S> tape(S{}, theta, m2u::Mode::training);
  auto const of = [&](int cols, int classes) {
    return m2u::Classified<S>{tape.constant(tape.matrix(4, cols)),
                              tape.constant(tape.matrix(4, classes))};
  };
  CHECK_THROWS_WITH(cdan(tape, of(3, 3)), ContainsSubstring("Cdan: representations [4, 3]"));
  CHECK_THROWS_WITH(cdan(tape, of(2, 1)), ContainsSubstring("logits [4, 1]"));
}

// A discriminator that the representation does not work against tells the domains apart; one that
// it does work against is at a loss, 2 ln 2 = 1.39, and labels are found in both domains.
TEMPLATE_LIST_TEST_CASE("adaptation makes domains look alike", "[cdan]", m2u::test::Spaces) {
  for (int const projection : {0, 16}) {
    INFO(projection << " columns");
    Trained<TestType> const plain(small(0.0F, projection));
    CHECK(plain.late_loss() < 0.4);
    CHECK(plain.shares(false).domains > 0.95);
    CHECK(plain.shares(true).domains > 0.95);
    Trained<TestType> const adapted(small(1.0F, projection));
    CHECK(adapted.late_loss() > 1.1);
    CHECK(adapted.shares(false).labels > 0.95);
    CHECK(adapted.shares(true).labels > 0.95);
  }
}

TEST_CASE("a target's labels are not looked at", "[cdan]") {
  using S = Kokkos::DefaultExecutionSpace;
  auto const values = [](float poison) {
    return m2u::to_host(S{}, Trained<S>(small(1.0F), poison, 3).theta.values());
  };
  auto const without = values(0.0F);
  CHECK(values(missing) == without);
  CHECK(values(1e30F) == without);
}

TEST_CASE("the domains' loss counts from its first epoch on", "[cdan]") {
  using S = Kokkos::DefaultExecutionSpace;
  Trained<S> const t(small(1.0F), 0.0F, 3, 3);
  REQUIRE(t.result.history.size() == 3);
  for (auto const& epoch : t.result.history) {
    auto const& term = epoch.terms.at(1);
    CHECK(term.name == "domains");
    CHECK(term.batches == (epoch.epoch == 3 ? 2 : 0));
    double const labels = epoch.terms.at(0).mean;
    CHECK(std::abs(epoch.loss - labels - (epoch.epoch == 3 ? term.mean : 0.0)) < 1e-5);
  }
  CHECK(t.result.history.back().terms.at(1).rows == 128);
}
