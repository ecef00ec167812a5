// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: normalisation of each column over the rows of each group.
#pragma once

#include <cstddef>
#include <type_traits>

#include "m2u/core/matrix.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// With h = x - share · mean over the group: y = weight · h / √(mean of h² + eps) + bias. Stores
/// each group's mean and reciprocal root: [groups, cols] each.
template <ExecutionSpace S, class R>
void graph_norm(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups,
                Matrix<R, S> const& weight, Matrix<R, S> const& bias, Matrix<R, S> const& share,
                R eps, Matrix<R, S> const& y, Matrix<R, S> const& mean, Matrix<R, S> const& scale) {
  int const cols = x.extent_int(1);
  int const* const offsets = groups.offsets.data();
  R const* const all = x.data();
  R* const normalised = y.data();
  R* const means = mean.data();
  R* const roots = scale.data();
  R const* const w = weight.data();
  R const* const b = bias.data();
  R const* const s = share.data();
  Kokkos::parallel_for(
      "m2u::kernels::graph_norm", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const row = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        int const first = offsets[team.league_rank()];
        int const last = offsets[team.league_rank() + 1];
        R const part = R(1) / static_cast<R>(Kokkos::max(1, last - first));
        R* const m = means + row;
        R* const r = roots + row;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
          m[j] = R(0);
          r[j] = R(0);
        });
        for (int i = first; i < last; ++i) {
          R const* const in = all + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { m[j] += part * in[j]; });
        }
        for (int i = first; i < last; ++i) {
          R const* const in = all + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            R const h = in[j] - s[j] * m[j];
            r[j] += part * h * h;
          });
        }
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { r[j] = R(1) / Kokkos::sqrt(r[j] + eps); });
        for (int i = first; i < last; ++i) {
          R const* const in = all + static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = normalised + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { out[j] = (in[j] - s[j] * m[j]) * r[j] * w[j] + b[j]; });
        }
      });
}

/// Each group's part of the parameters' gradients: of weight Σ dy · ĥ, of bias Σ dy, of share
/// -mean · Σ dh, [groups, cols] each, with ĥ the normalised rows and dh the gradient of h.
template <ExecutionSpace S, class R>
void graph_norm_sums(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups,
                     Matrix<R, S> const& weight, Matrix<R, S> const& share,
                     Matrix<R, S> const& mean, Matrix<R, S> const& scale, Matrix<R, S> const& dy,
                     Matrix<R, S> const& dweight, Matrix<R, S> const& dbias,
                     Matrix<R, S> const& dshare) {
  constexpr int width = on_host<S> ? 32 : 1;  // columns that stay in registers
  int const cols = x.extent_int(1);
  int const* const offsets = groups.offsets.data();
  R const* const all = x.data();
  R const* const all_dy = dy.data();
  R const* const means = mean.data();
  R const* const roots = scale.data();
  R const* const w = weight.data();
  R const* const s = share.data();
  R* const to_weight = dweight.data();
  R* const to_bias = dbias.data();
  R* const to_share = dshare.data();
  Kokkos::parallel_for(
      "m2u::kernels::graph_norm_sums", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const row = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        int const first = offsets[team.league_rank()];
        int const last = offsets[team.league_rank() + 1];
        Kokkos::parallel_for(
            Kokkos::TeamVectorRange(team, (cols + width - 1) / width), [&](int piece) {
              int const begin = piece * width;
              int const count = Kokkos::min(width, cols - begin);
              R scaled[width] = {};
              R plain[width] = {};
              R shifted[width] = {};
              for (int c = 0; c < count; ++c) {
                shifted[c] = s[begin + c] * means[row + begin + c];
              }
              // The columns, or 0 where the compiler does not know them.
              auto const add_rows = [&]<int known>(std::integral_constant<int, known>) {
                int const columns = known > 0 ? known : count;
                for (int i = first; i < last; ++i) {
                  auto const at = static_cast<std::ptrdiff_t>(i) * cols + begin;
                  R const* const in = all + at;
                  R const* const gradient = all_dy + at;
                  for (int c = 0; c < columns; ++c) {
                    scaled[c] += gradient[c] * (in[c] - shifted[c]);
                    plain[c] += gradient[c];
                  }
                }
              };
              if (count == width) {  // an extent known to the compiler stays in registers
                add_rows(std::integral_constant<int, width>{});
              } else {
                add_rows(std::integral_constant<int, 0>{});
              }
              // Σ dh = r w (Σ dy - Σ ĥ · mean of dy ĥ), and the mean of ĥ is r (1 - share) mean.
              for (int c = 0; c < count; ++c) {
                std::ptrdiff_t const j = row + begin + c;
                R const m = means[j];
                R const r = roots[j];
                R const centre = r * (R(1) - s[begin + c]) * m;
                to_weight[j] = scaled[c] * r;
                to_bias[j] = plain[c];
                to_share[j] = -m * r * w[begin + c] * (plain[c] - centre * scaled[c] * r);
              }
            });
      });
}

/// dx = dh - share · mean of dh, with dh = scale · weight · (dy - ĥ · mean of dy ĥ), from the sums
/// above.
template <ExecutionSpace S, class R>
void graph_norm_backward(S const& space, Matrix<R, S> const& x, Ragged<S> const& groups,
                         Matrix<R, S> const& weight, Matrix<R, S> const& share,
                         Matrix<R, S> const& mean, Matrix<R, S> const& scale,
                         Matrix<R, S> const& dy, Matrix<R, S> const& dweight,
                         Matrix<R, S> const& dbias, Matrix<R, S> const& dx, bool accumulate) {
  int const cols = x.extent_int(1);
  int const* const offsets = groups.offsets.data();
  R const* const all = x.data();
  R const* const all_dy = dy.data();
  R* const to = dx.data();
  R const* const means = mean.data();
  R const* const roots = scale.data();
  R const* const w = weight.data();
  R const* const s = share.data();
  R const* const sum_scaled = dweight.data();
  R const* const sum_plain = dbias.data();
  Kokkos::parallel_for(
      "m2u::kernels::graph_norm_backward", team_policy(space, groups.groups),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const row = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        int const first = offsets[team.league_rank()];
        int const last = offsets[team.league_rank() + 1];
        R const part = R(1) / static_cast<R>(Kokkos::max(1, last - first));
        R const* const m = means + row;
        R const* const r = roots + row;
        R const* const scaled = sum_scaled + row;
        R const* const plain = sum_plain + row;
        for (int i = first; i < last; ++i) {
          R const* const in = all + static_cast<std::ptrdiff_t>(i) * cols;
          R const* const gradient = all_dy + static_cast<std::ptrdiff_t>(i) * cols;
          R* const out = to + static_cast<std::ptrdiff_t>(i) * cols;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols), [&](int j) {
            R const h = (in[j] - s[j] * m[j]) * r[j];
            R const centre = r[j] * (R(1) - s[j]) * m[j];
            R const mean_dh = part * (plain[j] - centre * scaled[j]);
            R const dh = gradient[j] - h * part * scaled[j];
            store(out[j], r[j] * w[j] * (dh - s[j] * mean_dh), accumulate);
          });
        }
      });
}

}  // namespace m2u::kernels
