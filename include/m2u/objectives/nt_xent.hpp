// SPDX-License-Identifier: Apache-2.0
/// @file
/// NT-Xent (Chen et al., ICML 2020) between generated and real modality vectors, as M2UMol uses it.
#pragma once

#include "m2u/ops/nt_xent.hpp"

namespace m2u {

/// Cross- and intra-view negatives, both directions summed. See ops/nt_xent.hpp for the formula.
struct NtXent {
  float temperature = 0.2F;

  /// @param from, to [rows, width], row i of one belongs to row i of the other  @return [1, 1]
  template <ExecutionSpace S, class R>
  Scalar<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& from,
                          Tensor<S, R> const& to) const {
    return nt_xent(tape, from, to, R(temperature));
  }
};

}  // namespace m2u
