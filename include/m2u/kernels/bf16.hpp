// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: matrices rounded to BF16, for a BLAS that takes them but does not round itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include <Kokkos_Core.hpp>

#include "m2u/core/space.hpp"

namespace m2u::kernels {

/// The bits of the nearest BF16, of the even one where two are as near. What is no number stays so.
KOKKOS_INLINE_FUNCTION std::uint16_t bf16_bits(float value) {
  auto const bits = Kokkos::bit_cast<std::uint32_t>(value);
  bool const no_number = (bits & 0x7fffffffU) > 0x7f800000U;
  // Adding could carry such a value's bits into those of infinity: one bit is set instead.
  auto const rounded = no_number ? bits | 0x400000U : bits + 0x7fffU + ((bits >> 16U) & 1U);
  return static_cast<std::uint16_t>(rounded >> 16U);
}

/// Puts the rows of a matrix, `stride` apart, rounded one after another. Does not wait.
/// @param to rows · cols values
template <ExecutionSpace S>
void round_to_bf16(S const& space, float const* from, std::ptrdiff_t stride, int rows,
                   std::ptrdiff_t cols, std::uint16_t* to) {
  Kokkos::parallel_for(
      "m2u::kernels::round_to_bf16",
      Kokkos::RangePolicy<S, Kokkos::IndexType<std::ptrdiff_t>>(space, 0, rows * cols),
      KOKKOS_LAMBDA(std::ptrdiff_t i) { to[i] = bf16_bits(from[i / cols * stride + i % cols]); });
}

}  // namespace m2u::kernels
