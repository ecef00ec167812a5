// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: multi-head self-attention within groups of rows. A team works on one head of one
/// group, some queries at a time.
#pragma once

#include "m2u/kernels/attention_tile.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// Bytes of a team's scratch: `scores` matrices keys × queries, `transposes` dim × queries, and two
/// numbers per query.
template <ExecutionSpace S, class R>
std::size_t attention_scratch(int longest, int dim, int scores, int transposes) {
  return sizeof(R) *
         static_cast<std::size_t>(scores * score_size<S>(longest) +
                                  (transposes * dim + 2) * std::ptrdiff_t{query_tile<S>(longest)});
}

/// Fast scratch memory is small everywhere (32 KiB on the host, 48 KiB on a GPU): use it if it
/// suffices. On a GPU, groups of up to about 120 rows do; the other kind is the GPU's main memory.
template <ExecutionSpace S>
int scratch_level(std::size_t bytes) {
  // Not on_host: on a host a device's paths have no more than the host's.
  constexpr bool host =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename S::memory_space>::accessible;
  return bytes <= std::size_t{host ? 24 : 44} * 1024 ? 0 : 1;
}

/// y = concatenated heads of softmax(q kᵀ / √dim) v within each group; log_sums(head · rows + row)
/// is what the backward pass recomputes the probabilities from.
template <ExecutionSpace S, class R>
void ragged_attention(S const& space, Matrix<R, S> const& qkv, Ragged<S> const& groups, int heads,
                      AttentionDropout const& dropout, Matrix<R, S> const& y,
                      Vector<R, S> const& log_sums) {
  int const longest = groups.longest;
  int const width = qkv.extent_int(1) / 3;
  int const rows = qkv.extent_int(0);
  auto const offsets = groups.offsets;
  auto const bytes = attention_scratch<S, R>(longest, width / heads, 1, 1);
  int const level = scratch_level<S>(bytes);
  AttentionDropout const drop = dropout;
  Kokkos::parallel_for(
      "m2u::kernels::ragged_attention",
      team_policy(space, groups.groups * heads)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const head = team.league_rank() % heads;
        auto const at = attention_head<S, R>(qkv, offsets, heads, team.league_rank() / heads, head);
        prefetch_next_group(team, offsets.data(), heads, qkv.data(), 3 * width);
        prefetch_next_group(team, offsets.data(), heads, y.data(), width);
        int const tile = query_tile<S>(longest);
        auto* const scores = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const transposed = scores + score_size<S>(longest);
        R* const largest = transposed + at.dim * tile;
        R* const sum = largest + tile;
        for (int begin = 0; begin < at.count; begin += tile) {
          int const queries = Kokkos::min(tile, at.count - begin);
          int const padded = padded_queries(queries);
          int const row = at.first + begin;
          transpose_rows(team, at.q + begin * at.stride, at.stride, queries, at.dim, at.scale,
                         transposed, padded);
          team.team_barrier();
          attention_scores(team, at, at.k, transposed, scores, padded);
          team.team_barrier();
          int const cols = softmax_columns<TeamMember<S>>(padded);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / cols), [&](int strip) {
            int const i = strip * cols;
            softmax_keys(at.count, cols, scores + i, padded, largest + i, sum + i);
            if (drop.mask.drops()) {
              drop_attention(team, drop, head, rows, row + i, at.count, cols, drop.mask.kept, 0.0F,
                             scores + i, padded);
            }
          });
          team.team_barrier();
          R* const out = y.data() + static_cast<std::ptrdiff_t>(row) * width + head * at.dim;
          team_gemm(team, queries, at.dim, at.count, TeamFactor<R>{scores, 1, padded},
                    TeamFactor<R>{at.v, at.stride, 1}, TeamProduct<R>{out, width});
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, queries), [&](int i) {
            log_sums(static_cast<std::ptrdiff_t>(head) * rows + row + i) = largest[i];
          });
          team.team_barrier();
        }
      });
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
  auto const bytes = attention_scratch<S, R>(longest, width / heads, 2, 2);
  int const level = scratch_level<S>(bytes);
  AttentionDropout const drop = dropout;
  Kokkos::parallel_for(
      "m2u::kernels::ragged_attention_backward",
      team_policy(space, groups.groups * heads)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const head = team.league_rank() % heads;
        auto const at = attention_head<S, R>(qkv, offsets, heads, team.league_rank() / heads, head);
        prefetch_next_group(team, offsets.data(), heads, qkv.data(), 3 * width);
        prefetch_next_group(team, offsets.data(), heads, dy.data(), width);
        prefetch_next_group(team, offsets.data(), heads, dqkv.data(), 3 * width);
        int const tile = query_tile<S>(longest);
        auto* const p = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const dp = p + score_size<S>(longest);
        R* const q_transposed = dp + score_size<S>(longest);
        R* const dy_transposed = q_transposed + at.dim * tile;
        R* const log_sum = dy_transposed + at.dim * tile;
        R* const dot = log_sum + tile;
        for (int begin = 0; begin < at.count; begin += tile) {
          int const queries = Kokkos::min(tile, at.count - begin);
          int const padded = padded_queries(queries);
          int const row = at.first + begin;
          R const* const q = at.q + begin * at.stride;
          R const* const gradient =
              dy.data() + static_cast<std::ptrdiff_t>(row) * width + head * at.dim;
          transpose_rows(team, q, at.stride, queries, at.dim, at.scale, q_transposed, padded);
          transpose_rows(team, gradient, static_cast<std::ptrdiff_t>(width), queries, at.dim, R(1),
                         dy_transposed, padded);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded), [&](int i) {
            log_sum[i] =
                i < queries ? log_sums(static_cast<std::ptrdiff_t>(head) * rows + row + i) : R(0);
          });
          team.team_barrier();
          attention_scores(team, at, at.k, q_transposed, p, padded);
          attention_scores(team, at, at.v, dy_transposed, dp, padded);
          team.team_barrier();
          int const cols = softmax_columns<TeamMember<S>>(padded);
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / cols), [&](int strip) {
            int const i = strip * cols;
            softmax_keys_backward(team, drop, head, rows, row + i, at.count, cols, p + i, dp + i,
                                  padded, log_sum + i, dot + i);
          });
          team.team_barrier();
          R* const dq = dqkv.data() + row * at.stride + head * at.dim;
          R* const dk = dqkv.data() + at.first * at.stride + width + head * at.dim;
          bool const add = accumulate || begin > 0;
          team_gemm(team, queries, at.dim, at.count, TeamFactor<R>{dp, 1, padded},
                    TeamFactor<R>{at.k, at.stride, 1},
                    TeamProduct<R>{dq, at.stride, at.scale, accumulate});
          team_gemm(team, at.count, at.dim, queries, TeamFactor<R>{dp, padded, 1},
                    TeamFactor<R>{q, at.stride, 1}, TeamProduct<R>{dk, at.stride, at.scale, add});
          team_gemm(team, at.count, at.dim, queries, TeamFactor<R>{p, padded, 1},
                    TeamFactor<R>{gradient, width, 1},
                    TeamProduct<R>{dk + width, at.stride, R(1), add});
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
  auto const bytes = attention_scratch<S, R>(longest, qkv.extent_int(1) / 3 / heads, 1, 1);
  int const level = scratch_level<S>(bytes);
  Kokkos::parallel_for(
      "m2u::kernels::attention_weights",
      team_policy(space, groups.groups)
          .set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes) + 64)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        int const count = offsets(group + 1) - offsets(group);
        int const tile = query_tile<S>(longest);
        R* const out = weights.data() + pair_offsets(group);
        auto* const scores = static_cast<R*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
        R* const transposed = scores + score_size<S>(longest);
        R* const largest = transposed + qkv.extent_int(1) / 3 / heads * tile;
        R* const sum = largest + tile;
        for (int begin = 0; begin < count; begin += tile) {
          int const queries = Kokkos::min(tile, count - begin);
          int const padded = padded_queries(queries);
          for (int head = 0; head < heads; ++head) {
            auto const at = attention_head<S, R>(qkv, offsets, heads, group, head);
            transpose_rows(team, at.q + begin * at.stride, at.stride, queries, at.dim, at.scale,
                           transposed, padded);
            team.team_barrier();
            attention_scores(team, at, at.k, transposed, scores, padded);
            team.team_barrier();
            int const cols = softmax_columns<TeamMember<S>>(padded);
            Kokkos::parallel_for(Kokkos::TeamVectorRange(team, padded / cols), [&](int strip) {
              int const i = strip * cols;
              softmax_keys(count, cols, scores + i, padded, largest + i, sum + i);
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

/// padded(i, j) = the attention of row i on row j of its group, 0 for j beyond the group's rows.
template <ExecutionSpace S, class R>
void pad_attention(S const& space, Vector<R, S> const& weights,
                   Vector<std::int64_t, S> const& pair_offsets, Ragged<S> const& groups,
                   Matrix<R, S> const& padded) {
  auto const offsets = groups.offsets;
  int const longest = groups.longest;
  Kokkos::parallel_for(
      "m2u::kernels::pad_attention", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const group = team.league_rank();
        int const first = offsets(group);
        int const count = offsets(group + 1) - first;
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, count), [&](int i) {
          R const* const in =
              weights.data() + pair_offsets(group) + static_cast<std::ptrdiff_t>(i) * count;
          R* const out = padded.data() + static_cast<std::ptrdiff_t>(first + i) * longest;
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, longest),
                               [&](int j) { out[j] = j < count ? in[j] : R(0); });
        });
      });
}

}  // namespace m2u::kernels
