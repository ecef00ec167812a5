// SPDX-License-Identifier: Apache-2.0
/// @file
/// Brings host data to the memory of a space: view by view, or all views of a batch together.
#pragma once

#include <cstddef>
#include <cstring>

#include "m2u/core/matrix.hpp"

namespace m2u {

/// Where the views of a batch are put: one after the other in a buffer that the host fills and that
/// is copied to its counterpart on the device. Without buffers they are only counted.
struct CopyPlan {
  static constexpr std::size_t alignment = 256;  ///< bytes; what cudaMalloc gives
  std::byte* host = nullptr;
  std::byte* device = nullptr;
  std::size_t used = 0;
};

/// What `to_space` overloads take: the space, and how the copies are made.
template <ExecutionSpace S>
class CopyTo {
 public:
  /// Each view is allocated and copied on `space` by itself.
  explicit CopyTo(S const& space) : space_(space) {}
  /// Views get places in the plan's buffers; they live as long as these. Launches nothing.
  CopyTo(S const& space, CopyPlan& plan) : space_(space), plan_(&plan) {}

  S const& space() const { return space_; }
  bool together() const { return plan_ != nullptr; }

  /// The place on the device of `count` values, which are copied to the host's buffer; null where
  /// they are only counted. With `together` alone.
  template <class T>
  T* place(T const* source, std::size_t count) const {
    std::size_t const at = plan_->used;
    std::size_t const bytes = count * sizeof(T);
    plan_->used += (bytes + CopyPlan::alignment - 1) / CopyPlan::alignment * CopyPlan::alignment;
    if (plan_->host == nullptr) {
      return nullptr;
    }
    if (bytes > 0) {
      std::memcpy(plan_->host + at, source, bytes);
    }
    return reinterpret_cast<T*>(plan_->device + at);
  }

 private:
  S space_;
  CopyPlan* plan_ = nullptr;
};

/// The same view in the memory of S: without a copy where S can read it, else copied
/// (asynchronously where Kokkos can).
template <ExecutionSpace S, class T>
Vector<T, S> to_space(CopyTo<S> const& to, Vector<T, Host> const& source) {
  if constexpr (on_host<S>) {
    return Vector<T, S>(source);
  } else if (to.together()) {
    return Vector<T, S>(to.place(source.data(), source.size()), source.extent(0));
  } else {
    auto result = make_vector<T>(to.space(), source.label(), source.extent(0));
    Kokkos::deep_copy(to.space(), result, source);
    return result;
  }
}
template <ExecutionSpace S, class T>
Matrix<T, S> to_space(CopyTo<S> const& to, Matrix<T, Host> const& source) {
  int const rows = source.extent_int(0);
  int const cols = source.extent_int(1);
  if constexpr (on_host<S>) {
    return Matrix<T, S>(source);
  } else if (to.together()) {
    return Matrix<T, S>(to.place(source.data(), source.size()), rows, cols);
  } else {
    auto result = make_matrix<T>(to.space(), source.label(), rows, cols);
    Kokkos::deep_copy(to.space(), result, source);
    return result;
  }
}

/// Any host data in the memory of S, each view copied by itself. For data of your own, write the
/// overload that takes a CopyTo.
template <ExecutionSpace S, class Data>
auto to_space(S const& space, Data const& data) {
  return to_space(CopyTo<S>(space), data);
}

}  // namespace m2u
