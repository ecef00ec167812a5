// SPDX-License-Identifier: Apache-2.0
#include "support/machine.hpp"

#include <dlfcn.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "m2u/core/version.hpp"
#include "m2u/linalg/backend/eigen.hpp"
#include "m2u/linalg/gemm.hpp"

namespace m2umol {
char const* git_revision();  // of examples/m2umol/revision.cpp
}  // namespace m2umol

namespace bench {

namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(std::min(line.size(), line.find(": ") + 2));
    }
  }
  return "unknown";
}

/// The lines of Kokkos' own description that tell two machines apart.
std::string kokkos_configuration() {
  std::ostringstream text;
  Kokkos::print_configuration(text, false);
  std::istringstream lines(text.str());
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    for (auto const* const key : {"Kokkos Version", "CPU architecture", "Default Device",
                                  "GPU architecture", "thread_pool_topology"}) {
      if (auto const at = line.find(key); at != std::string::npos) {
        result += (result.empty() ? "" : "; ") + line.substr(at);
      }
    }
  }
  return result;
}

/// GFLOP/s of `product`: the best of at least 5 and half a second.
template <class F>
double best_rate(double flop, F const& product) {
  product();
  double best = 0.0;
  auto const start = Clock::now();
  for (int i = 0; i < 5 || seconds_since(start) < 0.5; ++i) {
    auto const begin = Clock::now();
    product();
    best = std::max(best, 1e-9 * flop / seconds_since(begin));
  }
  return best;
}

/// OpenBLAS' sgemm, loaded for this alone: neither the library nor a benchmark uses it.
class OpenBlas {
 public:
  explicit OpenBlas(int threads) {
    // It takes some processors with AVX-512 for ones without.
#if defined(__AVX512F__)
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
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
  /// c = a · b, row-major.
  template <class R>
  void operator()(ProductSize const& size, R const* a, R const* b, R* c) const {
    constexpr int row_major = 101;
    constexpr int no_transpose = 111;
    sgemm_(row_major, no_transpose, no_transpose, size.rows, size.cols, size.inner, 1.0F, a,
           size.inner, b, size.cols, 0.0F, c, size.cols);
  }

 private:
  using Sgemm = void(int, int, int, int, int, int, float, float const*, int, float const*, int,
                     float, float*, int);
  Sgemm* sgemm_ = nullptr;
};

/// Eigen's product, single-threaded on an equal share of the rows in each thread. Of hosts alone.
template <m2u::ExecutionSpace S>
void eigen_product(S const& space, ProductSize const& size, float const* a, float const* b,
                   float* c) {
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  int const threads = space.concurrency();
  int const share = (size.rows + threads - 1) / threads;
  Kokkos::parallel_for("m2u::bench::eigen", Kokkos::RangePolicy<S>(space, 0, threads), [=](int t) {
    int const first = std::min(size.rows, t * share);
    int const rows = std::min(share, size.rows - first);
    std::ptrdiff_t const skip = first;
    Eigen::Map<Rows> result(c + skip * size.cols, rows, size.cols);
    result.noalias() = Eigen::Map<Rows const>(a + skip * size.inner, rows, size.inner) *
                       Eigen::Map<Rows const>(b, size.inner, size.cols);
  });
  space.fence();
}

}  // namespace

double median(std::vector<double> values) {
  m2u::expects(!values.empty(), "median of nothing");
  std::sort(values.begin(), values.end());
  auto const middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

namespace {

template <m2u::ExecutionSpace S>
SgemmPeak measure_sgemm_on(S const& space, ProductSize const& size) {
  auto const matrix = [&](int rows, int cols, float value) {
    auto const m = m2u::make_matrix<float>(space, "m2u::bench::matrix", rows, cols);
    Kokkos::deep_copy(space, m, value);
    return m;
  };
  auto const a = matrix(size.rows, size.inner, 0.5F);
  auto const b = matrix(size.inner, size.cols, 0.25F);
  auto const c = matrix(size.rows, size.cols, 0.0F);
  SgemmPeak peak;
  peak.ours = best_rate(size.flop(), [&] {
    m2u::gemm(space, a, b, c);
    space.fence();
  });
  if constexpr (m2u::on_host<S>) {
    peak.eigen =
        best_rate(size.flop(), [&] { eigen_product(space, size, a.data(), b.data(), c.data()); });
    if (OpenBlas const openblas(space.concurrency()); openblas) {
      peak.openblas = best_rate(size.flop(), [&] { openblas(size, a.data(), b.data(), c.data()); });
    }
  }
  return peak;
}

}  // namespace

SgemmPeak measure_sgemm(Space const& space, ProductSize const& size) {
  return measure_sgemm_on(space, size);
}

nlohmann::json to_json(SgemmPeak const& peak) {
  return {{"ours", peak.ours}, {"eigen", peak.eigen}, {"openblas", peak.openblas}};
}

nlohmann::json context() {
  return {{"revision", std::string(m2u::version) + " " + m2umol::git_revision()},
          {"kokkos", kokkos_configuration()},
          {"cpu", cpu_model()},
          {"threads", Space{}.concurrency()}};
}

}  // namespace bench
