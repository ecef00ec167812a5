// SPDX-License-Identifier: Apache-2.0
/// @file
/// Vectors that another model made, mapped to the modality's width.
#pragma once

#include "m2u/autodiff/cast.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// Linear(in → out) on given vectors, for example a language model's.
class Precomputed {
 public:
  template <ExecutionSpace S>
  using Batch = DenseBatch<S>;

  Precomputed(Scope const& scope, int in, int out) : linear_(scope.scope("linear"), in, out) {}

  int out() const { return linear_.out(); }

  /// @return [rows, out]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, DenseBatch<S> const& batch) const;

 private:
  Linear linear_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> Precomputed::operator()(Tape<S, R>& tape, DenseBatch<S> const& batch) const {
  return linear_(tape, constant_of(tape, batch.values));
}

}  // namespace m2u
