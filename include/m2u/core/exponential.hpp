// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: an exponential and a logarithm that compilers vectorise.
#pragma once

#include <cstdint>

#include <Kokkos_Core.hpp>

namespace m2u {

/// e^x for x ≤ 88, and e^-87 = 1.6e-38 for all x below -87; relative error below 2e-7. Without
/// branches and calls, so that host loops over it vectorise.
KOKKOS_FORCEINLINE_FUNCTION float exponential(float x) {
  float const bounded = x < -87.0F ? -87.0F : x;
  // x = n·ln 2 + r with |r| ≤ ln 2 / 2. Adding 1.5·2^23 rounds to an integer, which then also
  // stands in the low bits; ln 2 is split so that n times its first part is exact.
  float const shifted = bounded * 1.44269504F + 12582912.0F;
  float const n = shifted - 12582912.0F;
  float const r = (bounded - n * 0.693359375F) + n * 2.12194440e-4F;
  // Taylor's series: its first term left out, r^8 / 8!, is below 6e-9.
  float series = 1.0F / 5040.0F;
  series = series * r + 1.0F / 720.0F;
  series = series * r + 1.0F / 120.0F;
  series = series * r + 1.0F / 24.0F;
  series = series * r + 1.0F / 6.0F;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  auto const power =
      Kokkos::bit_cast<float>((Kokkos::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
  return series * power;
}

KOKKOS_FORCEINLINE_FUNCTION double exponential(double x) { return Kokkos::exp(x); }

/// ln(1 + z) for 0 ≤ z ≤ 1, relative error below 2e-7, without branches and calls.
KOKKOS_FORCEINLINE_FUNCTION float log1p_unit(float z) {
  // 2·artanh(s) with s = z / (2 + z) ≤ 1/3; the first term left out is below 3e-8 of the sum.
  float const s = z / (2.0F + z);
  float const t = s * s;
  float series = 1.0F / 13.0F;
  series = series * t + 1.0F / 11.0F;
  series = series * t + 1.0F / 9.0F;
  series = series * t + 1.0F / 7.0F;
  series = series * t + 1.0F / 5.0F;
  series = series * t + 1.0F / 3.0F;
  series = series * t + 1.0F;
  return 2.0F * s * series;
}

KOKKOS_FORCEINLINE_FUNCTION double log1p_unit(double z) { return Kokkos::log1p(z); }

}  // namespace m2u
