// SPDX-License-Identifier: Apache-2.0
#include "m2u/train/batch_source.hpp"

#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Host;

/// A data set of a user's own, without modalities.
struct Numbers {
  int count = 0;
  int size() const { return count; }
  template <m2u::ExecutionSpace S>
  m2u::HostBatch<S> collate(std::span<int const> ids) const {
    return m2u::HostBatch<S>({ids.begin(), ids.end()});
  }
};

using Source = m2u::SequentialBatches<Host, Numbers>;
static_assert(m2u::BatchSource<Source, Host>);
static_assert(!m2u::BatchSource<Numbers, Host>);

std::vector<std::vector<int>> rest_of_epoch(Source& source) {
  std::vector<std::vector<int>> batches;
  while (auto const batch = source.next(Host{})) {
    batches.push_back(batch->ids());
  }
  return batches;
}

}  // namespace

TEST_CASE("an epoch's order follows from ids, seed and epoch", "[batch_source]") {
  std::vector<int> const ids{10, 20, 30, 40, 50, 60, 70, 80};
  auto const first = m2u::epoch_order(ids, {.seed = 3}, 1);
  CHECK(std::is_permutation(first.begin(), first.end(), ids.begin(), ids.end()));
  CHECK(first == m2u::epoch_order(ids, {.seed = 3}, 1));
  CHECK(first != m2u::epoch_order(ids, {.seed = 3}, 2));
  CHECK(first != m2u::epoch_order(ids, {.seed = 4}, 1));
  CHECK(m2u::epoch_order(ids, {.shuffle = false}, 7) == ids);
  CHECK(m2u::epoch_order({}, {}, 1).empty());
}

TEST_CASE("sequential batches cover the epoch", "[batch_source]") {
  Source source(Numbers{7}, {.size = 3, .shuffle = false});
  CHECK(source.batches_per_epoch() == 3);
  CHECK(source.samples_per_epoch() == 7);
  CHECK_THROWS_WITH(source.next(Host{}), ContainsSubstring("call start_epoch"));
  source.start_epoch(0);
  CHECK(rest_of_epoch(source) == std::vector<std::vector<int>>{{0, 1, 2}, {3, 4, 5}, {6}});
  CHECK_FALSE(source.next(Host{}).has_value());

  Source whole(Numbers{7}, {.size = 3, .drop_last = true});
  CHECK(whole.batches_per_epoch() == 2);
  CHECK(whole.samples_per_epoch() == 6);
  whole.start_epoch(0);
  CHECK(rest_of_epoch(whole).size() == 2);

  Source some(Numbers{7}, {.size = 2}, {6, 1, 4});
  some.start_epoch(5);
  auto const all = rest_of_epoch(some);
  REQUIRE(all.size() == 2);
  // A resumed epoch goes on where it was left.
  some.start_epoch(5, 1);
  CHECK(rest_of_epoch(some) == std::vector<std::vector<int>>{all[1]});
  some.start_epoch(5, 2);
  CHECK(rest_of_epoch(some).empty());
  CHECK_THROWS_WITH(some.start_epoch(5, 3), ContainsSubstring("no batch 3 in an epoch of 2"));

  Source none(Numbers{0});
  none.start_epoch(0);
  CHECK(none.batches_per_epoch() == 0);
  CHECK(rest_of_epoch(none).empty());
  CHECK_THROWS_WITH(Source(Numbers{7}, {.size = 0}),
                    ContainsSubstring("batch size 0 is not positive"));
  CHECK_THROWS_WITH(Source(Numbers{7}, {}, {7}),
                    ContainsSubstring("no sample 7 in a data set of 7"));
  CHECK_THROWS_WITH(Source(Numbers{7}, {}, {-1}), ContainsSubstring("no sample -1"));
}
