// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sum over rows: of a bias's gradient, of statistics. Not recorded: a helper of other ops.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/columns.hpp"

namespace m2u::ops {

/// sum(0, j) = Σ_i x(i, j), or += with `accumulate`. x: [rows, cols], sum: [1, cols].
template <ExecutionSpace S, class R>
void column_sum(Tape<S, R>& tape, Matrix<R, S> const& x, Matrix<R, S> const& sum, bool accumulate) {
  auto const partial = tape.matrix(row_blocks(x.extent_int(0)), x.extent_int(1));
  kernels::column_sum_blocks(tape.space(), x, partial);
  kernels::combine_blocks(tape.space(), partial, sum, accumulate);
}

}  // namespace m2u::ops
