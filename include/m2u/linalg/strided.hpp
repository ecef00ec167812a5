// SPDX-License-Identifier: Apache-2.0
/// @file
/// What every gemm back end takes: row-major matrices with a leading dimension, and options.
#pragma once

#include <cstddef>

#include <Kokkos_Core.hpp>

namespace m2u {

/// A row-major matrix whose rows lie `stride` elements apart: a matrix, or a block of columns of
/// one.
template <class R>
struct Strided {
  R* data = nullptr;
  int rows = 0;
  int cols = 0;
  std::ptrdiff_t stride = 0;
};

/// A whole matrix.
template <class View>
Strided<typename View::value_type> strided(View const& view) {
  static_assert(View::rank() == 2);
  return {view.data(), view.extent_int(0), view.extent_int(1),
          static_cast<std::ptrdiff_t>(view.extent(1))};
}

/// Columns `first` … `first + count - 1` of a matrix.
template <class View>
Strided<typename View::value_type> strided_columns(View const& view, int first, int count) {
  static_assert(View::rank() == 2);
  return {view.data() + first, view.extent_int(0), count,
          static_cast<std::ptrdiff_t>(view.extent(1))};
}

/// The leading dimension as a BLAS takes it.
template <class R>
int leading(Strided<R> const& matrix) {
  return matrix.stride > 0 ? static_cast<int>(matrix.stride) : 1;
}

/// Options of gemm: c = scale · op(a) · op(b) (+ c).
struct GemmOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;  ///< add to c instead of overwriting it
  double scale = 1.0;
  bool full = false;  ///< factors are not rounded, whatever set_product_precision says
};

}  // namespace m2u
