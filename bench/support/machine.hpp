// SPDX-License-Identifier: Apache-2.0
// What a measurement needs besides its time: the machine, the sgemm peak, memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/core/space.hpp"

namespace bench {

using Space = Kokkos::DefaultExecutionSpace;
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// @throws m2u::Error without values.
double median(std::vector<double> values);

/// The most memory that this process had so far.
double peak_rss_mib();

/// The sizes of a product [rows, inner] · [inner, cols].
struct ProductSize {
  int rows = 0;
  int cols = 0;
  int inner = 0;
  double flop() const { return 2.0 * rows * cols * inner; }
};

/// GFLOP/s of single-precision products, the best of several.
struct SgemmPeak {
  double ours = 0.0;      ///< m2u::gemm
  double eigen = 0.0;     ///< Eigen, a share of the rows for each thread
  double openblas = 0.0;  ///< 0 where it is not installed
  double best() const { return std::max({ours, eigen, openblas}); }
};

/// Measures on all threads of the space. Takes some seconds.
SgemmPeak measure_sgemm(Space const& space, ProductSize const& size);

/// The same for a square product.
inline SgemmPeak measure_sgemm_peak(Space const& space, int n = 2048) {
  return measure_sgemm(space, {n, n, n});
}

nlohmann::json to_json(SgemmPeak const& peak);

/// What every result carries: revision, Kokkos' configuration, processor, threads.
nlohmann::json context();

}  // namespace bench
