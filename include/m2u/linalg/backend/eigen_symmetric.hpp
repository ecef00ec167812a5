// SPDX-License-Identifier: Apache-2.0
/// @file
/// Orthonormal bases and eigenvectors of small dense matrices in host memory, by Eigen.
#pragma once

#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/linalg/backend/eigen.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

namespace m2u::backend {

/// Replaces the columns of a matrix (no more columns than rows) by an orthonormal basis of a space
/// that holds them, by Householder reflections: the columns may depend on each other.
template <class R>
void orthonormalise_columns(Strided<R> a) {
  using Dense = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic>;
  expects(a.cols <= a.rows, "orthonormalise_columns: ", a.cols, " columns of ", a.rows, " rows");
  if (a.cols == 0) {
    return;
  }
  Dense const columns = eigen_map(a);
  Eigen::HouseholderQR<Dense> const decomposition(columns);
  eigen_map(a) = decomposition.householderQ() * Dense::Identity(a.rows, a.cols);
}

/// Replaces a symmetric matrix, of which only the lower triangle is read, by its orthonormal
/// eigenvectors, in columns. @return the eigenvalues, falling.
/// @throws Error if the matrix holds numbers that are not finite.
template <class R>
std::vector<R> symmetric_eigenvectors(Strided<R> a) {
  using Dense = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::SelfAdjointEigenSolver<Dense> const solver(Dense(eigen_map(a)));
  expects(solver.info() == Eigen::Success,
          "symmetric_eigenvectors: no convergence; is everything finite?");
  eigen_map(a) = solver.eigenvectors().rowwise().reverse();
  std::vector<R> values(solver.eigenvalues().begin(), solver.eigenvalues().end());
  return {values.rbegin(), values.rend()};
}

}  // namespace m2u::backend
