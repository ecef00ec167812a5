// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm as a plain Kokkos kernel: the oracle of the tests, and the back end of spaces without a
/// BLAS.
#pragma once

#include <Kokkos_Core.hpp>

#include "m2u/core/space.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

template <ExecutionSpace S, class R>
void kokkos_gemm(S const& space, Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options) {
  int const inner = options.transpose_a ? a.rows : a.cols;
  std::ptrdiff_t const a_row = options.transpose_a ? 1 : a.stride;
  std::ptrdiff_t const a_inner = options.transpose_a ? a.stride : 1;
  std::ptrdiff_t const b_inner = options.transpose_b ? 1 : b.stride;
  std::ptrdiff_t const b_col = options.transpose_b ? b.stride : 1;
  auto const scale = static_cast<R>(options.scale);
  bool const accumulate = options.accumulate;
  Kokkos::parallel_for(
      "m2u::linalg::kokkos_gemm",
      Kokkos::MDRangePolicy<S, Kokkos::Rank<2>>(space, {0, 0}, {c.rows, c.cols}),
      KOKKOS_LAMBDA(int i, int j) {
        R sum = 0;
        for (int k = 0; k < inner; ++k) {
          sum += a.data[i * a_row + k * a_inner] * b.data[k * b_inner + j * b_col];
        }
        R& target = c.data[i * c.stride + j];
        target = accumulate ? target + scale * sum : scale * sum;
      });
}

}  // namespace m2u::backend
