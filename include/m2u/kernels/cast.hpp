// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: between scalar types.
#pragma once

#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

template <ExecutionSpace S, class From, class To>
void cast(S const& space, Matrix<From, S> const& x, Matrix<To, S> const& y) {
  From const* const in = x.data();
  To* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::cast", Kokkos::RangePolicy<S>(space, 0, x.size()),
      KOKKOS_LAMBDA(std::size_t i) { out[i] = static_cast<To>(in[i]); });
}

}  // namespace m2u::kernels
