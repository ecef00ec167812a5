// SPDX-License-Identifier: Apache-2.0
#include "m2u/linalg/cholesky.hpp"

#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "m2u/core/random.hpp"

using Catch::Approx;

TEST_CASE("a Cholesky factor solves and multiplies", "[cholesky]") {
  for (std::size_t const size : {1U, 2U, 7U, 8U, 33U}) {
    INFO("size " << size);
    m2u::RandomStream const random{1, size};
    // A = B Bᵀ + I
    std::vector<double> b(size * size);
    for (std::size_t i = 0; i < b.size(); ++i) {
      b[i] = random.uniform(i) - 0.5;
    }
    std::vector<double> a(size * size);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t k = 0; k < size; ++k) {
          a[i * size + j] += b[i * size + k] * b[j * size + k];
        }
        a[i * size + j] += i == j ? 1.0 : 0.0;
      }
    }
    m2u::Cholesky const factor(a, size);
    std::vector<double> x(size);
    for (std::size_t i = 0; i < size; ++i) {
      x[i] = 1.0 + static_cast<double>(i % 5);
    }
    auto solution = x;
    factor.solve_lower(solution);
    factor.solve_upper(solution);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK(m2u::detail::wide_dot(a.data() + i * size, solution.data(), size) == Approx(x[i]));
    }
    auto back = x;
    factor.multiply_upper(back);
    factor.solve_upper(back);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK(back[i] == Approx(x[i]));
    }
  }
  CHECK_THROWS_AS(m2u::Cholesky({1.0, 2.0, 2.0, 1.0}, 2), m2u::Error);
  CHECK_THROWS_AS(m2u::Cholesky({1.0}, 2), m2u::Error);
}
