// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm on the host: blocks of rows of the result in parallel, single-threaded Eigen in each.
/// Eigen is included only in this folder.
#pragma once

#include <algorithm>

#if !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA
#endif
#if !defined(EIGEN_DONT_PARALLELIZE)
#define EIGEN_DONT_PARALLELIZE
#endif
#include <Eigen/Core>

#include "m2u/core/space.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

template <class R>
using EigenMatrix = Eigen::Map<Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                               Eigen::Unaligned, Eigen::OuterStride<>>;

template <class R>
EigenMatrix<R> eigen_map(Strided<R> const& m) {
  return EigenMatrix<R>(m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride));
}

/// Rows `first` … `first + count - 1` of the product. Eigen picks its kernels by the block's shape,
/// so the partition is part of the result's bits and must not depend on the number of threads.
template <class R>
void eigen_gemm_rows(Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options, int first,
                     int count) {
  auto const left = eigen_map(a);
  auto const right = eigen_map(b);
  auto result = eigen_map(c).middleRows(first, count);
  auto const scale = static_cast<R>(options.scale);
  auto const assign = [&](auto const& product) {
    if (options.accumulate) {
      result.noalias() += product;
    } else {
      result.noalias() = product;
    }
  };
  if (options.transpose_a && options.transpose_b) {
    assign(scale * left.middleCols(first, count).transpose() * right.transpose());
  } else if (options.transpose_a) {
    assign(scale * left.middleCols(first, count).transpose() * right);
  } else if (options.transpose_b) {
    assign(scale * left.middleRows(first, count) * right.transpose());
  } else {
    assign(scale * left.middleRows(first, count) * right);
  }
}

template <ExecutionSpace S, class R>
void eigen_gemm(S const& space, Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options) {
  // Enough blocks to share out, few enough that packing b again for each of them stays cheap.
  int const block = std::clamp((c.rows / 8 + 15) / 16 * 16, 32, 256);
  int const blocks = (c.rows + block - 1) / block;
  Kokkos::parallel_for(
      "m2u::linalg::eigen_gemm",
      Kokkos::RangePolicy<S, Kokkos::Schedule<Kokkos::Dynamic>>(space, 0, blocks).set_chunk_size(1),
      [=](int i) {
        int const first = i * block;
        eigen_gemm_rows(a, b, c, options, first, std::min(block, c.rows - first));
      });
}

}  // namespace m2u::backend
