// SPDX-License-Identifier: Apache-2.0
/// @file
/// Scores as colours: blue below zero, white at zero, orange above.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace m2u {

/// Red, green and blue, each in 0 … 1.
using Rgb = std::array<double, 3>;

/// The colour of a score in [-1, 1]; scores outside get that of the nearer end, NaN white. Blue and
/// orange differ for every common kind of colour blindness, and their lightness falls alike from
/// white, so that grey copies still show magnitudes. Black text is readable on all of them: the
/// darkest has a contrast above 7 : 1.
inline Rgb heat_colour(double score) {
  constexpr Rgb below{0.36, 0.66, 0.92};
  constexpr Rgb above{0.96, 0.62, 0.20};
  double const t = std::isfinite(score) ? std::clamp(score, -1.0, 1.0) : 0.0;
  Rgb const& end = t < 0.0 ? below : above;
  double const share = std::abs(t);
  return {1.0 + share * (end[0] - 1.0), 1.0 + share * (end[1] - 1.0), 1.0 + share * (end[2] - 1.0)};
}

/// "#rrggbb".
inline std::string css_colour(Rgb const& colour) {
  constexpr char const* digits = "0123456789abcdef";
  std::string result = "#";
  for (double const part : colour) {
    auto const value = static_cast<unsigned>(std::lround(std::clamp(part, 0.0, 1.0) * 255.0));
    result += digits[value / 16];
    result += digits[value % 16];
  }
  return result;
}

}  // namespace m2u
