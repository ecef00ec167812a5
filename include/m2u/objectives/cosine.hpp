// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cosine distance of pairs, without negatives.
#pragma once

#include "m2u/ops/cosine_loss.hpp"

namespace m2u {

/// Mean of 1 - cos(from_i, to_i).
struct Cosine {
  /// @param from, to [rows, width]  @return [1, 1]
  template <ExecutionSpace S, class R>
  Scalar<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& from,
                          Tensor<S, R> const& to) const {
    return cosine_loss(tape, from, to);
  }
};

}  // namespace m2u
