// SPDX-License-Identifier: Apache-2.0
/// @file
/// Multi-head attention of one query row per sample over a few rows of the same sample.
#pragma once

#include <cmath>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/cross_attention.hpp"

namespace m2u {

/// Options of cross_attention.
struct CrossAttentionOptions {
  float dropout = 0.0F;  ///< share of the attention probabilities dropped in training, in [0, 1)
};

namespace detail {

/// @return how many keys each sample has
template <ExecutionSpace S, class R>
int check_cross_attention(char const* op, Tensor<S, R> const& query, Tensor<S, R> const& keys,
                          int heads) {
  int const samples = query.rows();
  expects(heads > 0 && query.cols() > 0 && query.cols() % heads == 0, op, ": ", heads,
          " heads do not divide the columns of the query ", shape(query));
  expects(keys.cols() == query.cols(), op, ": query ", shape(query), " and keys ", shape(keys),
          " need the same number of columns");
  if (samples == 0) {
    expects(keys.rows() == 0, op, ": keys ", shape(keys), " without a query");
    return 0;
  }
  expects(keys.rows() > 0 && keys.rows() % samples == 0, op, ": keys ", shape(keys),
          " are not a whole number of rows, at least one, for each row of the query ",
          shape(query));
  return keys.rows() / samples;
}

template <ExecutionSpace S, class R>
void cross_attention_backward(Tape<S, R>& tape, Tensor<S, R> const& query, Tensor<S, R> const& keys,
                              Tensor<S, R> const& values, int heads, Matrix<R, S> const& p,
                              Matrix<R, S> const& kept, Matrix<R, S> const& dy) {
  auto const& space = tape.space();
  int const dim = query.cols() / heads;
  R const scale = R(1) / std::sqrt(static_cast<R>(dim));
  auto const dscores = tape.matrix(p.extent_int(0), p.extent_int(1));
  if (query.differentiable() || keys.differentiable()) {
    kernels::cross_attention_scores_backward(space, p, kept, values.value, dy, heads, dscores);
  }
  if (query.differentiable()) {
    auto const [dquery, accumulate] = tape.gradient(query);
    kernels::cross_attention_gather(space, dscores, keys.value, heads, scale, dquery, accumulate);
  }
  if (keys.differentiable()) {
    auto const [dkeys, accumulate] = tape.gradient(keys);
    kernels::cross_attention_spread(space, dscores, query.value, heads, scale, dkeys, accumulate);
  }
  if (values.differentiable()) {
    auto const [dvalues, accumulate] = tape.gradient(values);
    kernels::cross_attention_spread(space, kept, dy, heads, R(1), dvalues, accumulate);
  }
}

}  // namespace detail

/// Concatenated heads of softmax(q · kᵀ / √head size) · v for each sample, whose query attends to
/// the sample's own few keys (Vaswani et al. 2017). The projections before and after are linear ops
/// outside.
/// @param query [samples, width]
/// @param keys [rows · samples, width]: row m of sample i is row m · samples + i, so that
/// concat_rows of one tensor per modality gives them  @param values in the same order
/// @param heads divides width
/// @return [samples, width]  @throws Error if the shapes do not fit or dropout is outside [0, 1).
template <ExecutionSpace S, class R>
Tensor<S, R> cross_attention(Tape<S, R>& tape, Tensor<S, R> const& query, Tensor<S, R> const& keys,
                             Tensor<S, R> const& values, int heads,
                             CrossAttentionOptions options = {}) {
  int const count = detail::check_cross_attention("cross_attention", query, keys, heads);
  expects(shape(values) == shape(keys), "cross_attention: keys ", shape(keys), " and values ",
          shape(values), " need the same shape");
  expects(options.dropout >= 0.0F && options.dropout < 1.0F, "cross_attention: dropout ",
          options.dropout, " is outside [0, 1)");
  auto const& space = tape.space();
  auto const p = tape.matrix(query.rows(), heads * count);
  kernels::cross_attention_weights(space, query.value, keys.value, heads, p);
  auto kept = p;
  if (tape.training() && options.dropout > 0.0F) {
    kept = tape.matrix(query.rows(), heads * count);
    kernels::cross_attention_drop(space, p, {tape.random_stream(), options.dropout}, kept);
  }
  auto const y = tape.result(query.rows(), query.cols(), query, keys, values);
  kernels::cross_attention_gather(space, kept, values.value, heads, R(1), y.value, false);
  tape.record("cross_attention", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    detail::cross_attention_backward(back, query, keys, values, heads, p, kept, dy);
  });
  return y;
}

/// The weights that cross_attention uses in evaluation, averaged over the heads. Not
/// differentiable; for looking at. Shapes and errors as above.
/// @return [samples, rows per sample]
template <ExecutionSpace S, class R>
Tensor<S, R> cross_attention_weights(Tape<S, R>& tape, Tensor<S, R> const& query,
                                     Tensor<S, R> const& keys, int heads) {
  int const count = detail::check_cross_attention("cross_attention_weights", query, keys, heads);
  auto const p = tape.matrix(query.rows(), heads * count);
  auto const mean = tape.matrix(query.rows(), count);
  kernels::cross_attention_weights(tape.space(), query.value, keys.value, heads, p);
  kernels::cross_attention_mean(tape.space(), p, heads, mean);
  return tape.constant(mean);
}

}  // namespace m2u
