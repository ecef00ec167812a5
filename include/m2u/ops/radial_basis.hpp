// SPDX-License-Identifier: Apache-2.0
/// @file
/// Distances as smooth features, and filters that fade at the cutoff.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/radial.hpp"

namespace m2u {

/// Gaussians with centres spread evenly over 0 … cutoff and the spacing as width.
/// @param distances [edges] in Å  @return [edges, gaussians], no gradient: geometry is an input
template <ExecutionSpace S, class R>
Matrix<R, S> radial_basis(Tape<S, R>& tape, Vector<float, S> const& distances, int gaussians,
                          R cutoff) {
  expects(gaussians >= 2, "radial_basis: needs at least 2 Gaussians, but got ", gaussians);
  expects(cutoff > R(0), "radial_basis: the cutoff must be positive, but is ", cutoff);
  auto const basis = tape.matrix(distances.extent_int(0), gaussians);
  kernels::radial_basis(tape.space(), distances, cutoff, basis);
  return basis;
}

/// Scales each edge's row by the cosine cutoff ½(cos(π d / cutoff) + 1), 0 beyond it.
/// @param filters [edges, columns]  @param distances [edges] in Å
template <ExecutionSpace S, class R>
Tensor<S, R> fade(Tape<S, R>& tape, Tensor<S, R> const& filters, Vector<float, S> const& distances,
                  R cutoff) {
  expects(filters.rows() == distances.extent_int(0), "fade: ", filters.rows(),
          " rows of filters, but ", distances.extent_int(0), " distances");
  auto const y = tape.result(filters.rows(), filters.cols(), filters);
  kernels::fade(tape.space(), filters.value, distances, cutoff, y.value, false);
  tape.record("fade", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dx, accumulate] = back.gradient(filters);
    kernels::fade(back.space(), dy, distances, cutoff, dx, accumulate);
  });
  return y;
}

}  // namespace m2u
