// SPDX-License-Identifier: Apache-2.0
/// @file
/// How exact float products on a GPU's tensor cores are.
#pragma once

#include <atomic>
#include <string_view>

#include <Kokkos_Core.hpp>

#include "m2u/core/error.hpp"

namespace m2u {

/// Of products of floats on a GPU; sums are in FP32 throughout. Products on hosts and in double are
/// always full.
enum class ProductPrecision {
  full,  ///< factors in FP32
  tf32,  ///< factors rounded to TF32 (10 bits of mantissa): by cuBLAS; hipBLAS' are full
  bf16   ///< factors rounded to BF16 (7 bits)
};

namespace detail {
inline std::atomic<ProductPrecision> product_precision = ProductPrecision::full;
}  // namespace detail

/// For the whole process, as it belongs to a run, not to an op. Set it before the work that it is
/// for; `full` from the start.
inline void set_product_precision(ProductPrecision precision) {
  detail::product_precision.store(precision, std::memory_order_relaxed);
}
inline ProductPrecision product_precision() {
  return detail::product_precision.load(std::memory_order_relaxed);
}

/// The same by name: full, tf32 or bf16.
/// @throws Error for another one, or for one that this build of Kokkos cannot do.
inline void set_product_precision(std::string_view name) {
  bool const tf32 = name == "tf32";
  bool const bf16 = name == "bf16";
  expects(tf32 || bf16 || name == "full", "there is no precision of products \"", name,
          "\"; there are full, tf32 and bf16");
#if defined(KOKKOS_ENABLE_HIP)
  expects(!tf32, "products in tf32 are for CUDA; HIP has full and bf16");
#elif !defined(KOKKOS_ENABLE_CUDA)
  expects(!tf32 && !bf16, "products in ", name, " are for GPUs: this program was built for ",
          Kokkos::DefaultExecutionSpace::name(), ", where they are always full");
#endif
  set_product_precision(tf32   ? ProductPrecision::tf32
                        : bf16 ? ProductPrecision::bf16
                               : ProductPrecision::full);
}

}  // namespace m2u
