// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: inverted dropout. The mask is a function of the stream and the element's index, so
/// it is drawn again on the way back instead of being stored.
#pragma once

#include <cmath>

#include "m2u/core/config.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/core/random.hpp"
#include "m2u/core/random_lanes.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/kernels/row_blocks.hpp"

namespace m2u::kernels {

/// Which elements are dropped. An element takes 16 random bits; a Philox block has eight times as
/// many. Elements come in groups of 128, made of 16 blocks: element h · 16 + b of a group takes the
/// bits h of block b, so that neighbours' bits come out of the same steps of neighbouring blocks,
/// which vectorise.
struct DropoutMask {
  static constexpr int blocks = 16;
  static constexpr int group = 8 * blocks;
  /// Of Philox: the fewest that pass all of TestU01's BigCrush (Salmon et al. 2011). What is
  /// dropped needs no margin beyond that, and these numbers are many.
  static constexpr int rounds = 7;

  RandomStream stream;
  std::uint32_t threshold = 0;  ///< dropped where the bits are below it; 0: nothing is
  float kept = 1.0F;            ///< factor of what is left: one over its probability

  DropoutMask() = default;
  /// @param probability in [0, 1), taken to a multiple of 2^-16
  DropoutMask(RandomStream of, float probability)
      : stream(of),
        threshold(
            Kokkos::min(65535U, static_cast<std::uint32_t>(std::lround(probability * 65536.0F)))),
        kept(65536.0F / static_cast<float>(65536U - threshold)) {}

  KOKKOS_INLINE_FUNCTION bool drops() const { return threshold > 0; }

  KOKKOS_INLINE_FUNCTION float factor(std::uint32_t bits) const {
    return bits < threshold ? 0.0F : kept;
  }

  /// The factors of a group's elements, on the host.
  template <class R>
  void group_factors(std::size_t index, R (&to)[8][blocks]) const {
    static_assert(blocks == random_lanes);
    PhiloxLanes<rounds> const random(stream.key, stream.stream, index * blocks, 1);
    for (int h = 0; h < 8; ++h) {
      random.choose(h, threshold, 0.0F, kept, to[h]);
    }
  }

  /// The factors of elements 16 h + b of a group, h = 0 … 7.
  template <class R>
  KOKKOS_INLINE_FUNCTION void lane_factors(std::size_t index, int b, R (&to)[8]) const {
    auto const random = Philox::block<rounds>(stream.key, stream.stream,
                                              index * blocks + static_cast<std::uint64_t>(b));
    for (int w = 0; w < 4; ++w) {
      to[2 * w] = static_cast<R>(factor(random.words[w] & 0xFFFFU));
      to[2 * w + 1] = static_cast<R>(factor(random.words[w] >> 16U));
    }
  }
};

/// Calls f(i, factor) for the elements first ≤ i < last of a mask, by one team.
M2U_HOST_BRANCH
template <class R, class Team, class F>
KOKKOS_INLINE_FUNCTION void for_dropout([[maybe_unused]] Team const& team, DropoutMask const& mask,
                                        std::ptrdiff_t first, std::ptrdiff_t last, F const& f) {
  constexpr int size = DropoutMask::group;
  std::ptrdiff_t const from = first / size;
  int const groups = static_cast<int>((last + size - 1) / size - from);
  if constexpr (on_host<typename Team::execution_space>) {
    for (int g = 0; g < groups; ++g) {
      R factors[8][DropoutMask::blocks];
      mask.group_factors(static_cast<std::size_t>(from + g), factors);
      R const* const factor = factors[0];
      std::ptrdiff_t const start = (from + g) * size;
      auto const begin = static_cast<int>(Kokkos::max(first - start, std::ptrdiff_t(0)));
      auto const end = static_cast<int>(Kokkos::min(last - start, std::ptrdiff_t(size)));
      for (int k = begin; k < end; ++k) {
        f(start + k, factor[k]);
      }
    }
  } else {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, groups * DropoutMask::blocks),
                         [&](int item) {
                           std::ptrdiff_t const start = (from + item / DropoutMask::blocks) * size;
                           int const b = item % DropoutMask::blocks;
                           R factor[8];
                           mask.lane_factors(static_cast<std::size_t>(start / size), b, factor);
                           for (int h = 0; h < 8; ++h) {
                             std::ptrdiff_t const i = start + h * DropoutMask::blocks + b;
                             if (i >= first && i < last) {
                               f(i, factor[h]);
                             }
                           }
                         });
  }
}

/// y = x with the mask's elements dropped and the others scaled. The gradient is the same map of
/// dy.
template <ExecutionSpace S, class R>
void dropout(S const& space, Matrix<R, S> const& x, DropoutMask const& mask, Matrix<R, S> const& y,
             bool accumulate) {
  int const cols = x.extent_int(1);
  int const rows = x.extent_int(0);
  R const* const in = x.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::dropout", team_policy(space, row_blocks(rows)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const first = std::ptrdiff_t(team.league_rank()) * rows_per_block;
        std::ptrdiff_t const last = Kokkos::min(first + rows_per_block, std::ptrdiff_t(rows));
        for_dropout<R>(team, mask, first * cols, last * cols, [&](std::ptrdiff_t i, R factor) {
          store(out[i], factor * in[i], accumulate);
        });
      });
}

}  // namespace m2u::kernels
