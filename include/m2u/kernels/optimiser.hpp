// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: gradient norm, clipping and parameter updates over the flat buffers.
#pragma once

#include "m2u/core/config.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/core/square_roots.hpp"

namespace m2u {

/// What stands between a gradient and an update. Lives on the device, so that neither clipping nor
/// the check for non-finite numbers makes the host wait.
struct StepGuard {
  double norm = 0.0;   ///< Euclidean norm of the last gradient
  double scale = 1.0;  ///< what clipping multiplies it by
  long long stopped_at =
      -1;  ///< the first step with a non-finite loss or gradient; no update since
};

/// What a parameter group multiplies.
struct GroupRates {
  double learning_rate = 0.0;
  double weight_decay = 0.0;
};

}  // namespace m2u

namespace m2u::kernels {

/// Flat buffers are whole blocks of so many floats (ParameterLayout::alignment).
inline constexpr int parameter_block = 64;
/// Blocks that one team handles: a fixed partition, so that norms do not depend on threads.
inline constexpr int blocks_per_team = 64;

/// partial(t) = sum of squares of the blocks of team t.
template <ExecutionSpace S>
void sum_of_squares(S const& space, Vector<float, S> const& x, Vector<double, S> const& partial) {
  int const blocks = static_cast<int>(x.extent(0) / parameter_block);
  float const* const data = x.data();
  double* const out = partial.data();
  Kokkos::parallel_for(
      "m2u::kernels::sum_of_squares", team_policy(space, partial.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const first = team.league_rank() * blocks_per_team;
        int const last = Kokkos::min(blocks, first + blocks_per_team);
        double total = 0.0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, first, last),
            [&](int block, double& sum) {
              float const* const in = data + static_cast<std::ptrdiff_t>(block) * parameter_block;
              double lanes[8] = {};
              for (int k = 0; k < parameter_block; k += 8) {
                for (int lane = 0; lane < 8; ++lane) {
                  double const value = static_cast<double>(in[k + lane]);
                  lanes[lane] += value * value;
                }
              }
              sum += ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                     ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
            },
            total);
        Kokkos::single(Kokkos::PerTeam(team), [&] { out[team.league_rank()] = total; });
      });
}

/// Completes the norm and decides on the update. loss: null or one number that must be finite too.
/// clip_norm: 0 for no clipping.
template <ExecutionSpace S>
void update_guard(S const& space, Vector<double, S> const& partial, float const* loss,
                  double clip_norm, long long step, Vector<StepGuard, S> const& guard) {
  int const parts = partial.extent_int(0);
  double const* const in = partial.data();
  StepGuard* const out = guard.data();
  Kokkos::parallel_for(
      "m2u::kernels::update_guard", team_policy(space, 1),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        double squares = 0.0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, parts), [&](int t, double& sum) { sum += in[t]; },
            squares);
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          // Squares of floats cannot overflow a double: the norm is finite if all gradients are.
          double const norm = Kokkos::sqrt(squares);
          bool const finite = Kokkos::isfinite(norm) &&
                              (loss == nullptr || Kokkos::isfinite(static_cast<double>(*loss)));
          out->norm = norm;
          out->scale = clip_norm > 0.0 ? Kokkos::min(1.0, clip_norm / (norm + 1e-6)) : 1.0;
          if (!finite && out->stopped_at < 0) {
            out->stopped_at = step;
          }
        });
      });
}

/// x *= the guard's scale.
template <ExecutionSpace S>
void scale_gradients(S const& space, Vector<StepGuard, S> const& guard, Vector<float, S> const& x) {
  StepGuard const* const state = guard.data();
  float* const out = x.data();
  Kokkos::parallel_for(
      "m2u::kernels::scale_gradients", Kokkos::RangePolicy<S>(space, 0, x.extent(0)),
      KOKKOS_LAMBDA(std::size_t i) { out[i] *= static_cast<float>(state->scale); });
}

/// One Adam step's numbers.
struct AdamStep {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float keep1 = 0.1F;    ///< 1 - beta1, rounded once
  float keep2 = 0.001F;  ///< 1 - beta2
  float epsilon = 1e-8F;
  double rate = 1.0;  ///< multiplies the group's learning rate: schedule / (1 - beta1^t)
  double schedule = 1.0;
  float root_correction = 1.0F;  ///< 1 / √(1 - beta2^t)
  bool decoupled = false;        ///< AdamW: decay the weight instead of adding to the gradient
};

namespace detail {

/// In kernels' branches for the host.
M2U_HOST_BRANCH
template <int count>
KOKKOS_INLINE_FUNCTION void host_square_roots(float (&x)[count]) {
  square_roots(x);
}

}  // namespace detail

/// One Adam step over the flat buffers. groups: per block of 64 parameters its entry in `rates`.
template <ExecutionSpace S>
void adam_update(S const& space, AdamStep const& step, Vector<StepGuard, S> const& guard,
                 Vector<int, S> const& groups, Vector<GroupRates, S> const& rates,
                 Vector<float, S> const& gradients, Vector<float, S> const& first,
                 Vector<float, S> const& second, Vector<float, S> const& values) {
  int const blocks = groups.extent_int(0);
  StepGuard const* const state = guard.data();
  int const* const group_of = groups.data();
  GroupRates const* const rate_of = rates.data();
  float const* const all_g = gradients.data();
  float* const all_m = first.data();
  float* const all_v = second.data();
  float* const all_w = values.data();
  Kokkos::parallel_for(
      "m2u::kernels::adam_update",
      team_policy(space, (blocks + blocks_per_team - 1) / blocks_per_team),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        if (state->stopped_at >= 0) {
          return;
        }
        float const scale = static_cast<float>(state->scale);
        int const begin = team.league_rank() * blocks_per_team;
        int const end = Kokkos::min(blocks, begin + blocks_per_team);
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, begin, end), [&](int block) {
          GroupRates const group = rate_of[group_of[block]];
          float const rate = static_cast<float>(group.learning_rate * step.rate);
          float const added = step.decoupled ? 0.0F : static_cast<float>(group.weight_decay);
          float const kept = step.decoupled
                                 ? static_cast<float>(1.0 - group.learning_rate * step.schedule *
                                                                group.weight_decay)
                                 : 1.0F;
          std::ptrdiff_t const at = static_cast<std::ptrdiff_t>(block) * parameter_block;
          float const* const g = all_g + at;
          float* const m = all_m + at;
          float* const v = all_v + at;
          float* const w = all_w + at;
          auto const moments = [&](int i) {
            float const gradient = scale * g[i] + added * w[i];
            m[i] = step.beta1 * m[i] + step.keep1 * gradient;
            v[i] = step.beta2 * v[i] + step.keep2 * gradient * gradient;
            return v[i];
          };
          auto const update = [&](int i, float root) {
            float const width = root * step.root_correction + step.epsilon;
            w[i] = kept * w[i] - rate * m[i] / width;
          };
          if constexpr (on_host<S>) {
            float roots[parameter_block];
            M2U_INDEPENDENT
            for (int i = 0; i < parameter_block; ++i) {
              roots[i] = moments(i);
            }
            detail::host_square_roots(roots);
            M2U_INDEPENDENT
            for (int i = 0; i < parameter_block; ++i) {
              update(i, roots[i]);
            }
          } else {
            Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, parameter_block),
                                 [&](int i) { update(i, Kokkos::sqrt(moments(i))); });
          }
        });
      });
}

/// One step of gradient descent with momentum: velocity = momentum · velocity + gradient.
template <ExecutionSpace S>
void sgd_update(S const& space, float momentum, double schedule, Vector<StepGuard, S> const& guard,
                Vector<int, S> const& groups, Vector<GroupRates, S> const& rates,
                Vector<float, S> const& gradients, Vector<float, S> const& velocity,
                Vector<float, S> const& values) {
  int const blocks = groups.extent_int(0);
  StepGuard const* const state = guard.data();
  int const* const group_of = groups.data();
  GroupRates const* const rate_of = rates.data();
  float const* const all_g = gradients.data();
  float* const all_u = velocity.data();
  float* const all_w = values.data();
  Kokkos::parallel_for(
      "m2u::kernels::sgd_update",
      team_policy(space, (blocks + blocks_per_team - 1) / blocks_per_team),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        if (state->stopped_at >= 0) {
          return;
        }
        float const scale = static_cast<float>(state->scale);
        int const begin = team.league_rank() * blocks_per_team;
        int const end = Kokkos::min(blocks, begin + blocks_per_team);
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, begin, end), [&](int block) {
          GroupRates const group = rate_of[group_of[block]];
          float const rate = static_cast<float>(group.learning_rate * schedule);
          float const decay = static_cast<float>(group.weight_decay);
          std::ptrdiff_t const at = static_cast<std::ptrdiff_t>(block) * parameter_block;
          float const* const g = all_g + at;
          float* const u = all_u + at;
          float* const w = all_w + at;
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, parameter_block), [&](int i) {
            u[i] = momentum * u[i] + scale * g[i] + decay * w[i];
            w[i] -= rate * u[i];
          });
        });
      });
}

/// sums(targets[k]) += *values[k], for k < count ≤ 8. One after the other: terms of one name have
/// one target.
template <ExecutionSpace S>
void accumulate_scalars(S const& space, Kokkos::Array<float const*, 8> values, int count,
                        Kokkos::Array<int, 8> targets, Vector<double, S> const& sums) {
  double* const out = sums.data();
  Kokkos::parallel_for(
      "m2u::kernels::accumulate_scalars", Kokkos::RangePolicy<S>(space, 0, 1), KOKKOS_LAMBDA(int) {
        for (int k = 0; k < count; ++k) {
          out[targets[k]] += static_cast<double>(*values[k]);
        }
      });
}

}  // namespace m2u::kernels
