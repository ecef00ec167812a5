// SPDX-License-Identifier: Apache-2.0
/// @file
/// Square roots of many numbers at once, on the host.
#pragma once

#include <cmath>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace m2u {

/// x = √x, rounded as std::sqrt does. That one may set errno, which keeps compilers from
/// vectorising a loop over it.
template <int count>
void square_roots(float (&x)[count]) {
  int i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= count; i += 16) {
    _mm512_storeu_ps(x + i, _mm512_sqrt_ps(_mm512_loadu_ps(x + i)));
  }
#elif defined(__AVX__)
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(x + i, _mm256_sqrt_ps(_mm256_loadu_ps(x + i)));
  }
#endif
  for (; i < count; ++i) {
    x[i] = std::sqrt(x[i]);
  }
}

}  // namespace m2u
