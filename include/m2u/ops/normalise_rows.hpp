// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rows of Euclidean length one, for cosine similarities.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/normalise_rows.hpp"

#include <type_traits>

namespace m2u {

/// y(i) = x(i) / max(|x(i)|, eps), as torch.nn.functional.normalize. Rows shorter than eps are
/// divided by eps, and so is their gradient: a row of zeros stays zero.
/// @param x [rows, cols]
/// @throws Error unless eps is positive.
template <ExecutionSpace S, class R>
Tensor<S, R> l2_normalise_rows(Tape<S, R>& tape, Tensor<S, R> const& x,
                               std::type_identity_t<R> eps = R(1e-12)) {
  expects(eps > R(0), "l2_normalise_rows: eps is ", eps, "; it must be positive");
  auto const y = tape.result(x.rows(), x.cols(), x);
  auto const length = tape.vector(x.rows());
  kernels::l2_normalise_rows(tape.space(), x.value, eps, y.value, length);
  tape.record("l2_normalise_rows", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(x);
    kernels::l2_normalise_rows_backward(back.space(), dy, y.value, length, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
