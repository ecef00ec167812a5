// SPDX-License-Identifier: Apache-2.0
/// @file
/// An adapter with one hidden layer.
#pragma once

#include "m2u/nn/mlp.hpp"

namespace m2u {

/// hub rows [rows, in] → generated modality vectors [rows, out] through a hidden layer.
class MlpAdapter {
 public:
  MlpAdapter(Scope const& scope, int in, int hidden, int out, Mlp::Options options = {})
      : mlp_(scope.scope("mlp"), in, hidden, out, options) {}

  int out() const { return mlp_.out(); }

  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& hub) const {
    return mlp_(tape, hub);
  }

 private:
  Mlp mlp_;
};

}  // namespace m2u
