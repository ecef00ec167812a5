// SPDX-License-Identifier: Apache-2.0
/// @file
/// The adapter of M2UMol: one linear layer from the hub's vector to a modality's.
#pragma once

#include "m2u/nn/linear.hpp"

namespace m2u {

/// hub rows [rows, in] → generated modality vectors [rows, out].
class LinearAdapter {
 public:
  LinearAdapter(Scope const& scope, int in, int out) : linear_(scope.scope("linear"), in, out) {}

  int out() const { return linear_.out(); }

  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& hub) const {
    return linear_(tape, hub);
  }

 private:
  Linear linear_;
};

}  // namespace m2u
