// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm by cuBLAS. Row-major products are column-major products with the operands swapped.
#pragma once

#include <cublas_v2.h>

#include <memory>
#include <type_traits>
#include <vector>

#include <Kokkos_Core.hpp>

#include "m2u/core/error.hpp"
#include "m2u/linalg/product_precision.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

inline void cublas_check(cublasStatus_t status, char const* what) {
  expects(status == CUBLAS_STATUS_SUCCESS, "cuBLAS: ", what, ": ", cublasGetStatusString(status));
}

/// One handle per thread and device: they are costly to make and must not be shared between
/// threads.
class CublasHandle {
 public:
  explicit CublasHandle(int device) : device_(device) {
    auto const status = cudaSetDevice(device);
    expects(status == cudaSuccess, "CUDA: ", cudaGetErrorString(status));
    cublas_check(cublasCreate(&handle_), "cannot make a handle");
  }
  CublasHandle(CublasHandle const&) = delete;
  CublasHandle& operator=(CublasHandle const&) = delete;
  ~CublasHandle() { cublasDestroy(handle_); }

  /// The thread's handle for the device of `space`, set to its stream.
  static cublasHandle_t of(Kokkos::Cuda const& space) {
    thread_local std::vector<std::unique_ptr<CublasHandle>> handles;
    for (auto const& handle : handles) {
      if (handle->device_ == space.cuda_device()) {
        cublas_check(cublasSetStream(handle->handle_, space.cuda_stream()),
                     "cannot set the stream");
        return handle->handle_;
      }
    }
    handles.push_back(std::make_unique<CublasHandle>(space.cuda_device()));
    cublas_check(cublasSetStream(handles.back()->handle_, space.cuda_stream()),
                 "cannot set the stream");
    return handles.back()->handle_;
  }

 private:
  int device_;
  cublasHandle_t handle_ = nullptr;
};

/// The arithmetic of cublasGemmEx for floats.
inline cublasComputeType_t cublas_compute_type(bool full) {
  switch (full ? ProductPrecision::full : product_precision()) {
    case ProductPrecision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case ProductPrecision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    case ProductPrecision::full:
      break;
  }
  return CUBLAS_COMPUTE_32F;
}

/// FP32 (see product_precision) or FP64 arithmetic.
template <class R>
void cublas_gemm(Kokkos::Cuda const& space, Strided<R> a, Strided<R> b, Strided<R> c,
                 GemmOptions options) {
  constexpr bool single = std::is_same_v<R, float>;
  auto const handle = CublasHandle::of(space);
  auto const op_a = options.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  auto const op_b = options.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  int const inner = options.transpose_a ? a.rows : a.cols;
  R const scale = static_cast<R>(options.scale);
  R const keep = options.accumulate ? R(1) : R(0);
  constexpr auto type = single ? CUDA_R_32F : CUDA_R_64F;
  cublas_check(cublasGemmEx(handle, op_b, op_a, c.cols, c.rows, inner, &scale, b.data, type,
                            leading(b), a.data, type, leading(a), &keep, c.data, type, leading(c),
                            single ? cublas_compute_type(options.full) : CUBLAS_COMPUTE_64F,
                            CUBLAS_GEMM_DEFAULT),
               "gemm");
}

}  // namespace m2u::backend
