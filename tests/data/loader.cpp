// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/loader.hpp"

#include <oneapi/tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "sample_dataset.hpp"

#if defined(__SANITIZE_THREAD__)
// oneTBB's library is not instrumented, so the sanitizer does not see how it hands a task to a
// worker. These frames make and drop tasks; the tasks' own work is not below them.
extern "C" char const* __tsan_default_suppressions();   // NOLINT
extern "C" char const* __tsan_default_suppressions() {  // NOLINT
  return "called_from_lib:libtbb.so\n"
         "race:new_object<tbb::detail\n"
         "race:delete_object<tbb::detail\n"
         "race:make_unique<m2u::Batches\n";
}
#endif

namespace {

using Catch::Matchers::ContainsSubstring;
using S = Kokkos::DefaultExecutionSpace;
using namespace m2u::test;

static_assert(m2u::BatchSource<m2u::Batches<S, m2u::TableDataset>, S>);

/// A batch's values as numbers.
void add(std::vector<double>& all, auto const& view) {
  all.push_back(-1e9);
  for (auto const value : m2u::to_host(S{}, view)) {
    all.push_back(static_cast<double>(value));
  }
}

std::vector<double> content(m2u::MultiBatch<S> const& batch) {
  std::vector<double> all(batch.ids().begin(), batch.ids().end());
  for (auto const& modality : batch.modalities()) {
    add(all, modality.rows.rows);
  }
  auto const& graphs = batch.get<m2u::GraphBatch<S>>("2d");
  add(all, graphs.node_features);
  add(all, graphs.encoding);
  add(all, graphs.source.rows);
  if (batch.find("3d") != nullptr) {
    add(all, batch.get<m2u::ConformerBatch<S>>("3d").distances);
  }
  if (batch.find("bio") != nullptr) {
    add(all, batch.get<m2u::SparseBatch<S>>("bio").vocabularies[1].use_weights);
  }
  return all;
}

std::vector<std::vector<double>> epochs(auto& source) {
  std::vector<std::vector<double>> all;
  for (int epoch = 0; epoch < 3; ++epoch) {
    source.start_epoch(epoch, epoch == 1 ? 2 : 0);
    while (auto const batch = source.next(S{})) {
      all.push_back(content(*batch));
    }
  }
  return all;
}

/// What the data sets below report.
struct Log {
  std::atomic<int> made = 0;
  std::atomic<int> running = 0;
  std::atomic<int> most_running = 0;
  std::mutex mutex;
  std::set<std::thread::id> threads;
};

/// Takes its time; sample `bad` can't be read.
struct Slow {
  int count = 0;
  std::shared_ptr<Log> log = std::make_shared<Log>();
  int bad = -1;
  std::chrono::milliseconds time{2};

  int size() const { return count; }
  template <m2u::ExecutionSpace Space>
  m2u::HostBatch<Space> collate(std::span<int const> ids) const {
    int const running = ++log->running;
    for (int most = log->most_running; running > most;) {
      if (log->most_running.compare_exchange_weak(most, running)) {
        break;
      }
    }
    {
      std::lock_guard const lock(log->mutex);
      log->threads.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(time);
    --log->running;
    ++log->made;
    for (int const id : ids) {
      m2u::expects(id != bad, "sample ", id, " cannot be read");
    }
    m2u::HostBatch<Space> batch({ids.begin(), ids.end()});
    batch.add("x", m2u::all_ids(batch.size()),
              m2u::DenseBatch<m2u::Host>{m2u::host_matrix<float>(
                  "x", batch.size(), 1, std::vector<float>(ids.begin(), ids.end()))});
    return batch;
  }
};

}  // namespace

TEST_CASE("batches are the same for any number of threads", "[loader]") {
  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, 5);
  m2u::TableDataset const dataset(sample_modality_table(50));
  m2u::SequentialBatches<S, m2u::TableDataset> sequential(dataset, {.size = 4, .seed = 9});
  auto const expected = epochs(sequential);
  REQUIRE(expected.size() == 13 + 11 + 13);
  for (int const threads : {1, 2, 4}) {
    for (int const ahead : {1, 3, 40}) {
      CAPTURE(threads, ahead);
      auto source =
          m2u::batches<S>(dataset, {.size = 4, .seed = 9, .threads = threads, .ahead = ahead});
      CHECK(source.batches_per_epoch() == 13);
      CHECK(source.samples_per_epoch() == 50);
      CHECK(epochs(source) == expected);
    }
  }
}

TEST_CASE("workers make batches ahead, but not too far", "[loader]") {
  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, 5);
  Slow const dataset{40};
  auto source = m2u::batches<S>(dataset, {.size = 2, .shuffle = false, .threads = 2, .ahead = 3});
  source.start_epoch(0);
  for (int taken = 0; auto const batch = source.next(S{}); ++taken) {
    CHECK(batch->ids() == std::vector{2 * taken, 2 * taken + 1});
    CHECK(dataset.log->made <= taken + 1 + 3);
  }
  CHECK(dataset.log->made == 20);
  CHECK(dataset.log->most_running <= 2);
  CHECK_FALSE(dataset.log->threads.contains(std::this_thread::get_id()));
  CHECK_FALSE(source.next(S{}).has_value());
}

TEST_CASE("a worker's exception comes out of next, in its place", "[loader]") {
  auto source = m2u::batches<S>(Slow{10, std::make_shared<Log>(), 5},
                                {.size = 2, .shuffle = false, .threads = 3, .ahead = 5});
  for (int epoch = 0; epoch < 2; ++epoch) {
    source.start_epoch(epoch);
    CHECK(source.next(S{})->ids() == std::vector{0, 1});
    CHECK(source.next(S{})->ids() == std::vector{2, 3});
    CHECK_THROWS_WITH(source.next(S{}), ContainsSubstring("sample 5 cannot be read"));
    CHECK(source.next(S{})->ids() == std::vector{6, 7});
  }
}

TEST_CASE("a loader can go away or start again at any time", "[loader]") {
  for (int taken = 0; taken < 4; ++taken) {
    Slow const dataset{100};
    {
      auto source = m2u::batches<S>(dataset, {.size = 1, .threads = 2, .ahead = 8});
      source.start_epoch(0);
      for (int i = 0; i < taken; ++i) {
        CHECK(source.next(S{}).has_value());
      }
      if (taken == 2) {
        source.start_epoch(1, 98);
        CHECK(source.next(S{}).has_value());
        auto moved = std::move(source);
        CHECK(moved.next(S{}).has_value());
        CHECK_FALSE(moved.next(S{}).has_value());
        source = std::move(moved);
        source.start_epoch(2);
      }
    }
    int const made = dataset.log->made;
    CHECK(dataset.log->running == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(dataset.log->made == made);  // nothing goes on behind our back
  }
  auto unused = m2u::batches<S>(Slow{10});
  CHECK_THROWS_WITH(unused.next(S{}), ContainsSubstring("call start_epoch"));
}

TEST_CASE("loader options are checked", "[loader]") {
  CHECK_THROWS_WITH(m2u::batches<S>(Slow{10}, {.threads = 0}),
                    ContainsSubstring("must be positive"));
  CHECK_THROWS_WITH(m2u::batches<S>(Slow{10}, {.ahead = 0}), ContainsSubstring("must be positive"));
  CHECK_THROWS_WITH(m2u::batches<S>(Slow{10}, {.size = 0}), ContainsSubstring("batch size 0"));
  CHECK_THROWS_WITH(m2u::batches<S>(Slow{10}, {}, {3, 10}), ContainsSubstring("no sample 10"));
  auto some = m2u::batches<S>(Slow{10}, {.size = 8, .shuffle = false}, {3, 9});
  some.start_epoch(0);
  CHECK(some.next(S{})->ids() == std::vector{3, 9});
  auto none = m2u::batches<S>(Slow{0});
  none.start_epoch(0);
  CHECK_FALSE(none.next(S{}).has_value());
}

namespace {
std::thread::id main_thread;
std::atomic<int> foreign_allocations;
std::atomic<int> foreign_launches;

void count_launch(char const* /*name*/, std::uint32_t /*device*/, std::uint64_t* /*id*/) {
  foreign_launches += std::this_thread::get_id() != main_thread ? 1 : 0;
}
void count_allocation(Kokkos::Tools::SpaceHandle /*space*/, char const* /*name*/,
                      void const* /*pointer*/, std::uint64_t /*size*/) {
  foreign_allocations += std::this_thread::get_id() != main_thread ? 1 : 0;
}
}  // namespace

TEST_CASE("workers allocate, but neither launch nor wait for anything", "[loader]") {
  namespace tools = Kokkos::Tools::Experimental;
  main_thread = std::this_thread::get_id();
  foreign_allocations = 0;
  foreign_launches = 0;
  auto const before = tools::get_callbacks();
  tools::set_begin_parallel_for_callback(count_launch);
  tools::set_begin_parallel_reduce_callback(count_launch);
  tools::set_begin_parallel_scan_callback(count_launch);
  tools::set_begin_fence_callback(count_launch);
  tools::set_allocate_data_callback(count_allocation);
  auto source = m2u::batches<S>(m2u::TableDataset(sample_modality_table(50)), {.size = 4});
  source.start_epoch(0);
  int batches = 0;
  while (source.next(S{})) {
    ++batches;
  }
  tools::set_callbacks(before);
  CHECK(batches == 13);
  CHECK(foreign_allocations > 13);
  CHECK(foreign_launches == 0);
}
