// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tensors stacked on each other.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace m2u {

namespace detail {

/// Rows `first` … `first + count - 1` of a matrix, without a copy.
template <ExecutionSpace S, class R>
Matrix<R, S> row_range(Matrix<R, S> const& x, int first, int count) {
  return Matrix<R, S>(x.data() + static_cast<std::ptrdiff_t>(first) * x.extent_int(1), count,
                      x.extent_int(1));
}

}  // namespace detail

/// y = the rows of the first tensor, then those of the second, and so on.
/// @param parts at least one, each [rows of its own, cols]; std::vector and std::array convert
/// @return [sum of the rows, cols]  @throws Error if there is none or the numbers of columns
/// differ.
template <ExecutionSpace S, class R>
Tensor<S, R> concat_rows(Tape<S, R>& tape,
                         std::type_identity_t<std::span<Tensor<S, R> const>> parts) {
  expects(!parts.empty(), "concat_rows: nothing to stack; give at least one tensor");
  std::int64_t rows = 0;
  auto const* source = &parts[0];  // decides whether the result has a gradient
  for (auto const& part : parts) {
    expects(part.cols() == parts[0].cols(), "concat_rows: ", shape(parts[0]), " and ", shape(part),
            " have different numbers of columns; they must be equal");
    rows += part.rows();
    source = part.differentiable() ? &part : source;
  }
  expects(rows <= std::numeric_limits<int>::max(), "concat_rows: more than 2^31 - 1 rows in total");
  auto const y = tape.result(static_cast<int>(rows), parts[0].cols(), *source);
  int first = 0;
  for (auto const& part : parts) {
    auto const target = detail::row_range<S, R>(y.value, first, part.rows());
    kernels::scale(tape.space(), part.value, R(1), target, false);
    // One record per part, so that no closure has to hold a list.
    if (part.differentiable()) {
      tape.record("concat_rows", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
        auto const [dx, accumulate] = back.gradient(part);
        auto const dpart = detail::row_range<S, R>(dy, first, part.rows());
        kernels::scale(back.space(), dpart, R(1), dx, accumulate);
      });
    }
    first += part.rows();
  }
  return y;
}

}  // namespace m2u
