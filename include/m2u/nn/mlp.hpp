// SPDX-License-Identifier: Apache-2.0
/// @file
/// Two linear layers with an activation between.
#pragma once

#include "m2u/nn/linear.hpp"

namespace m2u {

/// linear2(dropout(activation(linear1(x)))).
class Mlp {
 public:
  struct Options {
    Activation activation = Activation::relu;
    float dropout = 0.0F;
  };

  Mlp(Scope const& scope, int in, int hidden, int out) : Mlp(scope, in, hidden, out, Options{}) {}
  Mlp(Scope const& scope, int in, int hidden, int out, Options options)
      : first_(scope.scope("linear1"), in, hidden),
        second_(scope.scope("linear2"), hidden, out),
        options_(options) {}

  int out() const { return second_.out(); }

  /// @param x [rows, in]  @param tail what follows the second layer  @return [rows, out]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                          std::type_identity_t<LinearTail<S, R>> const& tail = {}) const;

 private:
  Linear first_;
  Linear second_;
  Options options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> Mlp::operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                             std::type_identity_t<LinearTail<S, R>> const& tail) const {
  auto const hidden = first_(
      tape, x, LinearTail<S, R>{.activation = options_.activation, .dropout = options_.dropout});
  return second_(tape, hidden, tail);
}

}  // namespace m2u
