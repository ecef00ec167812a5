// SPDX-License-Identifier: Apache-2.0
/// @file
/// A block of rows made ready for comparison.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/retrieve.hpp"

namespace m2u::detail {

/// Rows in double: products of floats are exact in it, so scores are right to the last bit of a
/// float.
template <ExecutionSpace S>
struct WideRows {
  Matrix<double, S> rows;
  std::vector<double> squares;  ///< squared lengths before normalisation
};

/// Rows first … first + count - 1 of x. @throws Error if one holds a number that is not finite.
template <ExecutionSpace S>
WideRows<S> wide_rows(S const& space, Matrix<float, S> const& x, int first, int count,
                      bool normalise, char const* what) {
  WideRows<S> result{make_matrix<double>(space, "m2u::retrieve::rows", count, x.extent_int(1)), {}};
  auto const squares =
      make_vector<double>(space, "m2u::retrieve::squares", static_cast<std::size_t>(count));
  kernels::widen_rows(space, x, first, normalise, result.rows, squares);
  result.squares = to_host(space, squares);
  for (int i = 0; i < count; ++i) {
    expects(std::isfinite(result.squares[static_cast<std::size_t>(i)]), what, " row ", first + i,
            " holds a number that is not finite");
  }
  return result;
}

}  // namespace m2u::detail
