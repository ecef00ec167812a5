// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where an axis has its ticks, and what stands beside them.
#pragma once

#include "m2u/core/error.hpp"
#include "m2u/report/markup.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace m2u {

/// Ticks in ascending order; the distance between them sets the decimals of the labels.
struct Ticks {
  std::vector<double> values;
  double step = 1;  ///< 0 for a logarithmic axis
};

/// Multiples of 1, 2 or 5 times a power of ten that cover low … high: the first is at most `low`,
/// the last at least `high`.
/// @param about how many ticks are wanted; the result has at most twice as many and two more.
/// @param minimum_step for example 1 where only whole numbers make sense.
/// @throws Error unless low < high, both finite.
inline Ticks nice_ticks(double low, double high, int about, double minimum_step = 0) {
  expects(low < high && std::isfinite(high - low) && about > 0, "no ticks from ", low, " to ",
          high);
  // Ticks closer than the numbers' own resolution would fall together.
  auto const resolution =
      4 * std::numeric_limits<double>::epsilon() * std::max(std::abs(low), std::abs(high));
  auto const wanted = std::max({(high - low) / about, minimum_step, resolution});
  auto const power = std::pow(10.0, std::floor(std::log10(wanted)));
  double step = 10 * power;
  for (double const factor : {5.0, 2.0, 1.0}) {
    step = factor * power >= wanted * (1 - 1e-9) ? factor * power : step;
  }
  auto const first = std::floor(low / step + 1e-9);
  auto const count = std::ceil(high / step - 1e-9) - first;
  Ticks ticks{{}, step};
  for (int i = 0; i <= static_cast<int>(count); ++i) {
    ticks.values.push_back((first + i) * step);
  }
  return ticks;
}

/// Ticks for a logarithmic axis that cover low … high: 1, 2 and 5 times powers of ten over less
/// than two decades, else powers of ten, at most about eight.
/// @throws Error unless 0 < low < high, both finite.
inline Ticks log_ticks(double low, double high) {
  expects(0 < low && low < high && std::isfinite(high), "no logarithmic ticks from ", low, " to ",
          high);
  auto const first = static_cast<int>(std::floor(std::log10(low)));
  auto const last = static_cast<int>(std::ceil(std::log10(high)));
  std::vector<double> all;
  int const stride = std::max(1, (last - first + 7) / 8);
  for (int decade = first; decade < last + stride; decade += stride) {
    all.push_back(std::pow(10.0, decade));
    if (std::log10(high / low) < 2) {
      all.push_back(2 * all.back());
      all.push_back(2.5 * all.back());
    }
  }
  auto const begin = std::upper_bound(all.begin(), all.end(), low * (1 + 1e-9)) - 1;
  auto const end = std::lower_bound(all.begin(), all.end(), high * (1 - 1e-9)) + 1;
  return {{begin, end}, 0};
}

/// What stands at a tick: no more decimals than the step needs, scientific if very large or small.
/// @param step of Ticks
inline std::string tick_label(double value, double step) {
  auto const scale = step > 0 ? step : std::abs(value);
  if (std::abs(value) >= 1e7 || (scale > 0 && scale < 1e-6)) {
    return significant_text(std::abs(value) < scale / 2 ? 0.0 : value, 4);
  }
  auto const decimals = scale > 0 ? -std::floor(std::log10(scale) + 1e-9) : 0.0;
  return number_text(value, std::max(0, static_cast<int>(decimals)));
}

}  // namespace m2u
