// SPDX-License-Identifier: Apache-2.0
/// @file
/// Two linear layers with an activation between.
#pragma once

#include "m2u/nn/linear.hpp"
#include "m2u/ops/dropout.hpp"

namespace m2u {

/// linear2(dropout(activation(linear1(x)))), with dropout after the second layer too if
/// `dropout_last`.
class Mlp {
 public:
  struct Options {
    Activation activation = Activation::relu;
    float dropout = 0.0F;
    bool dropout_last = false;
  };

  Mlp(Scope const& scope, int in, int hidden, int out) : Mlp(scope, in, hidden, out, Options{}) {}
  Mlp(Scope const& scope, int in, int hidden, int out, Options options)
      : first_(scope.scope("linear1"), in, hidden),
        second_(scope.scope("linear2"), hidden, out),
        options_(options) {}

  int out() const { return second_.out(); }

  /// @param x [rows, in]  @return [rows, out]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x) const {
    auto const hidden = dropout(tape, first_(tape, x, options_.activation), options_.dropout);
    auto const y = second_(tape, hidden);
    return options_.dropout_last ? dropout(tape, y, options_.dropout) : y;
  }

 private:
  Linear first_;
  Linear second_;
  Options options_;
};

}  // namespace m2u
