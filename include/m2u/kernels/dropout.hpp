// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: inverted dropout, whose mask is a function of the stream and the element's index.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/core/random.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u::kernels {

/// y(i) = x(i) / (1 - p) where number i of the stream is at least p, else 0. The gradient is the
/// same map of dy. One Philox block serves four elements.
template <ExecutionSpace S, class R>
void dropout(S const& space, Matrix<R, S> const& x, RandomStream stream, float p,
             Matrix<R, S> const& y, bool accumulate) {
  std::size_t const size = x.size();
  R const kept = R(1) / (R(1) - static_cast<R>(p));
  R const* const in = x.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::dropout", Kokkos::RangePolicy<S>(space, 0, (size + 3) / 4),
      KOKKOS_LAMBDA(std::size_t block) {
        auto const random = Philox::block(stream.key, stream.stream, block);
        std::size_t const first = 4 * block;
        int const count = static_cast<int>(Kokkos::min(std::size_t(4), size - first));
        for (int k = 0; k < count; ++k) {
          std::size_t const i = first + static_cast<std::size_t>(k);
          store(out[i], random.uniform(k) < p ? R(0) : kept * in[i], accumulate);
        }
      });
}

}  // namespace m2u::kernels
