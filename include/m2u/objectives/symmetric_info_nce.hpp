// SPDX-License-Identifier: Apache-2.0
/// @file
/// The symmetric InfoNCE loss of CLIP (Radford et al., ICML 2021).
#pragma once

#include "m2u/ops/info_nce.hpp"

namespace m2u {

/// Cross-view negatives only, the mean of both directions.
struct SymmetricInfoNce {
  float temperature = 0.1F;

  /// @param from, to [rows, width], row i of one belongs to row i of the other  @return [1, 1]
  template <ExecutionSpace S, class R>
  Scalar<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& from,
                          Tensor<S, R> const& to) const {
    return symmetric_info_nce(tape, from, to, R(temperature));
  }
};

}  // namespace m2u
