// SPDX-License-Identifier: Apache-2.0
/// @file
/// Counter-based random numbers: Philox4x32 (Salmon et al., SC 2011), of ten rounds by default. A
/// number is a function of (seed, stream, index) alone, so every execution space and every thread
/// count draws the same.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include <Kokkos_Core.hpp>

namespace m2u {

/// The seed of an experiment.
struct Seed {
  std::uint64_t value = 0;
};

/// Four random words: block `counter` of stream `stream` under `key`.
struct Philox {
  std::uint32_t words[4];

  template <int rounds = 10>
  KOKKOS_INLINE_FUNCTION static Philox block(std::uint64_t key, std::uint64_t stream,
                                             std::uint64_t counter) {
    std::uint32_t c0 = static_cast<std::uint32_t>(counter);
    std::uint32_t c1 = static_cast<std::uint32_t>(counter >> 32);
    std::uint32_t c2 = static_cast<std::uint32_t>(stream);
    std::uint32_t c3 = static_cast<std::uint32_t>(stream >> 32);
    std::uint32_t k0 = static_cast<std::uint32_t>(key);
    std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < rounds; ++round) {
      std::uint64_t const p0 = static_cast<std::uint64_t>(0xD2511F53U) * c0;
      std::uint64_t const p1 = static_cast<std::uint64_t>(0xCD9E8D57U) * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<std::uint32_t>(p1);
      c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<std::uint32_t>(p0);
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    return {{c0, c1, c2, c3}};
  }

  /// Word i as a number in [0, 1), a multiple of 2^-24: exact in float.
  KOKKOS_INLINE_FUNCTION float uniform(int i) const {
    return static_cast<float>(words[i] >> 8) * 0x1p-24F;
  }
};

/// One independent sequence of random numbers.
struct RandomStream {
  std::uint64_t key = 0;
  std::uint64_t stream = 0;

  /// Number `index` of the sequence, in [0, 1).
  KOKKOS_INLINE_FUNCTION float uniform(std::uint64_t index) const {
    return Philox::block(key, stream, index / 4).uniform(static_cast<int>(index % 4));
  }
};

/// A stream's number from a name (FNV-1a), so that adding a parameter leaves the others' values
/// alone.
constexpr std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char const c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

/// A permutation of 0 … size - 1 (Fisher-Yates), the same on every machine for the same arguments.
inline std::vector<int> random_permutation(int size, Seed seed, std::uint64_t stream) {
  std::vector<int> order(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    order[static_cast<std::size_t>(i)] = i;
  }
  for (int i = size - 1; i > 0; --i) {
    auto const random = Philox::block(seed.value, stream, static_cast<std::uint64_t>(i));
    std::uint64_t const word =
        (static_cast<std::uint64_t>(random.words[0]) << 32) | random.words[1];
    auto const j = static_cast<std::size_t>(word % (static_cast<std::uint64_t>(i) + 1));
    std::swap(order[static_cast<std::size_t>(i)], order[j]);
  }
  return order;
}

}  // namespace m2u
