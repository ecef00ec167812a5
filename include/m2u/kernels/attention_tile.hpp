// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: self-attention of one head over some queries of one group, the parts that the
/// forward pass, the backward pass and the weights share. Scores are kept transposed, keys × queries:
/// the softmax then runs over queries side by side and needs no reduction within a vector.
#pragma once

#include <cstddef>
#include <cstdint>

#include "m2u/core/matrix.hpp"
#include "m2u/core/random.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/exponential.hpp"
#include "m2u/kernels/team_gemm.hpp"

namespace m2u::kernels {

/// Dropout of attention probabilities: the mask is a function of (head, query row, key position), so
/// it is drawn again in the backward pass instead of stored.
struct AttentionDropout {
  RandomStream stream;
  float probability = 0.0F;  ///< 0 for none
  int longest = 0;           ///< rows of the largest group
};

/// Rows of queries that are worked on at once: what bounds the scratch memory of long groups.
template <ExecutionSpace S>
constexpr int query_tile(int longest) {
  int const most = on_host<S> && longest <= 4096 ? 64 : 32;
  int const padded = (longest + 15) / 16 * 16;
  return padded < most ? padded : most;
}

/// One head of one group.
template <class R>
struct AttentionHead {
  R const* q;             ///< first row, as k and v
  R const* k;
  R const* v;
  std::ptrdiff_t stride;  ///< between rows of q, k and v
  int first;              ///< the group's first row
  int count;              ///< the group's rows
  int dim;                ///< columns of the head
  R scale;                ///< 1 / √dim
};

template <ExecutionSpace S, class R>
KOKKOS_INLINE_FUNCTION AttentionHead<R> attention_head(Matrix<R, S> const& qkv,
                                                       Vector<int, S> const& offsets, int heads,
                                                       int group, int head) {
  int const width = qkv.extent_int(1) / 3;
  int const dim = width / heads;
  int const first = offsets(group);
  auto const stride = static_cast<std::ptrdiff_t>(qkv.extent_int(1));
  R const* const q = qkv.data() + first * stride + head * dim;
  return {q,     q + width,                  q + 2 * width, stride,
          first, offsets(group + 1) - first, dim,           R(1) / Kokkos::sqrt(static_cast<R>(dim))};
}

/// target(d, i) = scale · source(i, d) for i < count, 0 for the columns up to `padded`.
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void transpose_rows(Team const& team, R const* source, std::ptrdiff_t stride,
                                           int count, int dim, R scale, R* target, int padded) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, padded), [&](int i) {
    R const* const row = source + i * stride;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim), [&](int d) {
      target[d * padded + i] = i < count ? scale * row[d] : R(0);
    });
  });
}

/// scores(j, i) = row j of `rows` · column i of `transposed` for all keys j.
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void attention_scores(Team const& team, AttentionHead<R> const& at,
                                             R const* rows, R const* transposed, R* scores,
                                             int padded) {
  team_gemm(team, at.count, padded, at.dim, TeamOperand<R>{rows, at.stride, 1},
            TeamOperand<R>{transposed, padded, 1},
            [&](int j, int i, R value) { scores[j * padded + i] = value; });
}

/// Multiplies the `lanes` columns of `tile` (keys × padded) that belong to the rows from `row` on by
/// `kept` or `dropped`. Four keys share one block of random words.
template <int lanes, class R>
KOKKOS_INLINE_FUNCTION void drop_attention(AttentionDropout const& dropout, int head, int rows,
                                           int row, int keys, R kept, R dropped, R* tile,
                                           int padded) {
  auto const blocks = static_cast<std::uint64_t>((dropout.longest + 3) / 4);
  auto const start = (static_cast<std::uint64_t>(head) * static_cast<std::uint64_t>(rows) +
                      static_cast<std::uint64_t>(row)) * blocks;
  // A word is dropped below probability · 2^24, as uniform() < probability; integers vectorise.
  auto const threshold = static_cast<std::uint32_t>(dropout.probability * 0x1p24F);
  for (int j = 0; j < keys; j += 4) {
    std::uint32_t words[4][lanes];
    for (int l = 0; l < lanes; ++l) {
      auto const counter = start + static_cast<std::uint64_t>(l) * blocks +
                           static_cast<std::uint64_t>(j / 4);
      auto const random = Philox::block(dropout.stream.key, dropout.stream.stream, counter);
      words[0][l] = random.words[0];
      words[1][l] = random.words[1];
      words[2][l] = random.words[2];
      words[3][l] = random.words[3];
    }
    int const used = keys - j < 4 ? keys - j : 4;
    for (int r = 0; r < used; ++r) {
      R* const line = tile + (j + r) * padded;
      for (int l = 0; l < lanes; ++l) {
        line[l] *= (words[r][l] >> 8U) < threshold ? dropped : kept;
      }
    }
  }
}

/// Softmax over the keys (rows) of each of the `lanes` columns, in place. log_sum[l] becomes the
/// logarithm of the sum of the exponentials.
template <int lanes, class R>
KOKKOS_INLINE_FUNCTION void softmax_keys(int keys, R* tile, int padded, R* log_sum) {
  R largest[lanes];
  R sum[lanes];
  for (int l = 0; l < lanes; ++l) {
    largest[l] = tile[l];
    sum[l] = 0;
  }
  for (int j = 1; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      R const score = tile[j * padded + l];
      largest[l] = score > largest[l] ? score : largest[l];
    }
  }
  for (int j = 0; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      R const power = exponential(tile[j * padded + l] - largest[l]);
      tile[j * padded + l] = power;
      sum[l] += power;
    }
  }
  for (int l = 0; l < lanes; ++l) {
    log_sum[l] = largest[l] + Kokkos::log(sum[l]);
    sum[l] = R(1) / sum[l];
  }
  for (int j = 0; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      tile[j * padded + l] *= sum[l];
    }
  }
}

}  // namespace m2u::kernels
