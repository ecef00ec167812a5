// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which GPUs there are, asked before Kokkos starts: Kokkos aborts the program where it finds none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "m2u/core/error.hpp"
#include "m2u/core/space.hpp"

namespace m2u {

/// The GPUs that the default execution space could use, and why there are none.
struct Devices {
  bool needed = false;  ///< whether the space is that of a GPU
  int count = 0;
  std::string problem = {};  ///< what the driver says
};

inline Devices find_devices() {
#if defined(KOKKOS_ENABLE_CUDA)
  int count = 0;
  auto const status = cudaGetDeviceCount(&count);
  return status == cudaSuccess ? Devices{true, count}
                               : Devices{true, 0, cudaGetErrorString(status)};
#elif defined(KOKKOS_ENABLE_HIP)
  int count = 0;
  auto const status = hipGetDeviceCount(&count);
  return status == hipSuccess ? Devices{true, count} : Devices{true, 0, hipGetErrorString(status)};
#else
  return {};
#endif
}

/// Makes sure that Kokkos can start with the GPU of that number, or without one with any.
/// @throws Error that says what is there instead.
inline void expect_device(Devices const& devices, std::optional<int> number) {
  std::string const space = Kokkos::DefaultExecutionSpace::name();
  if (!devices.needed) {
    expects(!number, "this program was built for ", space,
            ": there is no device to choose; build it with a Kokkos for CUDA or HIP to use a GPU");
    return;
  }
  expects(devices.count > 0, "this program was built for ", space, ", but there is no GPU here",
          devices.problem.empty() ? "" : ": ", devices.problem);
  expects(!number || (*number >= 0 && *number < devices.count), "there is no GPU ",
          number.value_or(0), " here: there are ", devices.count, ", numbered from 0");
}

/// Bytes of the default space's memory that are free, where it is a GPU's.
inline std::optional<std::size_t> free_device_memory() {
#if defined(KOKKOS_ENABLE_CUDA)
  std::size_t free = 0;
  std::size_t all = 0;
  if (cudaMemGetInfo(&free, &all) == cudaSuccess) {
    return free;
  }
#elif defined(KOKKOS_ENABLE_HIP)
  std::size_t free = 0;
  std::size_t all = 0;
  if (hipMemGetInfo(&free, &all) == hipSuccess) {
    return free;
  }
#endif
  return std::nullopt;
}

}  // namespace m2u
