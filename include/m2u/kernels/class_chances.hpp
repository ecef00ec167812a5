// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: chances of classes from logits.
#pragma once

#include "m2u/core/activation.hpp"
#include "m2u/kernels/cross_entropy.hpp"

namespace m2u::kernels {

/// chances = softmax of the rows of x. With one column x is the logit of the second of two classes.
/// @param log_sums [rows], workspace  @param chances [rows, classes]
template <ExecutionSpace S, class R>
void class_chances(S const& space, Matrix<R, S> const& x, Vector<R, S> const& log_sums,
                   Matrix<R, S> const& chances) {
  bool const binary = x.extent_int(1) == 1;
  int const cols = chances.extent_int(1);
  if (!binary) {
    log_sum_exp_rows(space, x, false, log_sums);
  }
  Kokkos::parallel_for(
      "m2u::kernels::class_chances", Kokkos::RangePolicy<S>(space, 0, x.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        for (int j = 0; j < cols; ++j) {
          chances(i, j) =
              binary ? sigmoid(j == 0 ? -x(i, 0) : x(i, 0)) : Kokkos::exp(x(i, j) - log_sums(i));
        }
      });
}

}  // namespace m2u::kernels
