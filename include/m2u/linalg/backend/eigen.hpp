// SPDX-License-Identifier: Apache-2.0
/// @file
/// Our matrices as Eigen's. Eigen is included only in this folder.
#pragma once

#if !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA
#endif
#if !defined(EIGEN_DONT_PARALLELIZE)
#define EIGEN_DONT_PARALLELIZE
#endif
#include <Eigen/Core>

#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

template <class R>
using EigenMatrix = Eigen::Map<Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                               Eigen::Unaligned, Eigen::OuterStride<>>;

template <class R>
EigenMatrix<R> eigen_map(Strided<R> const& m) {
  return EigenMatrix<R>(m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride));
}

}  // namespace m2u::backend
