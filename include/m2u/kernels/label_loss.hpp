// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: losses of predictions with labels of which some are missing.
#pragma once

#include "m2u/core/activation.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/elementwise.hpp"

namespace m2u {

/// How a prediction is compared with its label.
enum class LabelLoss {
  binary_cross_entropy,  ///< of a logit with 0 or 1
  squared_error
};

}  // namespace m2u

namespace m2u::kernels {

/// One label's loss.
template <class R>
KOKKOS_INLINE_FUNCTION R loss_of_label(LabelLoss kind, R x, R label) {
  if (kind == LabelLoss::squared_error) {
    return (x - label) * (x - label);
  }
  // ln(1 + e⁻ˣ) and ln(1 + eˣ) without overflow.
  R const rest = Kokkos::log1p(Kokkos::exp(-Kokkos::abs(x)));
  R const miss = Kokkos::max(-x, R(0)) + rest;
  R const alarm = Kokkos::max(x, R(0)) + rest;
  return label * miss + (R(1) - label) * alarm;
}

/// Its derivative by the prediction.
template <class R>
KOKKOS_INLINE_FUNCTION R slope_of_label(LabelLoss kind, R x, R label) {
  if (kind == LabelLoss::squared_error) {
    return R(2) * (x - label);
  }
  return sigmoid(x) - label;
}

/// losses(i, 0) = share · Σ of weight · loss over the labels of row i.
/// @param weights [labels], or empty for ones
template <ExecutionSpace S, class R>
void row_label_losses(S const& space, LabelLoss kind, Matrix<R, S> const& x,
                      SparseRows<S> const& labels, Vector<float, S> const& weights, R share,
                      Matrix<R, S> const& losses) {
  auto const offsets = labels.rows.offsets;
  auto const tasks = labels.columns;
  auto const values = labels.weights;
  Kokkos::parallel_for(
      "m2u::kernels::row_label_losses", Kokkos::RangePolicy<S>(space, 0, x.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        R sum = 0;
        for (int k = offsets(i); k < offsets(i + 1); ++k) {
          R const weight = weights.extent(0) > 0 ? static_cast<R>(weights(k)) : R(1);
          sum += weight * loss_of_label(kind, x(i, tasks(k)), static_cast<R>(values(k)));
        }
        losses(i, 0) = share * sum;
      });
}

/// dx = dloss · share · weight · derivative, 0 where there is no label.
template <ExecutionSpace S, class R>
void row_label_losses_backward(S const& space, LabelLoss kind, Matrix<R, S> const& x,
                               SparseRows<S> const& labels, Vector<float, S> const& weights,
                               R share, Matrix<R, S> const& dloss, Matrix<R, S> const& dx,
                               bool accumulate) {
  auto const offsets = labels.rows.offsets;
  auto const tasks = labels.columns;
  auto const values = labels.weights;
  Kokkos::parallel_for(
      "m2u::kernels::row_label_losses_backward", Kokkos::RangePolicy<S>(space, 0, x.extent_int(0)),
      KOKKOS_LAMBDA(int i) {
        for (int j = 0; !accumulate && j < dx.extent_int(1); ++j) {
          dx(i, j) = R(0);
        }
        R const factor = share * dloss(0, 0);
        for (int k = offsets(i); k < offsets(i + 1); ++k) {
          R const weight = weights.extent(0) > 0 ? static_cast<R>(weights(k)) : R(1);
          dx(i, tasks(k)) +=
              factor * weight * slope_of_label(kind, x(i, tasks(k)), static_cast<R>(values(k)));
        }
      });
}

}  // namespace m2u::kernels
