// SPDX-License-Identifier: Apache-2.0
#include "m2u/linalg/gemm.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/core/copy_to.hpp"
#include "m2u/core/random.hpp"
#include "m2u/kernels/bf16.hpp"
#include "m2u/linalg/product_precision.hpp"
#include "support/spaces.hpp"

namespace {

template <class R, class S>
m2u::Matrix<R, S> filled(S const& space, int rows, int cols, std::uint64_t stream) {
  m2u::RandomStream const random{7, stream};
  std::vector<R> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<R>(random.uniform(i) - 0.5F);
  }
  auto const matrix = m2u::make_matrix<R>(space, "m2u::test::matrix", rows, cols);
  m2u::from_host(space, std::span<R const>(values), matrix);
  return matrix;
}

/// The back end of the space against the plain Kokkos kernel.
template <class R, class S>
void compare(S const& space, int m, int n, int k, m2u::GemmOptions options) {
  auto const a = options.transpose_a ? filled<R>(space, k, m, 1) : filled<R>(space, m, k, 1);
  auto const b = options.transpose_b ? filled<R>(space, n, k, 2) : filled<R>(space, k, n, 2);
  auto const c = filled<R>(space, m, n, 3);
  auto const expected = filled<R>(space, m, n, 3);
  m2u::gemm(space, a, b, c, options);
  m2u::backend::kokkos_gemm(space, m2u::strided(a), m2u::strided(b), m2u::strided(expected),
                            options);
  auto const found = m2u::to_host(space, c);
  auto const wanted = m2u::to_host(space, expected);
  INFO(m << " x " << n << " x " << k << ", transposed " << options.transpose_a << ' '
         << options.transpose_b << ", accumulate " << options.accumulate);
  double worst = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(found[i] - wanted[i])));
  }
  CHECK(worst <= (std::is_same_v<R, float> ? 1e-5 : 1e-13) * (k + 1));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("gemm agrees with the plain kernel in every form", "[gemm]",
                        m2u::test::Spaces) {
  TestType const space;
  for (bool const transpose_a : {false, true}) {
    for (bool const transpose_b : {false, true}) {
      for (bool const accumulate : {false, true}) {
        m2u::GemmOptions const options{transpose_a, transpose_b, accumulate, 0.75};
        compare<float>(space, 37, 19, 53, options);
        compare<double>(space, 300, 5, 7, options);
        compare<float>(space, 1, 1, 1, options);
        compare<float>(space, 4, 3, 0, options);  // an empty sum is zero, not what was there
      }
    }
  }
  compare<float>(space, 0, 3, 2, {});
  compare<float>(space, 3, 0, 2, {});
}

TEMPLATE_LIST_TEST_CASE("gemm of few columns agrees with the plain kernel", "[gemm]",
                        m2u::test::Spaces) {
  TestType const space;
  for (int const cols : {1, 2, 3, 4, 5}) {
    for (int const inner : {3, 40, 301, 1500}) {  // shorter than a vector; more than one block
      for (bool const transpose_b : {false, true}) {
        for (bool const accumulate : {false, true}) {
          m2u::GemmOptions const options{false, transpose_b, accumulate, 0.75};
          compare<float>(space, 103, cols, inner, options);
          compare<double>(space, 6, cols, inner, options);
        }
      }
    }
  }
}

TEMPLATE_LIST_TEST_CASE("gemm reads and writes blocks of columns", "[gemm]", m2u::test::Spaces) {
  TestType const space;
  auto const a = filled<float>(space, 9, 12, 1);
  auto const b = filled<float>(space, 6, 10, 2);
  auto const c = filled<float>(space, 9, 7, 3);
  auto const before = m2u::to_host(space, c);
  m2u::gemm(space, m2u::strided_columns(a, 4, 6), m2u::strided_columns(b, 5, 3),
            m2u::strided_columns(c, 2, 3));
  auto const ha = m2u::to_host(space, a);
  auto const hb = m2u::to_host(space, b);
  auto const hc = m2u::to_host(space, c);
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < 7; ++j) {
      float sum = before[i * 7 + j];
      if (j >= 2 && j < 5) {
        sum = 0.0F;
        for (std::size_t k = 0; k < 6; ++k) {
          sum += ha[i * 12 + 4 + k] * hb[k * 10 + 5 + j - 2];
        }
      }
      CHECK(hc[i * 7 + j] == Catch::Approx(sum).margin(1e-5));
    }
  }
}

TEST_CASE("gemm refuses shapes that do not fit", "[gemm]") {
  Kokkos::DefaultExecutionSpace const space;
  auto const a = filled<float>(space, 2, 3, 1);
  auto const b = filled<float>(space, 4, 5, 2);
  auto const c = filled<float>(space, 2, 5, 3);
  CHECK_THROWS_WITH(m2u::gemm(space, a, b, c),
                    Catch::Matchers::ContainsSubstring("[2, 3] times [4, 5]"));
}

TEST_CASE("the precision of products has a name, and is full where there is no choice", "[gemm]") {
  using Catch::Matchers::ContainsSubstring;
  CHECK(m2u::product_precision() == m2u::ProductPrecision::full);
  m2u::set_product_precision("full");
  CHECK_THROWS_WITH(m2u::set_product_precision("half"), ContainsSubstring("full, tf32 and bf16"));
#if defined(KOKKOS_ENABLE_CUDA) || defined(KOKKOS_ENABLE_HIP)
  // Products of numbers that the formats hold are exact in all of them; of others they differ by
  // the formats' rounding.
  Kokkos::DefaultExecutionSpace const space;
  auto const a = filled<float>(space, 70, 50, 1);
  auto const b = filled<float>(space, 50, 90, 2);
  auto const product = [&](char const* precision) {
    auto const c = m2u::make_matrix<float>(space, "c", 70, 90);
    m2u::set_product_precision(precision);
    m2u::gemm(space, a, b, c);
    m2u::set_product_precision("full");
    return m2u::to_host(space, c);
  };
  auto const full = product("full");
  std::vector<std::pair<char const*, float>> formats{{"bf16", 2e-2F}};
#if defined(KOKKOS_ENABLE_CUDA)
  formats.emplace_back("tf32", 2e-3F);
#else
  CHECK_THROWS_WITH(m2u::set_product_precision("tf32"), ContainsSubstring("are for CUDA"));
#endif
  for (auto const& [name, tolerance] : formats) {
    auto const rough = product(name);
    float largest = 0.0F;
    float difference = 0.0F;
    for (std::size_t i = 0; i < full.size(); ++i) {
      largest = std::max(largest, std::abs(full[i]));
      difference = std::max(difference, std::abs(full[i] - rough[i]));
    }
    INFO(name << ": largest " << largest << ", difference " << difference);
    CHECK(difference < tolerance * largest);
    CHECK(difference > 0.0F);
  }
#else
  CHECK_THROWS_WITH(m2u::set_product_precision("tf32"), ContainsSubstring("are for GPUs"));
#endif
}

TEMPLATE_LIST_TEST_CASE("factors are rounded to the nearest BF16", "[gemm]", m2u::test::Spaces) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float step = 1.0F / 128.0F;  // between BF16 numbers from 1 to 2
  // Of two that are as near, the one with an even last bit. Each row's first is left out.
  constexpr float skipped = 7.0F;
  std::vector<float> const values{skipped,
                                  -1.5F,
                                  1.0F + step / 2,
                                  1.0F + 1.5F * step,  //
                                  skipped,
                                  1.0F + 0.51F * step,
                                  1.0F + 0.49F * step,
                                  -inf,  //
                                  skipped,
                                  std::numeric_limits<float>::max(),
                                  std::ldexp(1.1F, -133),
                                  step,  //
                                  skipped,
                                  std::bit_cast<float>(0x7fffffffU),
                                  0.0F,
                                  inf};
  std::vector<float> const expected{skipped,
                                    -1.5F,
                                    1.0F,
                                    1.0F + 2 * step,  //
                                    skipped,
                                    1.0F + step,
                                    1.0F,
                                    -inf,  //
                                    skipped,
                                    inf,
                                    std::ldexp(1.0F, -133),
                                    step,  //
                                    skipped,
                                    std::numeric_limits<float>::quiet_NaN(),
                                    0.0F,
                                    inf};
  TestType const space;
  auto const from = m2u::to_space(space, m2u::host_matrix("from", 4, 4, values));
  auto const to = m2u::make_vector<std::uint16_t>(space, "to", 12);
  m2u::kernels::round_to_bf16(space, from.data() + 1, 4, 4, 3, to.data());
  auto const got = m2u::to_host(space, to);
  for (std::size_t i = 0; i < got.size(); ++i) {
    auto const at = i / 3 * 4 + 1 + i % 3;
    float const value = std::bit_cast<float>(static_cast<std::uint32_t>(got[i]) << 16U);
    INFO(values[at] << " gave " << value);
    CHECK((std::isnan(expected[at]) ? std::isnan(value) : value == expected[at]));
  }
}
