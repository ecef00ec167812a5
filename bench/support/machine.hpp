// SPDX-License-Identifier: Apache-2.0
// What a measurement needs besides its time: the machine, the sgemm peak, memory.
#pragma once

#include <dlfcn.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/core/version.hpp"
#include "m2u/linalg/backend/eigen.hpp"
#include "m2u/linalg/gemm.hpp"

namespace m2umol {
char const* git_revision();
}  // namespace m2umol

namespace bench {

using Space = Kokkos::DefaultExecutionSpace;
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  m2u::expects(!values.empty(), "median of nothing");
  std::sort(values.begin(), values.end());
  auto const middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

/// The most memory that this process had so far.
inline double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

inline std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(std::min(line.size(), line.find(": ") + 2));
    }
  }
  return "unknown";
}

/// Kokkos' own words, on one line.
inline std::string kokkos_configuration() {
  std::ostringstream text;
  Kokkos::print_configuration(text, false);
  std::istringstream lines(text.str());
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    auto const first = line.find_first_not_of(' ');
    if (first != std::string::npos) {
      result += (result.empty() ? "" : "; ") + line.substr(first);
    }
  }
  return result;
}

/// GFLOP/s of square single-precision products, the best of several.
struct SgemmPeak {
  double ours = 0.0;      ///< m2u::gemm
  double eigen = 0.0;     ///< a share of the rows for each thread
  double openblas = 0.0;  ///< 0 where it is not installed
  double best() const { return std::max({ours, eigen, openblas}); }
};

/// GFLOP/s of `product`, which does 2 n³ FLOP: the best of at least 5 and 0.5 s.
inline double best_rate(int n, std::function<void()> const& product) {
  product();
  double best = 0.0;
  auto const start = Clock::now();
  for (int i = 0; i < 5 || seconds_since(start) < 0.5; ++i) {
    auto const begin = Clock::now();
    product();
    best = std::max(best, 2e-9 * n * n * n / seconds_since(begin));
  }
  return best;
}

/// OpenBLAS' sgemm, loaded only here: nothing of the library or the other benchmarks uses it.
class OpenBlas {
 public:
  explicit OpenBlas(int threads) {
    // It takes some processors with AVX-512 for ones without.
    if (__builtin_cpu_supports("avx512f") != 0) {
      setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    }
    void* library = nullptr;
    for (auto const* const name :
         {"/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0", "libopenblas.so.0"}) {
      library = library == nullptr ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : library;
    }
    if (library != nullptr) {
      sgemm_ = reinterpret_cast<Sgemm*>(dlsym(library, "cblas_sgemm"));
      auto* const set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"));
      if (set != nullptr) {
        set(threads);
      }
    }
  }
  explicit operator bool() const { return sgemm_ != nullptr; }
  /// c = a · b, row-major n × n.
  void operator()(int n, float const* a, float const* b, float* c) const {
    constexpr int row_major = 101;
    constexpr int no_transpose = 111;
    sgemm_(row_major, no_transpose, no_transpose, n, n, n, 1.0F, a, n, b, n, 0.0F, c, n);
  }

 private:
  using Sgemm = void(int, int, int, int, int, int, float, float const*, int, float const*, int,
                     float, float*, int);
  Sgemm* sgemm_ = nullptr;
};

/// Measures on all threads of the space. Takes some seconds.
inline SgemmPeak measure_sgemm_peak(Space const& space, int n = 2048) {
  auto const matrix = [&](float value) {
    auto const m = m2u::make_matrix<float>(space, "m2u::bench::matrix", n, n);
    Kokkos::deep_copy(space, m, value);
    return m;
  };
  auto const a = matrix(0.5F);
  auto const b = matrix(0.25F);
  auto const c = matrix(0.0F);
  SgemmPeak peak;
  peak.ours = best_rate(n, [&] {
    m2u::gemm(space, a, b, c);
    space.fence();
  });
  if constexpr (m2u::on_host<Space>) {
    int const threads = space.concurrency();
    int const share = (n + threads - 1) / threads;
    peak.eigen = best_rate(n, [&] {
      Kokkos::parallel_for(
          "m2u::bench::eigen", Kokkos::RangePolicy<Space>(space, 0, threads), [=](int t) {
            auto const left = m2u::backend::eigen_map(m2u::strided(a));
            auto const right = m2u::backend::eigen_map(m2u::strided(b));
            auto result = m2u::backend::eigen_map(m2u::strided(c));
            int const first = t * share;
            int const count = std::min(share, n - first);
            result.middleRows(first, count).noalias() = left.middleRows(first, count) * right;
          });
      space.fence();
    });
    if (OpenBlas const openblas(threads); openblas) {
      peak.openblas = best_rate(n, [&] { openblas(n, a.data(), b.data(), c.data()); });
    }
  }
  return peak;
}

inline nlohmann::json to_json(SgemmPeak const& peak) {
  return {{"ours", peak.ours}, {"eigen", peak.eigen}, {"openblas", peak.openblas}};
}

/// What every result carries.
inline nlohmann::json context() {
  return {{"revision", std::string(m2u::version) + " " + m2umol::git_revision()},
          {"kokkos", kokkos_configuration()},
          {"cpu", cpu_model()},
          {"threads", Space{}.concurrency()}};
}

}  // namespace bench
