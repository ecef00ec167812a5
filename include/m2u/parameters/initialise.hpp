// SPDX-License-Identifier: Apache-2.0
/// @file
/// Starting values. Drawn on the host and copied, so every execution space starts with the same
/// bits.
#pragma once

#include <cmath>
#include <numbers>
#include <span>

#include "m2u/core/random.hpp"
#include "m2u/parameters/layout.hpp"

namespace m2u {

inline Initialiser Initialiser::xavier_uniform(int fan_in, int fan_out) {
  return uniform(std::sqrt(6.0F / static_cast<float>(fan_in + fan_out)));
}

inline Initialiser Initialiser::linear_default(int fan_in) {
  return uniform(1.0F / std::sqrt(static_cast<float>(fan_in)));
}

namespace detail {

/// Value i of the entry's draw.
inline double draw(LayoutEntry const& entry, RandomStream const& random, std::size_t i,
                   double scale) {
  switch (entry.initialiser.kind) {
    case Initialiser::Kind::uniform:
    case Initialiser::Kind::xavier_tables:
      return scale * (2.0 * static_cast<double>(random.uniform(i)) - 1.0);
    case Initialiser::Kind::normal: {
      // Box-Muller on two numbers of its own, so that value i does not depend on the others.
      double const u = 1.0 - static_cast<double>(random.uniform(2 * i));
      double const v = static_cast<double>(random.uniform(2 * i + 1));
      return scale * std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
    }
    case Initialiser::Kind::constant:
      break;
  }
  return scale;
}

}  // namespace detail

/// Fills `values` as the entry says. The draw depends on the seed and the entry's name only.
template <class R>
void initialise(LayoutEntry const& entry, Seed seed, std::span<R> values) {
  RandomStream const random{seed.value, stream_of(entry.name)};
  auto const& initialiser = entry.initialiser;
  auto const cols = static_cast<std::size_t>(entry.slice.cols);
  std::size_t table = 0;
  std::size_t table_end = 0;
  auto scale = static_cast<double>(initialiser.scale);
  for (std::size_t i = 0; i < values.size(); ++i) {
    while (initialiser.kind == Initialiser::Kind::xavier_tables && i >= table_end) {
      int const rows = initialiser.table_rows.at(table++);
      scale = std::sqrt(6.0 / static_cast<double>(rows + entry.slice.cols));
      table_end += static_cast<std::size_t>(rows) * cols;
    }
    // Through float, so that float and double parameters start alike.
    values[i] = static_cast<R>(static_cast<float>(detail::draw(entry, random, i, scale)));
  }
}

}  // namespace m2u
