// SPDX-License-Identifier: Apache-2.0
/// @file
/// From rows to one row per group.
#pragma once

#include "m2u/ops/segment.hpp"

namespace m2u {

enum class Pooling { sum, mean, max };

/// @param x [rows, width]  @return [groups, width]; an empty group gives zeros
template <ExecutionSpace S, class R>
Tensor<S, R> pool(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups,
                  Pooling pooling) {
  switch (pooling) {
    case Pooling::mean:
      return segment_mean(tape, x, groups);
    case Pooling::max:
      return segment_max(tape, x, groups);
    case Pooling::sum:
      break;
  }
  return segment_sum(tape, x, groups);
}

}  // namespace m2u
