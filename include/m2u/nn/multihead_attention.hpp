// SPDX-License-Identifier: Apache-2.0
/// @file
/// Multi-head self-attention among the rows of each group.
#pragma once

#include "m2u/nn/linear.hpp"
#include "m2u/ops/ragged_attention.hpp"

namespace m2u {

/// PyTorch's MultiheadAttention for self-attention (Vaswani et al. 2017), on ragged groups: a row
/// attends to the rows of its own group only. Parameters: in_proj [3·width, width], out_proj
/// [width, width].
class MultiheadAttention {
 public:
  /// @throws Error if `heads` does not divide `width`.
  MultiheadAttention(Scope const& scope, int width, int heads, float dropout)
      : in_(scope.scope("in_proj"), width, 3 * width, Initialiser::xavier_uniform(width, 3 * width),
            Initialiser::constant(0.0F)),
        out_(scope.scope("out_proj"), width, width, Initialiser::linear_default(width),
             Initialiser::constant(0.0F)),
        heads_(heads),
        dropout_(dropout) {
    expects(heads > 0 && width % heads == 0, "MultiheadAttention: ", heads,
            " heads do not divide the width ", width);
  }

  /// @param x [rows, width]  @param tail what follows the output's linear map
  /// @return [rows, width]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups,
                          std::type_identity_t<LinearTail<S, R>> const& tail = {}) const;

  /// How much each row attends to the rows of its group, averaged over the heads, without dropout.
  /// Not differentiable; for looking at. Waits for the space.
  /// @param x [rows, width]
  /// @return [rows, rows of the longest group]: column j is the group's row j; the columns beyond a
  /// group's rows are 0
  template <ExecutionSpace S, class R>
  Tensor<S, R> weights(Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups) const;

 private:
  Linear in_;
  Linear out_;
  int heads_;
  float dropout_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> MultiheadAttention::operator()(
    Tape<S, R>& tape, Tensor<S, R> const& x, Ragged<S> const& groups,
    std::type_identity_t<LinearTail<S, R>> const& tail) const {
  auto const qkv = in_(tape, x);
  return out_(tape, ragged_attention(tape, qkv, groups, heads_, {.dropout = dropout_}), tail);
}

template <ExecutionSpace S, class R>
Tensor<S, R> MultiheadAttention::weights(Tape<S, R>& tape, Tensor<S, R> const& x,
                                         Ragged<S> const& groups) const {
  auto const& space = tape.space();
  auto const weights = attention_weights(space, in_(tape, x).value, groups, heads_);
  auto const padded = tape.matrix(groups.total, groups.longest);
  kernels::pad_attention(space, weights.values, weights.offsets, groups, padded);
  space.fence("m2u::nn::attention_weights");  // the weights end here
  return tape.constant(padded);
}

}  // namespace m2u
