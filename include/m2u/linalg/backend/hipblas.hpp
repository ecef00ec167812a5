// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm by hipBLAS. Row-major products are column-major products with the operands swapped.
#pragma once

#include <hipblas/hipblas.h>

#include <memory>
#include <type_traits>
#include <vector>

#include <Kokkos_Core.hpp>

#include "m2u/core/error.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

inline void hipblas_check(hipblasStatus_t status, char const* what) {
  expects(status == HIPBLAS_STATUS_SUCCESS, "hipBLAS: ", what, ": ", hipblasStatusToString(status));
}

/// One handle per thread and device: they are costly to make and must not be shared between
/// threads.
class HipblasHandle {
 public:
  explicit HipblasHandle(int device) : device_(device) {
    hipblas_check(hipblasCreate(&handle_), "cannot make a handle");
  }
  HipblasHandle(HipblasHandle const&) = delete;
  HipblasHandle& operator=(HipblasHandle const&) = delete;
  ~HipblasHandle() { hipblasDestroy(handle_); }

  /// The thread's handle for the device of `space`, set to its stream.
  static hipblasHandle_t of(Kokkos::HIP const& space) {
    thread_local std::vector<std::unique_ptr<HipblasHandle>> handles;
    for (auto const& handle : handles) {
      if (handle->device_ == space.hip_device()) {
        hipblas_check(hipblasSetStream(handle->handle_, space.hip_stream()),
                      "cannot set the stream");
        return handle->handle_;
      }
    }
    handles.push_back(std::make_unique<HipblasHandle>(space.hip_device()));
    hipblas_check(hipblasSetStream(handles.back()->handle_, space.hip_stream()),
                  "cannot set the stream");
    return handles.back()->handle_;
  }

 private:
  int device_;
  hipblasHandle_t handle_ = nullptr;
};

/// FP32 or FP64 arithmetic throughout.
template <class R>
void hipblas_gemm(Kokkos::HIP const& space, Strided<R> a, Strided<R> b, Strided<R> c,
                  GemmOptions options) {
  auto const handle = HipblasHandle::of(space);
  auto const op_a = options.transpose_a ? HIPBLAS_OP_T : HIPBLAS_OP_N;
  auto const op_b = options.transpose_b ? HIPBLAS_OP_T : HIPBLAS_OP_N;
  int const inner = options.transpose_a ? a.rows : a.cols;
  R const scale = static_cast<R>(options.scale);
  R const keep = options.accumulate ? R(1) : R(0);
  auto const stride = [](std::ptrdiff_t s) { return s > 0 ? static_cast<int>(s) : 1; };
  if constexpr (std::is_same_v<R, float>) {
    hipblas_check(
        hipblasSgemm(handle, op_b, op_a, c.cols, c.rows, inner, &scale, b.data, stride(b.stride),
                     a.data, stride(a.stride), &keep, c.data, stride(c.stride)),
        "sgemm");
  } else {
    hipblas_check(
        hipblasDgemm(handle, op_b, op_a, c.cols, c.rows, inner, &scale, b.data, stride(b.stride),
                     a.data, stride(a.stride), &keep, c.data, stride(c.stride)),
        "dgemm");
  }
}

}  // namespace m2u::backend
