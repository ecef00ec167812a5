// SPDX-License-Identifier: Apache-2.0
/// @file
/// Normalisation layers with their parameters.
#pragma once

#include "m2u/ops/batch_norm.hpp"
#include "m2u/ops/layer_norm.hpp"

namespace m2u {

/// Batch normalisation over rows (Ioffe and Szegedy 2015): weight and bias [width], running mean
/// and variance as state.
class BatchNorm {
 public:
  BatchNorm(Scope const& scope, int width)
      : weight_(scope.vector("weight", width, Initialiser::constant(1.0F))),
        bias_(scope.vector("bias", width, Initialiser::constant(0.0F))),
        mean_(scope.state("running_mean", width, 0.0F)),
        variance_(scope.state("running_var", width, 1.0F)) {}

  /// @param x [rows, width]  @return the same shape
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x) const {
    return batch_norm(tape, std::array{term(tape, x)});
  }

  /// The same as a term of a sum: batch_norm adds up several in one pass.
  template <ExecutionSpace S, class R>
  BatchNormTerm<S, R> term(Tape<S, R>& tape, Tensor<S, R> const& x) const {
    return {x, tape.parameter(weight_), tape.parameter(bias_), mean_, variance_};
  }

 private:
  Slice weight_;
  Slice bias_;
  StateSlice mean_;
  StateSlice variance_;
};

/// Layer normalisation of each row (Ba et al. 2016): weight and bias [width].
class LayerNorm {
 public:
  LayerNorm(Scope const& scope, int width)
      : weight_(scope.vector("weight", width, Initialiser::constant(1.0F))),
        bias_(scope.vector("bias", width, Initialiser::constant(0.0F))) {}

  /// @param x [rows, width]  @return the same shape
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x) const {
    return layer_norm(tape, x, tape.parameter(weight_), tape.parameter(bias_));
  }

 private:
  Slice weight_;
  Slice bias_;
};

}  // namespace m2u
