// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dense matrix product on any execution space. The back end is chosen by the space at compile
/// time: Eigen where the host can reach the memory, cuBLAS, hipBLAS, else a plain Kokkos kernel.
#pragma once

#include "m2u/core/error.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/linalg/backend/eigen.hpp"
#include "m2u/linalg/backend/kokkos.hpp"
#include "m2u/linalg/strided.hpp"
#if defined(KOKKOS_ENABLE_CUDA) && defined(M2U_ENABLE_CUBLAS)
#include "m2u/linalg/backend/cublas.hpp"
#endif
#if defined(KOKKOS_ENABLE_HIP) && defined(M2U_ENABLE_HIPBLAS)
#include "m2u/linalg/backend/hipblas.hpp"
#endif

namespace m2u {

/// c = scale · op(a) · op(b), or c += … with `accumulate`. Runs on `space`, does not wait.
/// The result does not depend on the number of threads.
/// @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
void gemm(S const& space, Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options = {}) {
  Shape const left = options.transpose_a ? Shape{a.cols, a.rows} : Shape{a.rows, a.cols};
  Shape const right = options.transpose_b ? Shape{b.cols, b.rows} : Shape{b.rows, b.cols};
  expects(left.cols == right.rows && c.rows == left.rows && c.cols == right.cols, "gemm: ", left,
          " times ", right, " does not give ", Shape{c.rows, c.cols},
          "; the inner sizes must agree and the result must be rows of the first by columns of the "
          "second");
  if (c.rows == 0 || c.cols == 0) {
    return;
  }
  if constexpr (on_host<S>) {
    backend::eigen_gemm(space, a, b, c, options);
#if defined(KOKKOS_ENABLE_CUDA) && defined(M2U_ENABLE_CUBLAS)
  } else if constexpr (std::is_same_v<S, Kokkos::Cuda>) {
    backend::cublas_gemm(space, a, b, c, options);
#endif
#if defined(KOKKOS_ENABLE_HIP) && defined(M2U_ENABLE_HIPBLAS)
  } else if constexpr (std::is_same_v<S, Kokkos::HIP>) {
    backend::hipblas_gemm(space, a, b, c, options);
#endif
  } else {
    backend::kokkos_gemm(space, a, b, c, options);
  }
}

/// The same for whole matrices.
template <ExecutionSpace S, class R>
void gemm(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, Matrix<R, S> const& c,
          GemmOptions options = {}) {
  gemm(space, strided(a), strided(b), strided(c), options);
}

}  // namespace m2u
