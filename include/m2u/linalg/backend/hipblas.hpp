// SPDX-License-Identifier: Apache-2.0
/// @file
/// gemm by hipBLAS. Row-major products are column-major products with the operands swapped.
#pragma once

#include <hipblas/hipblas.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include <Kokkos_Core.hpp>

#include "m2u/core/error.hpp"
#include "m2u/kernels/bf16.hpp"
#include "m2u/linalg/product_precision.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::backend {

inline void hipblas_check(hipblasStatus_t status, char const* what) {
  expects(status == HIPBLAS_STATUS_SUCCESS, "hipBLAS: ", what, ": ", hipblasStatusToString(status));
}

inline void hip_check(hipError_t status) {
  expects(status == hipSuccess, "HIP: ", hipGetErrorString(status));
}

/// One handle per thread and device: they are costly to make and must not be shared between
/// threads.
class HipblasHandle {
 public:
  explicit HipblasHandle(int device) : device_(device) {
    hip_check(hipSetDevice(device));
    hipblas_check(hipblasCreate(&handle_), "cannot make a handle");
  }
  HipblasHandle(HipblasHandle const&) = delete;
  HipblasHandle& operator=(HipblasHandle const&) = delete;
  ~HipblasHandle() {
    static_cast<void>(hipFree(rounded_));
    hipblasDestroy(handle_);
  }

  /// The thread's handle for the device of `space`, set to its stream.
  static HipblasHandle& of(Kokkos::HIP const& space) {
    thread_local std::vector<std::unique_ptr<HipblasHandle>> handles;
    auto found = std::find_if(handles.begin(), handles.end(), [&](auto const& handle) {
      return handle->device_ == space.hip_device();
    });
    if (found == handles.end()) {
      handles.push_back(std::make_unique<HipblasHandle>(space.hip_device()));
      found = handles.end() - 1;
    }
    auto& handle = **found;
    hipblas_check(hipblasSetStream(handle.handle_, space.hip_stream()), "cannot set the stream");
    return handle;
  }

  hipblasHandle_t get() const { return handle_; }

  /// Memory for factors in BF16, until the next product in BF16 on any stream. It grows to what the
  /// largest product needs.
  std::uint16_t* rounded(Kokkos::HIP const& space, std::size_t count) {
    if (count > size_ || stream_ != space.hip_stream()) {
      hip_check(hipDeviceSynchronize());  // it may still be read; that stream may be gone
      stream_ = space.hip_stream();
    }
    if (count > size_) {
      hip_check(hipFree(rounded_));
      rounded_ = nullptr;
      size_ = 0;
      hip_check(hipMalloc(reinterpret_cast<void**>(&rounded_), count * sizeof(std::uint16_t)));
      size_ = count;
    }
    return rounded_;
  }

 private:
  int device_;
  hipblasHandle_t handle_ = nullptr;
  std::uint16_t* rounded_ = nullptr;
  std::size_t size_ = 0;
  hipStream_t stream_ = nullptr;  ///< where it was used last
};

/// Factors rounded to BF16, products and sums in FP32.
inline void hipblas_gemm_bf16(Kokkos::HIP const& space, Strided<float> a, Strided<float> b,
                              Strided<float> c, GemmOptions options) {
#if defined(HIPBLAS_V2) || hipblasVersionMajor >= 3
  constexpr auto half = HIP_R_16BF;
  constexpr auto single = HIP_R_32F;
  constexpr auto sums = HIPBLAS_COMPUTE_32F;
#else
  constexpr auto half = HIPBLAS_R_16B;
  constexpr auto single = HIPBLAS_R_32F;
  constexpr auto sums = HIPBLAS_R_32F;
#endif
  auto& handle = HipblasHandle::of(space);
  auto const size_a = static_cast<std::size_t>(a.rows) * static_cast<std::size_t>(a.cols);
  auto const size_b = static_cast<std::size_t>(b.rows) * static_cast<std::size_t>(b.cols);
  auto* const left = handle.rounded(space, size_a + size_b);
  auto* const right = left + size_a;
  kernels::round_to_bf16(space, a.data, a.stride, a.rows, a.cols, left);
  kernels::round_to_bf16(space, b.data, b.stride, b.rows, b.cols, right);
  int const inner = options.transpose_a ? a.rows : a.cols;
  auto const scale = static_cast<float>(options.scale);
  float const keep = options.accumulate ? 1.0F : 0.0F;
  hipblas_check(
      hipblasGemmEx(handle.get(), options.transpose_b ? HIPBLAS_OP_T : HIPBLAS_OP_N,
                    options.transpose_a ? HIPBLAS_OP_T : HIPBLAS_OP_N, c.cols, c.rows, inner,
                    &scale, right, half, std::max(1, b.cols), left, half, std::max(1, a.cols),
                    &keep, c.data, single, leading(c), sums, HIPBLAS_GEMM_DEFAULT),
      "gemm of BF16");
}

/// FP32 (see product_precision) or FP64 arithmetic.
template <class R>
void hipblas_gemm(Kokkos::HIP const& space, Strided<R> a, Strided<R> b, Strided<R> c,
                  GemmOptions options) {
  if constexpr (std::is_same_v<R, float>) {
    if (!options.full && product_precision() == ProductPrecision::bf16) {
      return hipblas_gemm_bf16(space, a, b, c, options);
    }
  }
  auto const handle = HipblasHandle::of(space).get();
  auto const op_a = options.transpose_a ? HIPBLAS_OP_T : HIPBLAS_OP_N;
  auto const op_b = options.transpose_b ? HIPBLAS_OP_T : HIPBLAS_OP_N;
  int const inner = options.transpose_a ? a.rows : a.cols;
  R const scale = static_cast<R>(options.scale);
  R const keep = options.accumulate ? R(1) : R(0);
  if constexpr (std::is_same_v<R, float>) {
    hipblas_check(hipblasSgemm(handle, op_b, op_a, c.cols, c.rows, inner, &scale, b.data,
                               leading(b), a.data, leading(a), &keep, c.data, leading(c)),
                  "sgemm");
  } else {
    hipblas_check(hipblasDgemm(handle, op_b, op_a, c.cols, c.rows, inner, &scale, b.data,
                               leading(b), a.data, leading(a), &keep, c.data, leading(c)),
                  "dgemm");
  }
}

}  // namespace m2u::backend
