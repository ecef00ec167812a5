// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sixteen Philox blocks at once, for host loops that draw many numbers.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace m2u {

inline constexpr int random_lanes = 16;

namespace detail {

typedef std::uint32_t LaneWords __attribute__((vector_size(4 * random_lanes)));
typedef std::uint64_t LanePairs __attribute__((vector_size(4 * random_lanes)));

/// product = the low words of 64-bit lanes times a factor. Vectors go by reference: by value their
/// calling convention would depend on the target's flags.
inline void times_low(LanePairs const& a, LanePairs const& factor, LanePairs& product) {
#if defined(__AVX512F__)
  // GCC takes the three times slower product of whole lanes for the expression below.
  product = (LanePairs)_mm512_mul_epu32((__m512i)a, (__m512i)factor);
#else
  product = (a & 0xFFFFFFFFULL) * factor;
#endif
}

/// High and low words of the lanes' products with a factor.
inline void multiply_lanes(LaneWords const& a, std::uint32_t factor, LaneWords& high,
                           LaneWords& low) {
  LanePairs const by = LanePairs{} + factor;
  LanePairs even;
  LanePairs odd;
  times_low((LanePairs)a, by, even);
  times_low((LanePairs)a >> 32U, by, odd);
  high = (LaneWords)((even >> 32U) | (odd & 0xFFFFFFFF00000000ULL));
  low = (LaneWords)((even & 0xFFFFFFFFULL) | (odd << 32U));
}

}  // namespace detail

/// The words of the lanes' blocks: word w of lane l is words[w][l] of
/// Philox::block<rounds>(key, stream, first + l · step); step < 2^28.
template <int rounds = 10>
struct PhiloxLanes {
  detail::LaneWords words[4];

  PhiloxLanes(std::uint64_t key, std::uint64_t stream, std::uint64_t first, std::uint64_t step) {
    using detail::LaneWords;
    // By vectors: lane by lane they would go through memory.
    LaneWords const lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    auto const low = static_cast<std::uint32_t>(first);
    LaneWords c0 = lane * static_cast<std::uint32_t>(step) + low;
    LaneWords const carry = (LaneWords)(c0 < low);  // all ones where the low word ran over
    LaneWords c1 = LaneWords{} + static_cast<std::uint32_t>(first >> 32U) - carry;
    LaneWords c2 = LaneWords{} + static_cast<std::uint32_t>(stream);
    LaneWords c3 = LaneWords{} + static_cast<std::uint32_t>(stream >> 32U);
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32U);
    for (int round = 0; round < rounds; ++round) {
      LaneWords high0;
      LaneWords low0;
      LaneWords high2;
      LaneWords low2;
      detail::multiply_lanes(c0, 0xD2511F53U, high0, low0);
      detail::multiply_lanes(c2, 0xCD9E8D57U, high2, low2);
      c0 = high2 ^ c1 ^ k0;
      c1 = low2;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
  }

  /// Half h = 0 … 7 (16 bits) of each lane's block as `below` where it is under the threshold, else
  /// as `other`.
  template <class R>
  void choose(int h, std::uint32_t threshold, float below, float other,
              R (&to)[random_lanes]) const {
    auto const word = words[h / 2];
    auto const bits = h % 2 == 0 ? word & 0xFFFFU : word >> 16U;
    auto const under = (detail::LaneWords)(bits < threshold);
    std::uint32_t first;
    std::uint32_t second;
    std::memcpy(&first, &below, sizeof(first));
    std::memcpy(&second, &other, sizeof(second));
    auto const chosen = (under & first) | (~under & second);
    if constexpr (std::is_same_v<R, float>) {
      std::memcpy(to, &chosen, sizeof(chosen));
    } else {
      float narrow[random_lanes];
      std::memcpy(narrow, &chosen, sizeof(chosen));
      for (int l = 0; l < random_lanes; ++l) {
        to[l] = narrow[l];
      }
    }
  }
};

}  // namespace m2u
