// SPDX-License-Identifier: Apache-2.0
/// @file
/// Linear layer.
#pragma once

#include "m2u/ops/linear.hpp"
#include "m2u/parameters/initialise.hpp"

namespace m2u {

/// x · weightᵀ + bias, then an activation. Parameters: weight [out, in], bias [out].
class Linear {
 public:
  /// Starts as PyTorch's Linear does.
  Linear(Scope const& scope, int in, int out)
      : Linear(scope, in, out, Initialiser::linear_default(in), Initialiser::linear_default(in)) {}
  Linear(Scope const& scope, int in, int out, Initialiser const& weight, Initialiser const& bias)
      : weight_(scope.matrix("weight", out, in, weight)), bias_(scope.vector("bias", out, bias)) {}

  int in() const { return weight_.cols; }
  int out() const { return weight_.rows; }

  /// @param x [rows, in]  @return [rows, out]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                          Activation activation = Activation::none) const;

  /// The same with all that may follow.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                          std::type_identity_t<LinearTail<S, R>> const& tail) const;

  /// Two inputs side by side. @param a [rows, n]  @param b [rows, in - n]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                          std::type_identity_t<LinearTail<S, R>> const& tail = {}) const;

  Slice const& weight() const { return weight_; }
  Slice const& bias() const { return bias_; }

 private:
  Slice weight_;
  Slice bias_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> Linear::operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                                Activation activation) const {
  return linear(tape, x, tape.parameter(weight_), tape.parameter(bias_), activation);
}

template <ExecutionSpace S, class R>
Tensor<S, R> Linear::operator()(Tape<S, R>& tape, Tensor<S, R> const& x,
                                std::type_identity_t<LinearTail<S, R>> const& tail) const {
  return linear(tape, x, tape.parameter(weight_), tape.parameter(bias_), tail);
}

template <ExecutionSpace S, class R>
Tensor<S, R> Linear::operator()(Tape<S, R>& tape, Tensor<S, R> const& a, Tensor<S, R> const& b,
                                std::type_identity_t<LinearTail<S, R>> const& tail) const {
  expects(a.cols() + b.cols() == in(), "Linear: inputs ", shape(a), " and ", shape(b),
          " side by side do not have ", in(), " columns");
  auto const weight = tape.parameter(weight_);
  return linear(tape,
                std::array{LinearTerm<S, R>{a, weight}, LinearTerm<S, R>{b, weight, a.cols()}},
                tape.parameter(bias_), tail);
}

}  // namespace m2u
