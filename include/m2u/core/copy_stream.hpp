// SPDX-License-Identifier: Apache-2.0
/// @file
/// Copies from pinned host memory to a device beside the kernels of a space, by a stream of their
/// own.
#pragma once

#include <cstddef>
#include <cstring>

#include "m2u/core/error.hpp"
#include "m2u/core/space.hpp"

namespace m2u {

namespace detail {

/// What a stream and its events are for a space. Where the host reaches the memory, copies are done
/// when they are asked for, and there is nothing to wait for.
template <ExecutionSpace S>
struct StreamApi {
  static_assert(
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename S::memory_space>::accessible,
      "m2u: there are no copies beside the kernels of this space; add a StreamApi for it");
  struct Stream {};
  struct Event {};
  static Stream make_stream(S const&) { return {}; }
  static Event make_event(S const&) { return {}; }
  static Stream stream_of(S const&) { return {}; }
  static void drop(Stream) {}
  static void drop(Event) {}
  static void record(Event, Stream) {}
  static void wait(Stream, Event) {}
  static void wait(Event) {}
  static void copy(Stream, void* to, void const* from, std::size_t bytes) {
    if (bytes > 0) {
      std::memcpy(to, from, bytes);
    }
  }
};

#if defined(KOKKOS_ENABLE_CUDA)
template <>
struct StreamApi<Kokkos::Cuda> {
  using Stream = cudaStream_t;
  using Event = cudaEvent_t;
  static void check(cudaError_t status) {
    expects(status == cudaSuccess, "CUDA: ", cudaGetErrorString(status));
  }
  static Stream make_stream(Kokkos::Cuda const& space) {
    check(cudaSetDevice(space.cuda_device()));
    Stream stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
  }
  static Event make_event(Kokkos::Cuda const& space) {
    check(cudaSetDevice(space.cuda_device()));
    Event event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
  }
  static Stream stream_of(Kokkos::Cuda const& space) { return space.cuda_stream(); }
  static void drop(Stream stream) { static_cast<void>(cudaStreamDestroy(stream)); }
  static void drop(Event event) { static_cast<void>(cudaEventDestroy(event)); }
  static void record(Event event, Stream stream) { check(cudaEventRecord(event, stream)); }
  static void wait(Stream stream, Event event) { check(cudaStreamWaitEvent(stream, event, 0)); }
  static void wait(Event event) { check(cudaEventSynchronize(event)); }
  static void copy(Stream stream, void* to, void const* from, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
  }
};
#endif

#if defined(KOKKOS_ENABLE_HIP)
template <>
struct StreamApi<Kokkos::HIP> {
  using Stream = hipStream_t;
  using Event = hipEvent_t;
  static void check(hipError_t status) {
    expects(status == hipSuccess, "HIP: ", hipGetErrorString(status));
  }
  static Stream make_stream(Kokkos::HIP const& space) {
    check(hipSetDevice(space.hip_device()));
    Stream stream = nullptr;
    check(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    return stream;
  }
  static Event make_event(Kokkos::HIP const& space) {
    check(hipSetDevice(space.hip_device()));
    Event event = nullptr;
    check(hipEventCreateWithFlags(&event, hipEventDisableTiming));
    return event;
  }
  static Stream stream_of(Kokkos::HIP const& space) { return space.hip_stream(); }
  static void drop(Stream stream) { static_cast<void>(hipStreamDestroy(stream)); }
  static void drop(Event event) { static_cast<void>(hipEventDestroy(event)); }
  static void record(Event event, Stream stream) { check(hipEventRecord(event, stream)); }
  static void wait(Stream stream, Event event) { check(hipStreamWaitEvent(stream, event, 0)); }
  static void wait(Event event) { check(hipEventSynchronize(event)); }
  static void copy(Stream stream, void* to, void const* from, std::size_t bytes) {
    check(hipMemcpyAsync(to, from, bytes, hipMemcpyHostToDevice, stream));
  }
};
#endif

}  // namespace detail

/// A point in a stream's work, to wait for.
template <ExecutionSpace S>
class StreamEvent {
  using Api = detail::StreamApi<S>;

 public:
  explicit StreamEvent(S const& space) : event_(Api::make_event(space)) {}
  StreamEvent(StreamEvent const&) = delete;
  StreamEvent& operator=(StreamEvent const&) = delete;
  ~StreamEvent() { Api::drop(event_); }

  void record(typename Api::Stream stream) const { Api::record(event_, stream); }
  /// What the stream gets after this waits for the event.
  void hold(typename Api::Stream stream) const { Api::wait(stream, event_); }
  /// The calling thread waits. An event that was never recorded has passed.
  void wait() const { Api::wait(event_); }

 private:
  typename Api::Event event_;
};

/// A stream of copies to the device of a space.
template <ExecutionSpace S>
class CopyStream {
  using Api = detail::StreamApi<S>;

 public:
  explicit CopyStream(S const& space) : stream_(Api::make_stream(space)), now_(space) {}
  CopyStream(CopyStream const&) = delete;
  CopyStream& operator=(CopyStream const&) = delete;
  ~CopyStream() { Api::drop(stream_); }

  /// Starts a copy once all is done that `space` was given so far; `done` passes at its end. `from`
  /// is pinned memory, to be left alone until then.
  void copy(S const& space, std::byte* to, std::byte const* from, std::size_t bytes,
            StreamEvent<S> const& done) const {
    now_.record(Api::stream_of(space));
    now_.hold(stream_);
    Api::copy(stream_, to, from, bytes);
    done.record(stream_);
  }

  /// What `space` gets after this waits for the event.
  static void hold(S const& space, StreamEvent<S> const& event) {
    event.hold(Api::stream_of(space));
  }

 private:
  typename Api::Stream stream_;
  StreamEvent<S> now_;
};

}  // namespace m2u
