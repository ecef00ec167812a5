// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rank-2 and rank-1 views, and their way between host vectors and a space's memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include <Kokkos_Core.hpp>

#include "m2u/core/error.hpp"
#include "m2u/core/huge_pages.hpp"
#include "m2u/core/space.hpp"

namespace m2u {

/// Row-major rows × columns. Nodes, edges, graphs, tokens and atoms are all rows.
template <class T, ExecutionSpace S>
using Matrix = Kokkos::View<T**, Kokkos::LayoutRight, typename S::device_type>;

/// A contiguous rank-1 view.
template <class T, ExecutionSpace S>
using Vector = Kokkos::View<T*, Kokkos::LayoutRight, typename S::device_type>;

/// Rows and columns, printable in error messages as "[3, 128]".
struct Shape {
  int rows = 0;
  int cols = 0;
  friend bool operator==(Shape const&, Shape const&) = default;
  friend std::ostream& operator<<(std::ostream& out, Shape const& shape) {
    return out << '[' << shape.rows << ", " << shape.cols << ']';
  }
};

/// The shape of a rank-2 view.
template <class View>
  requires(View::rank() == 2)
Shape shape(View const& view) {
  return {view.extent_int(0), view.extent_int(1)};
}

/// Allocates a matrix without writing to it.
template <class T, ExecutionSpace S>
Matrix<T, S> make_matrix(S const& space, std::string const& label, int rows, int cols) {
  return Matrix<T, S>(Kokkos::view_alloc(space, Kokkos::WithoutInitializing, label), rows, cols);
}

/// Allocates a vector without writing to it.
template <class T, ExecutionSpace S>
Vector<T, S> make_vector(S const& space, std::string const& label, std::size_t size) {
  Vector<T, S> const result(Kokkos::view_alloc(space, Kokkos::WithoutInitializing, label), size);
  if constexpr (on_host<S>) {
    advise_huge_pages(result.data(), size * sizeof(T));
  }
  return result;
}

/// Allocates a vector of zeros.
template <class T, ExecutionSpace S>
Vector<T, S> zero_vector(S const& space, std::string const& label, std::size_t size) {
  auto const result = make_vector<T>(space, label, size);
  Kokkos::deep_copy(space, result, T(0));
  return result;
}

/// A host vector with the values of `source`. It launches nothing, so any thread may call it.
template <class T>
Vector<T, Host> host_vector(std::string const& label, std::span<T const> source) {
  Vector<T, Host> result(Kokkos::view_alloc(Kokkos::WithoutInitializing, label), source.size());
  if (!source.empty()) {
    std::memcpy(result.data(), source.data(), source.size_bytes());
  }
  return result;
}
template <class T>
Vector<T, Host> host_vector(std::string const& label, std::vector<T> const& source) {
  return host_vector<T>(label, std::span<T const>(source));
}

/// A host matrix with the row-major values of `source`. It launches nothing, so any thread may call
/// it.
/// @throws Error if source does not hold rows × cols values.
template <class T>
Matrix<T, Host> host_matrix(std::string const& label, int rows, int cols,
                            std::span<T const> source) {
  expects(source.size() == static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols),
          "host_matrix \"", label, "\": shape ", Shape{rows, cols}, " needs ",
          static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols), " values, but ",
          source.size(), " were given");
  Matrix<T, Host> result(Kokkos::view_alloc(Kokkos::WithoutInitializing, label), rows, cols);
  if (!source.empty()) {
    std::memcpy(result.data(), source.data(), source.size_bytes());
  }
  return result;
}
template <class T>
Matrix<T, Host> host_matrix(std::string const& label, int rows, int cols,
                            std::vector<T> const& source) {
  return host_matrix<T>(label, rows, cols, std::span<T const>(source));
}

/// The values of a matrix or vector as a host vector, row-major. Waits for `space`.
template <ExecutionSpace S, class View>
std::vector<typename View::non_const_value_type> to_host(S const& space, View const& view) {
  using T = typename View::non_const_value_type;
  std::vector<T> result(view.size());
  if constexpr (on_host<S>) {  // deep_copy would launch a kernel, and takes long to compile
    space.fence("m2u::core::to_host");
    std::copy_n(view.data(), view.size(), result.data());
  } else if (!result.empty()) {
    Kokkos::View<T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> target(
        result.data(), result.size());
    Kokkos::View<T const*, typename S::device_type, Kokkos::MemoryTraits<Kokkos::Unmanaged>> flat(
        view.data(), view.size());
    Kokkos::deep_copy(space, target, flat);
    space.fence("m2u::core::to_host");
  }
  return result;
}

/// Overwrites a contiguous view with host values of the same number. Waits for `space`.
template <ExecutionSpace S, class View>
void from_host(S const& space, std::span<typename View::non_const_value_type const> source,
               View const& view) {
  using T = typename View::non_const_value_type;
  expects(source.size() == view.size(), "from_host: the view \"", view.label(), "\" holds ",
          view.size(), " values, but ", source.size(), " were given");
  if constexpr (on_host<S>) {
    space.fence("m2u::core::from_host");
    std::copy_n(source.data(), source.size(), view.data());
  } else if (!source.empty()) {
    Kokkos::View<T const*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> from(
        source.data(), source.size());
    Kokkos::View<T*, typename S::device_type, Kokkos::MemoryTraits<Kokkos::Unmanaged>> flat(
        view.data(), view.size());
    Kokkos::deep_copy(space, flat, from);
    space.fence("m2u::core::from_host");
  }
}

}  // namespace m2u
