// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batches made ahead of the training thread by oneTBB's workers.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <oneapi/tbb/task_arena.h>

#include "m2u/core/error.hpp"
#include "m2u/train/batch_source.hpp"

namespace m2u {

/// BatchOptions, and how the work is shared out.
struct LoaderOptions {
  int size = 256;
  std::uint64_t seed = 1;
  bool shuffle = true;
  bool drop_last = false;
  int threads =
      2;  ///< at most so many batches are collated at once (and no more than oneTBB has workers)
  int ahead = 4;  ///< at most so many batches are ready or being made

  BatchOptions batch_options() const { return {size, seed, shuffle, drop_last}; }
};

/// A BatchSource that collates in other threads. Its batches do not depend on their number. Workers
/// only fill host memory: what runs on a space runs in the thread that calls `next`.
template <ExecutionSpace S, Dataset D>
class Batches {
 public:
  /// @throws Error if an option is not positive or an id is not in the data set.
  Batches(D dataset, LoaderOptions const& options, std::vector<int> ids) {
    expects(options.threads > 0 && options.ahead > 0, "batches: ", options.threads, " threads and ",
            options.ahead, " batches ahead; both must be positive");
    auto const samples = static_cast<int>(dataset.size());
    work_ = std::make_unique<Work>(std::move(dataset),
                                   BatchPlan(std::move(ids), options.batch_options(), samples),
                                   options.threads, options.ahead);
  }
  Batches(Batches&&) noexcept = default;
  Batches& operator=(Batches&& other) noexcept {
    std::swap(work_, other.work_);
    std::swap(staging_, other.staging_);
    return *this;
  }
  ~Batches() {
    if (work_ != nullptr) {
      work_->stop();
    }
  }

  int batches_per_epoch() const { return work_->plan.batches(); }
  int samples_per_epoch() const { return work_->plan.samples(); }

  /// Starts an epoch; what was left of another is dropped.
  void start_epoch(int epoch, int first_batch = 0) {
    work_->stop();
    staging_.clear();
    work_->plan.start(epoch, first_batch);
    work_->next = work_->scheduled = first_batch;
    work_->started = true;
    schedule();
  }

  /// The next batch in order; none at the end of the epoch. An exception that was thrown while the
  /// batch was made comes out here; `next` after it goes on with the batch that follows. On a
  /// device the copy of the batch after it is started as well if that is made already.
  /// @throws Error if no epoch was started.
  std::optional<MultiBatch<S>> next(S const& space) {
    auto const& work = *work_;
    expects(work.started, "Batches: call start_epoch before next");
    if (!staging_.started()) {
      if (work.next == work.plan.batches()) {
        return std::nullopt;
      }
      staging_.start(space, host_batch());
    }
    auto batch = staging_.take(space);
    if (!on_host<S> && work.next < work.plan.batches() && ready()) {
      staging_.start(space, host_batch());
    }
    return batch;
  }

 private:
  struct Slot {
    bool done = false;
    std::optional<HostBatch<S>> batch;
    std::exception_ptr error;
  };

  /// What the training thread and the workers share.
  struct Work {
    Work(D data, BatchPlan batches, int threads, int ahead)
        : dataset(std::move(data)),
          plan(std::move(batches)),
          slots(static_cast<std::size_t>(ahead)),
          arena(threads, 0) {}  // 0: no place kept for the training thread, which never collates

    /// Makes a batch and puts it into its slot. In a worker.
    void make(int number) {
      Slot result{true, std::nullopt, nullptr};
      {
        std::lock_guard const lock(mutex);
        result.done = !stopping;
      }
      if (result.done) {
        try {
          result.batch.emplace(dataset.template collate<S>(plan.batch(number)));
        } catch (...) {
          result.error = std::current_exception();
        }
      }
      std::lock_guard const lock(mutex);
      slots[static_cast<std::size_t>(number) % slots.size()] = std::move(result);
      --running;
      changed.notify_all();  // with the lock held: once it is free, `stop` may destroy this
    }

    /// Where the next batch is or will be.
    Slot& slot() { return slots[static_cast<std::size_t>(next) % slots.size()]; }

    /// Waits until no worker holds anything of this, and drops what was made.
    void stop() {
      std::unique_lock lock(mutex);
      stopping = true;
      changed.wait(lock, [&] { return running == 0; });
      stopping = false;
      std::fill(slots.begin(), slots.end(), Slot{});
    }

    D dataset;
    BatchPlan plan;
    int next = 0;       // the batch that the training thread takes next
    int scheduled = 0;  // the first batch that no worker was given yet
    bool started = false;
    std::vector<Slot> slots;  // batch i is put into slot i % ahead
    std::mutex mutex;         // guards slots, running and stopping
    std::condition_variable changed;
    int running = 0;  // tasks that were given to workers and have not ended
    bool stopping = false;
    tbb::task_arena arena;
  };

  // Whether the next batch is made, and well.
  bool ready() const {
    std::lock_guard const lock(work_->mutex);
    return work_->slot().batch.has_value();
  }

  // The next batch, once it is made.
  HostBatch<S> host_batch() {
    auto& work = *work_;
    auto& slot = work.slot();
    std::optional<HostBatch<S>> batch;
    std::exception_ptr error;
    {
      std::unique_lock lock(work.mutex);
      work.changed.wait(lock, [&] { return slot.done; });
      batch = std::exchange(slot.batch, std::nullopt);
      error = std::exchange(slot.error, nullptr);
      slot.done = false;
    }
    ++work.next;
    schedule();
    if (error != nullptr) {
      std::rethrow_exception(error);
    }
    return *std::move(batch);
  }

  /// Gives workers all batches up to `ahead` beyond the next one.
  void schedule() {
    auto const ahead = static_cast<int>(work_->slots.size());
    while (work_->scheduled < std::min(work_->plan.batches(), work_->next + ahead)) {
      {
        std::lock_guard const lock(work_->mutex);
        ++work_->running;
      }
      work_->arena.enqueue([work = work_.get(), number = work_->scheduled] { work->make(number); });
      ++work_->scheduled;
    }
  }

  Staging<S> staging_;
  std::unique_ptr<Work> work_;  // outlives its tasks: whoever destroys it calls `stop` first
};

/// Batches of a data set for `Trainer::fit`, made ahead by other threads. The data set is copied.
template <ExecutionSpace S, Dataset D>
Batches<S, D> batches(D dataset, LoaderOptions const& options = {}) {
  auto ids = all_ids(static_cast<int>(dataset.size()));
  return Batches<S, D>(std::move(dataset), options, std::move(ids));
}

/// The same, of some samples only.
template <ExecutionSpace S, Dataset D>
Batches<S, D> batches(D dataset, LoaderOptions const& options, std::vector<int> ids) {
  return Batches<S, D>(std::move(dataset), options, std::move(ids));
}

}  // namespace m2u
