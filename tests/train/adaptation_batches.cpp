// SPDX-License-Identifier: Apache-2.0
#include "m2u/train/adaptation_batches.hpp"

#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Host;

/// A data set without modalities.
struct Samples {
  int count = 0;
  int size() const { return count; }
  template <m2u::ExecutionSpace S>
  m2u::HostBatch<S> collate(std::span<int const> ids) const {
    return m2u::HostBatch<S>({ids.begin(), ids.end()});
  }
};

using Part = m2u::SequentialBatches<Host, Samples>;
using Both = m2u::AdaptationBatches<Part, Part>;
static_assert(m2u::BatchSource<Both, Host>);

Both make(int first_epoch) {
  return {Part(Samples{7}, {.size = 3, .shuffle = false}), Part(Samples{8}, {.size = 4, .seed = 5}),
          first_epoch};
}

/// The samples of each batch of the epoch that was started, and those of its target.
using Ids = std::vector<std::pair<std::vector<int>, std::vector<int>>>;
Ids rest_of(Both& source) {
  Ids ids;
  while (auto const batch = source.next(Host{})) {
    bool const adapts = batch->find("target") != nullptr;
    ids.emplace_back(batch->ids(), adapts ? batch->get<m2u::MultiBatch<Host>>("target").ids()
                                          : std::vector<int>());
  }
  return ids;
}

}  // namespace

TEST_CASE("a target's batches go round while the source's make the epochs",
          "[adaptation_batches]") {
  auto both = make(1);
  CHECK(both.batches_per_epoch() == 3);
  CHECK(both.samples_per_epoch() == 7);
  Part target(Samples{8}, {.size = 4, .seed = 5});
  int step = 0;
  for (int epoch = 0; epoch < 4; ++epoch) {
    both.start_epoch(epoch);
    auto const ids = rest_of(both);
    REQUIRE(ids.size() == 3);
    CHECK(ids[1].first == std::vector{3, 4, 5});
    for (auto const& [source, other] : ids) {
      target.start_epoch(step / 2, step % 2);  // two batches of four are a round
      CHECK(other == target.next(Host{})->ids());
      ++step;
    }
  }
}

TEST_CASE("a target comes from its first epoch on, the same after a resume",
          "[adaptation_batches]") {
  auto both = make(3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    both.start_epoch(epoch);
    for (auto const& [source, other] : rest_of(both)) {
      CHECK(other.empty());
    }
  }
  both.start_epoch(2);
  rest_of(both);
  both.start_epoch(3);
  auto const whole = rest_of(both);
  CHECK(whole[0].second.size() == 4);
  auto again = make(3);
  again.start_epoch(3, 1);
  CHECK(rest_of(again) == Ids(whole.begin() + 1, whole.end()));
  CHECK_THROWS_WITH(make(0), ContainsSubstring("epochs count from 1"));
  CHECK_THROWS_WITH(Both(Part(Samples{7}), Part(Samples{0})), ContainsSubstring("no batches"));
}
