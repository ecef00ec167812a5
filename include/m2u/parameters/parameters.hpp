// SPDX-License-Identifier: Apache-2.0
/// @file
/// A model's numbers: one buffer of values, one of gradients, one of state.
#pragma once

#include <string>
#include <vector>

#include "m2u/core/matrix.hpp"
#include "m2u/core/random.hpp"
#include "m2u/parameters/initialise.hpp"
#include "m2u/parameters/layout.hpp"

namespace m2u {

/// The memory behind a ParameterLayout. Copies share it, like views.
/// @tparam R float, or double to check gradients.
template <ExecutionSpace S, class R = float>
class Parameters {
 public:
  /// Allocates and initialises. The layout is copied: later additions to it are not seen.
  Parameters(S const& space, ParameterLayout layout, Seed seed)
      : Parameters(space, std::move(layout)) {
    fill(space, layout_.parameters(), seed, values_);
    fill(space, layout_.state(), seed, state_);
  }
  /// Allocates zeros, for values that are read next: from_host, assign_parameters, load_parameters.
  Parameters(S const& space, ParameterLayout layout)
      : layout_(std::move(layout)),
        values_(zero_vector<R>(space, "m2u::parameters::values", layout_.parameter_size())),
        gradients_(zero_vector<R>(space, "m2u::parameters::gradients", layout_.parameter_size())),
        state_(zero_vector<R>(space, "m2u::parameters::state", layout_.state_size())) {}

  ParameterLayout const& layout() const { return layout_; }

  /// The flat buffers, padding included (padding is zero and stays so).
  Vector<R, S> const& values() const { return values_; }
  Vector<R, S> const& gradients() const { return gradients_; }
  Vector<R, S> const& state() const { return state_; }

  Matrix<R, S> value(Slice const& slice) const { return view(values_, slice); }
  Matrix<R, S> gradient(Slice const& slice) const { return view(gradients_, slice); }
  Matrix<R, S> state(StateSlice const& slice) const { return view(state_, slice); }

  void zero_gradients(S const& space) const { Kokkos::deep_copy(space, gradients_, R(0)); }

 private:
  static Matrix<R, S> view(Vector<R, S> const& buffer, Slice const& slice);

  static void fill(S const& space, std::vector<LayoutEntry> const& entries, Seed seed,
                   Vector<R, S> const& buffer);

  ParameterLayout layout_;
  Vector<R, S> values_;
  Vector<R, S> gradients_;
  Vector<R, S> state_;
};

template <ExecutionSpace S, class R>
Matrix<R, S> Parameters<S, R>::view(Vector<R, S> const& buffer, Slice const& slice) {
  expects(slice.offset + slice.size() <= buffer.extent(0), "Parameters: a slice of shape ",
          Shape{slice.rows, slice.cols}, " at offset ", slice.offset,
          " lies outside the buffer of ", buffer.extent(0),
          " values; was the module made from another layout?");
  return Matrix<R, S>(buffer.data() + slice.offset, slice.rows, slice.cols);
}

template <ExecutionSpace S, class R>
void Parameters<S, R>::fill(S const& space, std::vector<LayoutEntry> const& entries, Seed seed,
                            Vector<R, S> const& buffer) {
  std::vector<R> host(buffer.extent(0), R(0));
  for (auto const& entry : entries) {
    initialise(entry, seed, std::span<R>(host.data() + entry.slice.offset, entry.slice.size()));
  }
  from_host(space, std::span<R const>(host), buffer);
}

}  // namespace m2u
