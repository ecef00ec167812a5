// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: multi-head self-attention within groups of rows. A team works on one head of one
/// group, some queries at a time.
#pragma once

#include "m2u/kernels/attention_tile.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// Scratch of a team in elements: `scores` matrices keys × queries and `transposes` dim × queries.
template <ExecutionSpace S>
std::size_t attention_scratch(int longest, int dim, int scores, int transposes) {
  auto const tile = static_cast<std::size_t>(query_tile<S>(longest));
  return tile * (static_cast<std::size_t>(scores) * static_cast<std::size_t>(longest) +
                 static_cast<std::size_t>(transposes) * static_cast<std::size_t>(dim));
}

/// Fast scratch memory is small everywhere (32 KiB on the host, 48 KiB on a GPU): use it if it suffices.
inline int scratch_level(std::size_t bytes) { return bytes <= 24 * 1024 ? 0 : 1; }

/// y = concatenated heads of softmax(q kᵀ / √dim) v within each group; log_sums(head · rows + row) is
/// what the backward pass recomputes the probabilities from.
template <ExecutionSpace S, class R>
void ragged_attention(S const& space, Matrix<R, S> const& qkv, Ragged<S> const& groups, int heads,
                      AttentionDropout const& dropout, Matrix<R, S> const& y,
                      Vector<R, S> const& log_sums) {
  int const longest = groups.longest;
  int const width = qkv.extent_int(1) / 3;
  int const rows = qkv.extent_int(0);
  auto const offsets = groups.offsets;
  auto const bytes = sizeof(R) * attention_scratch<S>(longest, width / heads, 1, 1);
  int const level = scratch_level(bytes);
  AttentionDropout const drop = dropout;
  Kokkos::parallel_for(
      "m2u::kernels::ragged_attention",
      team_policy(space, groups.groups * heads)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        constexpr int lanes = tile_columns<TeamMember<S>>;
        int const head = team.league_rank() % heads;
        auto const at = attention_head<S, R>(qkv, offsets, heads, team.league_rank() / heads, head);
        int const tile = query_tile<S>(longest);
        auto* const scores = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const transposed = scores + static_cast<std::ptrdiff_t>(longest) * tile;
        for (int begin = 0; begin < at.count; begin += tile) {
          int const queries = Kokkos::min(tile, at.count - begin);
          int const padded = padded_columns<TeamMember<S>>(queries);
          int const row = at.first + begin;
          transpose_rows(team, at.q + begin * at.stride, at.stride, queries, at.dim, at.scale,
                         transposed, padded);
          team.team_barrier();
          attention_scores(team, at, at.k, transposed, scores, padded);
          team.team_barrier();
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / lanes), [&](int strip) {
            R log_sum[lanes];
            softmax_keys<lanes>(at.count, scores + strip * lanes, padded, log_sum);
            for (int l = 0; l < lanes && strip * lanes + l < queries; ++l) {
              log_sums(static_cast<std::ptrdiff_t>(head) * rows + row + strip * lanes + l) = log_sum[l];
            }
            if (drop.probability > 0.0F) {
              drop_attention<lanes>(drop, head, rows, row + strip * lanes, at.count,
                                    R(1) / (R(1) - static_cast<R>(drop.probability)), R(0),
                                    scores + strip * lanes, padded);
            }
          });
          team.team_barrier();
          R* const out = y.data() + static_cast<std::ptrdiff_t>(row) * width + head * at.dim;
          team_gemm(team, queries, at.dim, at.count, TeamOperand<R>{scores, 1, padded},
                    TeamOperand<R>{at.v, at.stride, 1}, [&](int i, int d, R value) {
                      out[static_cast<std::ptrdiff_t>(i) * width + d] = value;
                    });
          team.team_barrier();
        }
      });
}

/// From scores and the gradient of the probabilities after dropout (both keys × lanes) to the
/// probabilities after dropout and the gradient of the scores, in place.
template <int lanes, class R>
KOKKOS_INLINE_FUNCTION void softmax_keys_backward(AttentionDropout const& drop, int head, int rows,
                                                  int row, int keys, R const* log_sum, R* p, R* dp,
                                                  int padded) {
  for (int j = 0; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      p[j * padded + l] = exponential(p[j * padded + l] - log_sum[l]);
    }
  }
  // Until the end the sign of a probability says whether it was dropped.
  R kept = 1;
  if (drop.probability > 0.0F) {
    kept = R(1) / (R(1) - static_cast<R>(drop.probability));
    drop_attention<lanes>(drop, head, rows, row, keys, R(1), R(-1), p, padded);
  }
  R dot[lanes];
  for (int l = 0; l < lanes; ++l) {
    dot[l] = 0;
  }
  for (int j = 0; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      R const after = p[j * padded + l] > R(0) ? kept * p[j * padded + l] : R(0);
      dot[l] += after * dp[j * padded + l];
    }
  }
  for (int j = 0; j < keys; ++j) {
    for (int l = 0; l < lanes; ++l) {
      R const signed_p = p[j * padded + l];
      R const after = signed_p > R(0) ? kept * signed_p : R(0);
      R const before = signed_p > R(0) ? signed_p : -signed_p;
      dp[j * padded + l] = after * dp[j * padded + l] - before * dot[l];
      p[j * padded + l] = after;
    }
  }
}

/// The gradient of ragged_attention for qkv; all of dqkv's rows that lie in groups are written.
template <ExecutionSpace S, class R>
void ragged_attention_backward(S const& space, Matrix<R, S> const& qkv, Ragged<S> const& groups,
                               int heads, AttentionDropout const& dropout,
                               Vector<R, S> const& log_sums, Matrix<R, S> const& dy,
                               Matrix<R, S> const& dqkv, bool accumulate) {
  int const longest = groups.longest;
  int const width = qkv.extent_int(1) / 3;
  int const rows = qkv.extent_int(0);
  auto const offsets = groups.offsets;
  auto const bytes = sizeof(R) * attention_scratch<S>(longest, width / heads, 2, 2);
  int const level = scratch_level(bytes);
  AttentionDropout const drop = dropout;
  Kokkos::parallel_for(
      "m2u::kernels::ragged_attention_backward",
      team_policy(space, groups.groups * heads)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        constexpr int lanes = tile_columns<TeamMember<S>>;
        int const head = team.league_rank() % heads;
        auto const at = attention_head<S, R>(qkv, offsets, heads, team.league_rank() / heads, head);
        int const tile = query_tile<S>(longest);
        auto* const p = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const dp = p + static_cast<std::ptrdiff_t>(longest) * tile;
        R* const q_transposed = dp + static_cast<std::ptrdiff_t>(longest) * tile;
        R* const dy_transposed = q_transposed + at.dim * tile;
        for (int begin = 0; begin < at.count; begin += tile) {
          int const queries = Kokkos::min(tile, at.count - begin);
          int const padded = padded_columns<TeamMember<S>>(queries);
          int const row = at.first + begin;
          R const* const q = at.q + begin * at.stride;
          R const* const gradient = dy.data() + static_cast<std::ptrdiff_t>(row) * width + head * at.dim;
          transpose_rows(team, q, at.stride, queries, at.dim, at.scale, q_transposed, padded);
          transpose_rows(team, gradient, static_cast<std::ptrdiff_t>(width), queries, at.dim, R(1),
                         dy_transposed, padded);
          team.team_barrier();
          attention_scores(team, at, at.k, q_transposed, p, padded);
          attention_scores(team, at, at.v, dy_transposed, dp, padded);
          team.team_barrier();
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / lanes), [&](int strip) {
            R log_sum[lanes];
            for (int l = 0; l < lanes; ++l) {
              int const i = Kokkos::min(strip * lanes + l, queries - 1);  // columns of padding: any
              log_sum[l] = log_sums(static_cast<std::ptrdiff_t>(head) * rows + row + i);
            }
            softmax_keys_backward<lanes>(drop, head, rows, row + strip * lanes, at.count, log_sum,
                                         p + strip * lanes, dp + strip * lanes, padded);
          });
          team.team_barrier();
          R* const dq = dqkv.data() + row * at.stride + head * at.dim;
          R* const dk = dqkv.data() + at.first * at.stride + width + head * at.dim;
          bool const add = accumulate || begin > 0;
          team_gemm(team, queries, at.dim, at.count, TeamOperand<R>{dp, 1, padded},
                    TeamOperand<R>{at.k, at.stride, 1}, [&](int i, int d, R value) {
                      store(dq[i * at.stride + d], at.scale * value, accumulate);
                    });
          team_gemm(team, at.count, at.dim, queries, TeamOperand<R>{dp, padded, 1},
                    TeamOperand<R>{q, at.stride, 1}, [&](int j, int d, R value) {
                      store(dk[j * at.stride + d], at.scale * value, add);
                    });
          team_gemm(team, at.count, at.dim, queries, TeamOperand<R>{p, padded, 1},
                    TeamOperand<R>{gradient, static_cast<std::ptrdiff_t>(width), 1},
                    [&](int j, int d, R value) {
                      store(dk[j * at.stride + width + d], value, add);
                    });
          team.team_barrier();
        }
      });
}

/// weights(offsets(g) + i · n + j) = the attention of row i on row j of group g of n rows, averaged
/// over the heads, without dropout.
template <ExecutionSpace S, class R>
void attention_weights(S const& space, Matrix<R, S> const& qkv, Ragged<S> const& groups, int heads,
                       Vector<std::int64_t, S> const& pair_offsets, Vector<R, S> const& weights) {
  int const longest = groups.longest;
  auto const offsets = groups.offsets;
  auto const bytes = sizeof(R) * attention_scratch<S>(longest, qkv.extent_int(1) / 3 / heads, 1, 1);
  int const level = scratch_level(bytes);
  Kokkos::parallel_for(
      "m2u::kernels::attention_weights",
      team_policy(space, groups.groups)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        constexpr int lanes = tile_columns<TeamMember<S>>;
        int const group = team.league_rank();
        int const count = offsets(group + 1) - offsets(group);
        int const tile = query_tile<S>(longest);
        R* const out = weights.data() + pair_offsets(group);
        auto* const scores = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const transposed = scores + static_cast<std::ptrdiff_t>(longest) * tile;
        for (int begin = 0; begin < count; begin += tile) {
          int const queries = Kokkos::min(tile, count - begin);
          int const padded = padded_columns<TeamMember<S>>(queries);
          for (int head = 0; head < heads; ++head) {
            auto const at = attention_head<S, R>(qkv, offsets, heads, group, head);
            transpose_rows(team, at.q + begin * at.stride, at.stride, queries, at.dim, at.scale,
                           transposed, padded);
            team.team_barrier();
            attention_scores(team, at, at.k, transposed, scores, padded);
            team.team_barrier();
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / lanes), [&](int strip) {
              R log_sum[lanes];
              softmax_keys<lanes>(count, scores + strip * lanes, padded, log_sum);
            });
            team.team_barrier();
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, queries), [&](int i) {
              for (int j = 0; j < count; ++j) {
                store(out[static_cast<std::ptrdiff_t>(begin + i) * count + j],
                      scores[j * padded + i] / static_cast<R>(heads), head > 0);
              }
            });
            team.team_barrier();
          }
        }
      });
}

}  // namespace m2u::kernels
