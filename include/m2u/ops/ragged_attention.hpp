// SPDX-License-Identifier: Apache-2.0
/// @file
/// Multi-head self-attention within groups of rows, without padding.
#pragma once

#include <cstdint>
#include <vector>

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/ragged_attention.hpp"

namespace m2u {

/// Options of ragged_attention.
struct AttentionOptions {
  float dropout = 0.0F;  ///< share of the attention probabilities dropped in training, in [0, 1)
};

namespace detail {

template <ExecutionSpace S, class R>
void check_attention(char const* op, Matrix<R, S> const& qkv, Ragged<S> const& groups, int heads) {
  int const width = qkv.extent_int(1) / 3;
  expects(heads > 0 && width > 0 && qkv.extent_int(1) % 3 == 0 && width % heads == 0, op, ": qkv ",
          shape(qkv), " cannot be split into queries, keys and values of ", heads,
          " heads; it needs 3 · heads · head size columns");
  expects(qkv.extent_int(0) == groups.total, op, ": qkv ", shape(qkv), " does not fit groups of ",
          groups.total, " rows in total");
  std::size_t const most = 16U << 20U;  // Kokkos has 20 MiB for a team on the host
  expects(kernels::attention_scratch<S, R>(groups.longest, width / heads, 2, 2) <= most, op,
          ": a group of ", groups.longest, " rows is too long for the scratch memory of a team");
}

}  // namespace detail

/// Concatenated heads of softmax(q kᵀ / √head size) · v, where each row attends to the rows of its
/// own group (Vaswani et al. 2017). The projections before and after are linear ops outside. Time
/// grows with the sum of the squared group sizes; memory only with the rows: the backward pass
/// computes the probabilities again.
/// @param qkv [rows, 3 · width]: columns q | k | v, each made of the heads side by side, as
/// PyTorch's in_proj gives them  @param groups of rows; empty ones are fine  @param heads divides
/// width
/// @return [rows, width]  @throws Error if the shapes do not fit or dropout is outside [0, 1).
template <ExecutionSpace S, class R>
Tensor<S, R> ragged_attention(Tape<S, R>& tape, Tensor<S, R> const& qkv, Ragged<S> const& groups,
                              int heads, AttentionOptions options = {}) {
  detail::check_attention("ragged_attention", qkv.value, groups, heads);
  expects(options.dropout >= 0.0F && options.dropout < 1.0F, "ragged_attention: dropout ",
          options.dropout, " is outside [0, 1)");
  kernels::AttentionDropout dropout{{}, groups.longest};
  if (tape.training() && options.dropout > 0.0F) {
    dropout.mask = kernels::DropoutMask(tape.random_stream(), options.dropout);
  }
  auto const y = tape.result(qkv.rows(), qkv.cols() / 3, qkv);
  auto const log_sums = tape.vector(qkv.rows() * heads);
  kernels::ragged_attention(tape.space(), qkv.value, groups, heads, dropout, y.value, log_sums);
  tape.record("ragged_attention", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dqkv, accumulate] = back.gradient(qkv);
    kernels::ragged_attention_backward(back.space(), qkv.value, groups, heads, dropout, log_sums,
                                       dy, dqkv, accumulate);
  });
  return y;
}

/// Attention weights of all groups, without padding.
template <ExecutionSpace S, class R = float>
struct AttentionWeights {
  /// [groups + 1]; the weights of group g start at offsets(g).
  Vector<std::int64_t, S> offsets;
  /// How much row i of a group of n rows attends to its row j is at offset + i · n + j.
  Vector<R, S> values;
};

/// The weights that ragged_attention uses in evaluation, averaged over the heads. Not
/// differentiable; for looking at. Waits for `space`.
/// @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
AttentionWeights<S, R> attention_weights(S const& space, Matrix<R, S> const& qkv,
                                         Ragged<S> const& groups, int heads) {
  detail::check_attention("attention_weights", qkv, groups, heads);
  auto const rows = to_host(space, groups.offsets);
  std::vector<std::int64_t> offsets(rows.size(), 0);
  for (std::size_t g = 0; g + 1 < rows.size(); ++g) {
    std::int64_t const count = rows[g + 1] - rows[g];
    offsets[g + 1] = offsets[g] + count * count;
  }
  auto const device_offsets =
      to_space<S>(space, host_vector("m2u::ops::attention_offsets", offsets));
  auto const pairs = offsets.empty() ? std::int64_t{0} : offsets.back();
  AttentionWeights<S, R> const result{
      device_offsets,
      make_vector<R>(space, "m2u::ops::attention_weights", static_cast<std::size_t>(pairs))};
  kernels::attention_weights(space, qkv, groups, heads, result.offsets, result.values);
  space.fence("m2u::ops::attention_weights");  // the host copy of the offsets ends here
  return result;
}

}  // namespace m2u
