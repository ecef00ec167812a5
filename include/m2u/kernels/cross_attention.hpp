// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: multi-head attention of one query row per sample over a few rows per sample. Row m
/// of sample i is row m · samples + i of the keys and values. A thread works on one head of one
/// sample, whose numbers for all rows lie side by side: [samples, heads · rows per sample].
#pragma once

#include <cstddef>

#include "m2u/core/exponential.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/core/random.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// Dropout of attention probabilities.
struct CrossAttentionDropout {
  RandomStream stream;
  float probability = 0.0F;  ///< 0 for none
};

/// Where one head of one sample is in the matrices.
struct CrossAttentionHead {
  std::ptrdiff_t query;    ///< offset of its columns of its query
  std::ptrdiff_t key;      ///< and of its first key or value
  std::ptrdiff_t stride;   ///< from one of its keys to the next
  std::ptrdiff_t weights;  ///< offset of its weights

  KOKKOS_INLINE_FUNCTION
  CrossAttentionHead(std::ptrdiff_t item, int samples, int heads, int dim, int keys)
      : query(item * dim),
        key(item * dim),
        stride(static_cast<std::ptrdiff_t>(samples) * heads * dim),
        weights(item * keys) {}
};

template <ExecutionSpace S>
Kokkos::RangePolicy<S> cross_attention_policy(S const& space, int samples, int heads) {
  return Kokkos::RangePolicy<S>(space, 0, static_cast<std::ptrdiff_t>(samples) * heads);
}

/// p = softmax(q · k / √dim) over the keys of each head.
template <ExecutionSpace S, class R>
void cross_attention_weights(S const& space, Matrix<R, S> const& query, Matrix<R, S> const& keys,
                             int heads, Matrix<R, S> const& p) {
  int const samples = query.extent_int(0);
  int const dim = query.extent_int(1) / heads;
  int const count = p.extent_int(1) / heads;
  R const scale = R(1) / Kokkos::sqrt(static_cast<R>(dim));
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_weights", cross_attention_policy(space, samples, heads),
      KOKKOS_LAMBDA(std::ptrdiff_t item) {
        CrossAttentionHead const at(item, samples, heads, dim, count);
        R const* const q = query.data() + at.query;
        R* const out = p.data() + at.weights;
        R largest = -Kokkos::Experimental::infinity_v<R>;
        for (int m = 0; m < count; ++m) {
          R const* const k = keys.data() + at.key + m * at.stride;
          R score = 0;
          for (int d = 0; d < dim; ++d) {
            score += q[d] * k[d];
          }
          out[m] = scale * score;
          largest = out[m] > largest ? out[m] : largest;
        }
        R sum = 0;
        for (int m = 0; m < count; ++m) {
          out[m] = exponential(out[m] - largest);
          sum += out[m];
        }
        for (int m = 0; m < count; ++m) {
          out[m] /= sum;
        }
      });
}

/// kept = p with dropout: each weight 0 or divided by 1 - probability.
template <ExecutionSpace S, class R>
void cross_attention_drop(S const& space, Matrix<R, S> const& p, CrossAttentionDropout drop,
                          Matrix<R, S> const& kept) {
  R const factor = R(1) / (R(1) - static_cast<R>(drop.probability));
  R const* const in = p.data();
  R* const out = kept.data();
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_drop", Kokkos::RangePolicy<S>(space, 0, p.size()),
      KOKKOS_LAMBDA(std::size_t i) {
        out[i] = drop.stream.uniform(i) < drop.probability ? R(0) : factor * in[i];
      });
}

/// out = factor · Σ over the rows of a sample of weight · row: the attention with the values as
/// rows, or the gradient of the query with the keys.
template <ExecutionSpace S, class R>
void cross_attention_gather(S const& space, Matrix<R, S> const& weights, Matrix<R, S> const& rows,
                            int heads, R factor, Matrix<R, S> const& out, bool accumulate) {
  int const samples = out.extent_int(0);
  int const dim = out.extent_int(1) / heads;
  int const count = weights.extent_int(1) / heads;
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_gather", cross_attention_policy(space, samples, heads),
      KOKKOS_LAMBDA(std::ptrdiff_t item) {
        CrossAttentionHead const at(item, samples, heads, dim, count);
        R* const y = out.data() + at.query;
        for (int d = 0; d < dim; ++d) {
          R sum = 0;
          for (int m = 0; m < count; ++m) {
            sum += weights.data()[at.weights + m] * rows.data()[at.key + m * at.stride + d];
          }
          store(y[d], factor * sum, accumulate);
        }
      });
}

/// out = factor · weight · the sample's row in every row of the sample: the gradient of the values
/// with dy, or of the keys with the query.
template <ExecutionSpace S, class R>
void cross_attention_spread(S const& space, Matrix<R, S> const& weights, Matrix<R, S> const& row,
                            int heads, R factor, Matrix<R, S> const& out, bool accumulate) {
  int const samples = row.extent_int(0);
  int const dim = row.extent_int(1) / heads;
  int const count = weights.extent_int(1) / heads;
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_spread", cross_attention_policy(space, samples, heads),
      KOKKOS_LAMBDA(std::ptrdiff_t item) {
        CrossAttentionHead const at(item, samples, heads, dim, count);
        R const* const x = row.data() + at.query;
        for (int m = 0; m < count; ++m) {
          R const weight = factor * weights.data()[at.weights + m];
          R* const y = out.data() + at.key + m * at.stride;
          for (int d = 0; d < dim; ++d) {
            store(y[d], weight * x[d], accumulate);
          }
        }
      });
}

/// The gradient of the scores: with g_m = dy · v_m, kept_m · g_m - p_m · Σ_n kept_n · g_n.
template <ExecutionSpace S, class R>
void cross_attention_scores_backward(S const& space, Matrix<R, S> const& p,
                                     Matrix<R, S> const& kept, Matrix<R, S> const& values,
                                     Matrix<R, S> const& dy, int heads,
                                     Matrix<R, S> const& dscores) {
  int const samples = dy.extent_int(0);
  int const dim = dy.extent_int(1) / heads;
  int const count = p.extent_int(1) / heads;
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_scores_backward",
      cross_attention_policy(space, samples, heads), KOKKOS_LAMBDA(std::ptrdiff_t item) {
        CrossAttentionHead const at(item, samples, heads, dim, count);
        R const* const gradient = dy.data() + at.query;
        R const* const before = p.data() + at.weights;
        R const* const after = kept.data() + at.weights;
        R* const out = dscores.data() + at.weights;
        R sum = 0;
        for (int m = 0; m < count; ++m) {
          R const* const v = values.data() + at.key + m * at.stride;
          R dot = 0;
          for (int d = 0; d < dim; ++d) {
            dot += gradient[d] * v[d];
          }
          out[m] = after[m] * dot;
          sum += out[m];
        }
        for (int m = 0; m < count; ++m) {
          out[m] -= before[m] * sum;
        }
      });
}

/// mean(i, m) = the weight of row m of sample i, averaged over the heads.
template <ExecutionSpace S, class R>
void cross_attention_mean(S const& space, Matrix<R, S> const& p, int heads,
                          Matrix<R, S> const& mean) {
  int const count = mean.extent_int(1);
  Kokkos::parallel_for(
      "m2u::kernels::cross_attention_mean", Kokkos::RangePolicy<S>(space, 0, mean.size()),
      KOKKOS_LAMBDA(std::size_t i) {
        auto const sample = static_cast<std::ptrdiff_t>(i) / count;
        auto const m = static_cast<std::ptrdiff_t>(i) % count;
        R sum = 0;
        for (int head = 0; head < heads; ++head) {
          sum += p.data()[(sample * heads + head) * count + m];
        }
        mean.data()[i] = sum / static_cast<R>(heads);
      });
}

}  // namespace m2u::kernels
