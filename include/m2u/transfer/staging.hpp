// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batches on their way to a device: all views of one in a single copy from pinned memory, beside
/// the kernels of the step before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "m2u/core/copy_stream.hpp"
#include "m2u/core/copy_to.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// Host memory that a device copies from without the host's help.
#if defined(KOKKOS_HAS_SHARED_HOST_PINNED_SPACE)
using PinnedSpace = Kokkos::SharedHostPinnedSpace;
#else
using PinnedSpace = Kokkos::HostSpace;
#endif

/// Brings batches to the memory of S through buffers that are used again once their batch is gone:
/// nothing is allocated when each has seen its largest batch. Where the host's memory will do,
/// nothing is copied.
template <ExecutionSpace S>
class Staging {
 public:
  /// Starts to bring a batch: it is complete once `take` gave it out.
  void start(S const& space, HostBatch<S> batch) {
    expects(!started_, "Staging: take the batch that was started first");
    if constexpr (on_host<S>) {
      started_.emplace(batch.to_space(space), nullptr);
    } else {
      if (spent_.size() == most_spent || spent_bytes_ > most_spent_bytes) {
        spent_.clear();
        spent_bytes_ = 0;
      }
      CopyPlan plan;
      batch.to_space(CopyTo<S>(space, plan));  // counts
      auto const buffer = free_buffer(space, plan.used);
      plan = {buffer->host.data(), buffer->device.data(), 0};
      auto result = batch.to_space(CopyTo<S>(space, plan));
      stream(space).copy(space, plan.device, plan.host, plan.used, buffer->copied);
      result.hold(buffer);
      started_.emplace(std::move(result), buffer);
      spent_.push_back(std::move(batch));
      spent_bytes_ += plan.used;
    }
  }
  bool started() const { return started_.has_value(); }

  /// The batch that was started. What `space` gets after this waits for the copy; the calling
  /// thread does not.
  MultiBatch<S> take(S const& space) {
    expects(started_.has_value(), "Staging: no batch was started");
    auto [batch, buffer] = *std::exchange(started_, std::nullopt);
    if (buffer != nullptr) {
      CopyStream<S>::hold(space, buffer->copied);
    }
    return std::move(batch);
  }

  /// Drops what was started and not taken.
  void clear() { started_.reset(); }

 private:
  struct Buffer {
    explicit Buffer(S const& space) : copied(space) {}
    ~Buffer() { copied.wait(); }  // not while the device reads it
    Kokkos::View<std::byte*, PinnedSpace> host;
    Vector<std::byte, S> device;
    StreamEvent<S> copied;
  };

  // One that no batch uses any more. Kernels may still read it: the copy into it waits for them.
  std::shared_ptr<Buffer> free_buffer(S const& space, std::size_t bytes) {
    auto const free = std::find_if(buffers_.begin(), buffers_.end(),
                                   [](auto const& buffer) { return buffer.use_count() == 1; });
    auto const buffer =
        free == buffers_.end() ? buffers_.emplace_back(std::make_shared<Buffer>(space)) : *free;
    buffer->copied.wait();
    if (buffer->host.size() < bytes) {
      std::size_t const size = bytes + bytes / 4;  // batches differ a little
      buffer->device = {};
      buffer->host = {};
      buffer->device = make_vector<std::byte>(space, "m2u::transfer::staging", size);
      buffer->host = Kokkos::View<std::byte*, PinnedSpace>(
          Kokkos::view_alloc(Kokkos::WithoutInitializing, "m2u::transfer::pinned"), size);
    }
    return buffer;
  }

  CopyStream<S> const& stream(S const& space) {
    if (stream_ == nullptr) {
      stream_ = std::make_unique<CopyStream<S>>(space);
    }
    return *stream_;
  }

  // Kokkos waits for every kernel and copy when it frees a view on the host. Batches whose copy was
  // started are therefore freed many at a time, so that steps do not wait for each other.
  static constexpr std::size_t most_spent = 32;
  static constexpr std::size_t most_spent_bytes = std::size_t{256} << 20U;
  std::vector<HostBatch<S>> spent_;
  std::size_t spent_bytes_ = 0;

  std::unique_ptr<CopyStream<S>> stream_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::optional<std::pair<MultiBatch<S>, std::shared_ptr<Buffer>>> started_;
};

}  // namespace m2u
