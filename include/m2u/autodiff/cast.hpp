// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batch data (float) in the tape's scalar type.
#pragma once

#include <type_traits>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/cast.hpp"

namespace m2u {

/// The matrix as constants of the tape's type: the same memory for float, a copy in the arena else.
template <ExecutionSpace S, class R>
Tensor<S, R> constant_of(Tape<S, R>& tape, Matrix<float, S> const& source) {
  if constexpr (std::is_same_v<R, float>) {
    return tape.constant(source);
  } else {
    auto const copy = tape.matrix(source.extent_int(0), source.extent_int(1));
    kernels::cast(tape.space(), source, copy);
    return tape.constant(copy);
  }
}

}  // namespace m2u
