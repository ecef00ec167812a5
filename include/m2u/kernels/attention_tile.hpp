// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: self-attention of one head over some queries of one group, the parts that the
/// forward pass, the backward pass and the weights share. Scores are kept transposed, keys ×
/// queries: the softmax then runs over queries side by side and needs no reduction within a vector.
#pragma once

#include <cstddef>
#include <cstdint>

#include "m2u/core/config.hpp"
#include "m2u/core/exponential.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/dropout.hpp"
#include "m2u/kernels/team_gemm.hpp"

namespace m2u::kernels {

/// Dropout of attention probabilities: the mask is a function of (head, query row, key position),
/// so it is drawn again in the backward pass instead of stored.
struct AttentionDropout {
  DropoutMask mask;
  int longest = 0;  ///< rows of the largest group
};

/// Queries are padded to a multiple of this, which keeps the loops over them free of remainders.
inline constexpr int query_padding = 16;

KOKKOS_INLINE_FUNCTION constexpr int padded_queries(int count) {
  return (count + query_padding - 1) / query_padding * query_padding;
}

/// Queries that are worked on at once: what bounds the scratch memory of long groups.
template <ExecutionSpace S>
KOKKOS_INLINE_FUNCTION constexpr int query_tile(int longest) {
  int const most = on_host<S> && longest <= 4096 ? 64 : 32;
  int const padded = padded_queries(longest);
  return padded < most ? padded : most;
}

/// Elements of a scratch matrix of keys × queries.
template <ExecutionSpace S>
KOKKOS_INLINE_FUNCTION constexpr std::ptrdiff_t score_size(int longest) {
  return static_cast<std::ptrdiff_t>((longest + 7) / 8 * 8) * query_tile<S>(longest);
}

/// One head of one group.
template <class R>
struct AttentionHead {
  R const* q;  ///< first row, as k and v
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
  return {q,
          q + width,
          q + 2 * width,
          stride,
          first,
          offsets(group + 1) - first,
          dim,
          R(1) / Kokkos::sqrt(static_cast<R>(dim))};
}

/// On the host: asks for this head's share of the next group's rows of a matrix, while this group
/// is worked on. Heads read short pieces of rows far apart, which the processor does not foresee.
M2U_HOST_BRANCH
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void prefetch_next_group([[maybe_unused]] Team const& team,
                                                [[maybe_unused]] int const* offsets,
                                                [[maybe_unused]] int heads,
                                                [[maybe_unused]] R const* data,
                                                [[maybe_unused]] int cols) {
  if constexpr (on_host<typename Team::execution_space>) {
    int const next = team.league_rank() / heads + 1;
    int const head = team.league_rank() % heads;
    if (next < team.league_size() / heads) {
      R const* const rows = data + static_cast<std::ptrdiff_t>(offsets[next]) * cols;
      std::ptrdiff_t const size =
          static_cast<std::ptrdiff_t>(offsets[next + 1] - offsets[next]) * cols;
      constexpr std::ptrdiff_t line = 64 / static_cast<std::ptrdiff_t>(sizeof(R));
      for (auto i = size * head / heads; i < size * (head + 1) / heads; i += line) {
        __builtin_prefetch(rows + i, 0, 2);
      }
    }
  }
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

/// Columns (queries) that a thread takes through the softmax at once: on the host all of them, so
/// that loops over columns vectorise; on a GPU one.
template <class Team>
KOKKOS_INLINE_FUNCTION int softmax_columns(int padded) {
  return on_host<typename Team::execution_space> ? padded : 1;
}

/// scores(j, i) = row j of `rows` · column i of `transposed` for all keys j.
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void attention_scores(Team const& team, AttentionHead<R> const& at,
                                             R const* rows, R const* transposed, R* scores,
                                             int padded) {
  team_gemm(team, at.count, padded, at.dim, TeamFactor<R>{rows, at.stride, 1},
            TeamFactor<R>{transposed, padded, 1}, TeamProduct<R>{scores, padded});
}

namespace detail {

/// For random_lanes queries and eight keys from `line` on, on the host: blocks first, first + step,
/// …
template <class R>
void drop_lanes(DropoutMask const& mask, std::uint64_t first, std::uint64_t step, float kept,
                float dropped, R* line, int padded) {
  PhiloxLanes<DropoutMask::rounds> const random(mask.stream.key, mask.stream.stream, first, step);
  for (int h = 0; h < 8; ++h) {
    R factor[random_lanes];
    random.choose(h, mask.threshold, dropped, kept, factor);
    for (int l = 0; l < random_lanes; ++l) {  // columns are padded to as many
      line[h * padded + l] *= factor[l];
    }
  }
}

}  // namespace detail

/// Multiplies `cols` columns of `tile` (keys × padded), which belong to the queries from `row` on,
/// by `kept` or `dropped`. Eight keys share one block of random words, 16 bits each, so up to seven
/// rows below the last key are written too: scratch matrices have their keys rounded up.
M2U_HOST_BRANCH
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void drop_attention(Team const& /*team*/, AttentionDropout const& dropout,
                                           int head, int rows, int row, int keys, int cols,
                                           float kept, float dropped, R* tile, int padded) {
  auto const& mask = dropout.mask;
  auto const blocks = static_cast<std::uint64_t>((dropout.longest + 7) / 8);
  auto const start = (static_cast<std::uint64_t>(head) * static_cast<std::uint64_t>(rows) +
                      static_cast<std::uint64_t>(row)) *
                     blocks;
  for (int i = 0; i < cols; i += on_host<typename Team::execution_space> ? random_lanes : 1) {
    for (int j = 0; j < keys; j += 8) {
      std::uint64_t const first =
          start + static_cast<std::uint64_t>(i) * blocks + static_cast<std::uint64_t>(j / 8);
      R* const line = tile + j * padded + i;
      if constexpr (on_host<typename Team::execution_space>) {
        detail::drop_lanes(mask, first, blocks, kept, dropped, line, padded);
      } else {
        auto const random =
            Philox::block<DropoutMask::rounds>(mask.stream.key, mask.stream.stream, first);
        for (int h = 0; h < 8; ++h) {
          auto const bits = random.words[h / 2] >> (16 * (h % 2)) & 0xFFFFU;
          line[h * padded] *= static_cast<R>(bits < mask.threshold ? dropped : kept);
        }
      }
    }
  }
}

/// Softmax over the keys (rows) of each of `cols` columns of `tile`, in place. `largest` and `sum`:
/// scratch for one number per column.
template <class R>
KOKKOS_INLINE_FUNCTION void softmax_keys(int keys, int cols, R* tile, int padded,
                                         R* KOKKOS_RESTRICT largest, R* KOKKOS_RESTRICT sum) {
  for (int i = 0; i < cols; ++i) {
    largest[i] = tile[i];
    sum[i] = 0;
  }
  for (int j = 1; j < keys; ++j) {
    R const* const KOKKOS_RESTRICT line = tile + j * padded;
    for (int i = 0; i < cols; ++i) {
      largest[i] = line[i] > largest[i] ? line[i] : largest[i];
    }
  }
  for (int j = 0; j < keys; ++j) {
    R* const KOKKOS_RESTRICT line = tile + j * padded;
    for (int i = 0; i < cols; ++i) {
      line[i] = exponential(line[i] - largest[i]);
      sum[i] += line[i];
    }
  }
  for (int i = 0; i < cols; ++i) {
    largest[i] += Kokkos::log(sum[i]);
    sum[i] = R(1) / sum[i];
  }
  for (int j = 0; j < keys; ++j) {
    R* const KOKKOS_RESTRICT line = tile + j * padded;
    for (int i = 0; i < cols; ++i) {
      line[i] *= sum[i];
    }
  }
}

/// From scores and the gradient of the probabilities after dropout (both keys × padded) to the
/// probabilities after dropout and the gradient of the scores, in place, for the `cols` queries
/// from `row` on. `log_sum`: what softmax_keys left in `largest`; `dot`: scratch, one number per
/// column.
template <class Team, class R>
KOKKOS_INLINE_FUNCTION void softmax_keys_backward(Team const& team, AttentionDropout const& drop,
                                                  int head, int rows, int row, int keys, int cols,
                                                  R* p, R* dp, int padded,
                                                  R const* KOKKOS_RESTRICT log_sum,
                                                  R* KOKKOS_RESTRICT dot) {
  for (int j = 0; j < keys; ++j) {
    R* const KOKKOS_RESTRICT line = p + j * padded;
    for (int i = 0; i < cols; ++i) {
      line[i] = exponential(line[i] - log_sum[i]);
    }
  }
  // Until the end the sign of a probability says whether it was dropped.
  R const kept = static_cast<R>(drop.mask.kept);
  if (drop.mask.drops()) {
    drop_attention(team, drop, head, rows, row, keys, cols, 1.0F, -1.0F, p, padded);
  }
  for (int i = 0; i < cols; ++i) {
    dot[i] = 0;
  }
  for (int j = 0; j < keys; ++j) {
    R const* const KOKKOS_RESTRICT line = p + j * padded;
    R const* const KOKKOS_RESTRICT gradient = dp + j * padded;
    for (int i = 0; i < cols; ++i) {
      dot[i] += (line[i] > R(0) ? kept * line[i] : R(0)) * gradient[i];
    }
  }
  for (int j = 0; j < keys; ++j) {
    R* const KOKKOS_RESTRICT line = p + j * padded;
    R* const KOKKOS_RESTRICT gradient = dp + j * padded;
    for (int i = 0; i < cols; ++i) {
      R const after = line[i] > R(0) ? kept * line[i] : R(0);
      R const before = line[i] > R(0) ? line[i] : -line[i];
      gradient[i] = after * gradient[i] - before * dot[i];
      line[i] = after;
    }
  }
}

}  // namespace m2u::kernels
