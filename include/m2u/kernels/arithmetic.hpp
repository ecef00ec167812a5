// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: fill, copy, sum and product of whole matrices and of blocks of columns.
#pragma once

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/elementwise.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::kernels {

/// y = value.
template <ExecutionSpace S, class R>
void fill(S const& space, Matrix<R, S> const& y, R value) {
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::fill", Kokkos::RangePolicy<S>(space, 0, y.size()),
      KOKKOS_LAMBDA(std::size_t i) { out[i] = value; });
}

/// y = factor · x, or y += … with `accumulate`.
template <ExecutionSpace S, class R>
void scale(S const& space, Matrix<R, S> const& x, R factor, Matrix<R, S> const& y,
           bool accumulate) {
  R const* const in = x.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::scale", Kokkos::RangePolicy<S>(space, 0, x.size()),
      KOKKOS_LAMBDA(std::size_t i) { store(out[i], factor * in[i], accumulate); });
}

/// y = a + b, elementwise.
template <ExecutionSpace S, class R>
void add(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, Matrix<R, S> const& y) {
  R const* const left = a.data();
  R const* const right = b.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::add", Kokkos::RangePolicy<S>(space, 0, y.size()),
      KOKKOS_LAMBDA(std::size_t i) { out[i] = left[i] + right[i]; });
}

/// y = a · b, elementwise, or y += … with `accumulate`.
template <ExecutionSpace S, class R>
void multiply(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, Matrix<R, S> const& y,
              bool accumulate) {
  R const* const left = a.data();
  R const* const right = b.data();
  R* const out = y.data();
  Kokkos::parallel_for(
      "m2u::kernels::multiply", Kokkos::RangePolicy<S>(space, 0, y.size()),
      KOKKOS_LAMBDA(std::size_t i) { store(out[i], left[i] * right[i], accumulate); });
}

/// to = from, or to += from with `accumulate`. The shapes must agree; the row strides may differ.
template <ExecutionSpace S, class R>
void copy_block(S const& space, Strided<R> from, Strided<R> to, bool accumulate) {
  int const cols = to.cols;
  int const rows = to.rows;
  Kokkos::parallel_for(
      "m2u::kernels::copy_block", rows_policy(space, rows),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        for_team_rows(team, rows, [&](int i) {
          R const* const in = from.data + i * from.stride;
          R* const out = to.data + i * to.stride;
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                               [&](int j) { store(out[j], in[j], accumulate); });
        });
      });
}

}  // namespace m2u::kernels
