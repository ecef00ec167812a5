// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cholesky factors of small symmetric matrices, in double on the host.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

namespace detail {

/// Dot product in eight fixed parts, so that it vectorises and rounds the same everywhere.
inline double wide_dot(double const* a, double const* b, std::size_t size) {
  constexpr std::size_t lanes = 8;
  double parts[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      parts[lane] += a[i + lane] * b[i + lane];
    }
  }
  double sum = 0.0;
  for (; i < size; ++i) {
    sum += a[i] * b[i];
  }
  for (double const part : parts) {
    sum += part;
  }
  return sum;
}

}  // namespace detail

/// The lower triangle L with A = L Lᵀ.
class Cholesky {
 public:
  /// @param matrix [size, size], row-major; only its lower triangle is read.
  /// @throws Error if the matrix is not positive definite.
  Cholesky(std::vector<double> matrix, std::size_t size) : size_(size), factor_(std::move(matrix)) {
    expects(factor_.size() == size * size, "Cholesky: ", factor_.size(), " values are no ", size,
            " x ", size, " matrix");
    for (std::size_t i = 0; i < size; ++i) {
      double* const row = factor_.data() + i * size;
      for (std::size_t j = 0; j < i; ++j) {
        double const* const other = factor_.data() + j * size;
        row[j] = (row[j] - detail::wide_dot(row, other, j)) / other[j];
      }
      double const pivot = row[i] - detail::wide_dot(row, row, i);
      expects(pivot > 0.0 && std::isfinite(pivot), "Cholesky: pivot ", i, " of ", size, " is ",
              pivot, ", so the matrix is not positive definite");
      row[i] = std::sqrt(pivot);
    }
  }

  std::size_t size() const { return size_; }

  /// Replaces b by L⁻¹ b.
  void solve_lower(std::span<double> b) const {
    for (std::size_t i = 0; i < size_; ++i) {
      double const* const row = factor_.data() + i * size_;
      b[i] = (b[i] - detail::wide_dot(row, b.data(), i)) / row[i];
    }
  }

  /// Replaces b by L⁻ᵀ b.
  void solve_upper(std::span<double> b) const {
    for (std::size_t i = size_; i-- > 0;) {
      double const* const row = factor_.data() + i * size_;
      double const value = b[i] / row[i];
      b[i] = value;
      for (std::size_t j = 0; j < i; ++j) {
        b[j] -= value * row[j];
      }
    }
  }

  /// Replaces b by Lᵀ b.
  void multiply_upper(std::span<double> b) const {
    for (std::size_t i = 0; i < size_; ++i) {
      double const* const row = factor_.data() + i * size_;
      double const value = b[i];
      b[i] = 0.0;
      for (std::size_t j = 0; j <= i; ++j) {
        b[j] += value * row[j];
      }
    }
  }

 private:
  std::size_t size_;
  std::vector<double> factor_;
};

}  // namespace m2u
