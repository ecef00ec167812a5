// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dense matrices in double on the host, for sparse_svd: products, orthonormal columns and
/// eigenvectors. Plain loops, not Eigen: its decompositions took longer to compile than all else
/// that prepares molecules, and the sparse products take longer to run. No result depends on the
/// number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/core/random.hpp"
#include "m2u/linalg/cholesky.hpp"
#include "m2u/linalg/strided.hpp"

namespace m2u::detail {

/// A matrix that owns its memory.
struct DenseDoubles {
  DenseDoubles(int rows, int cols)
      : memory(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols)),
        all{memory.data(), rows, cols, cols} {}
  DenseDoubles(DenseDoubles const&) = delete;
  DenseDoubles& operator=(DenseDoubles const&) = delete;
  std::vector<double> memory;
  Strided<double> all;
};

/// work(first, count) for blocks of rows of a fixed size, on several threads.
template <class Work>
void for_row_blocks(int rows, int threads, Work const& work) {
  constexpr int block = 64;
  int const blocks = (rows + block - 1) / block;
  int const all = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  int const used = std::clamp(all, 1, std::max(1, blocks));
  auto const share = [&](int thread) {
    for (int b = thread; b < blocks; b += used) {
      work(b * block, std::min(block, rows - b * block));
    }
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < used; ++thread) {
    others.emplace_back(share, thread);
  }
  share(0);
}

/// out[j] += Σ weights[i] · (row i of b)[j], four rows of b at a time: `out` is then read and
/// written a quarter as often.
inline void add_rows(double const* weights, std::ptrdiff_t weight_stride, Strided<double> b,
                     double* out) {
  int i = 0;
  for (; i + 4 <= b.rows; i += 4) {
    double const* const row = b.data + i * b.stride;
    double const w0 = weights[i * weight_stride];
    double const w1 = weights[(i + 1) * weight_stride];
    double const w2 = weights[(i + 2) * weight_stride];
    double const w3 = weights[(i + 3) * weight_stride];
    for (int j = 0; j < b.cols; ++j) {
      out[j] += (w0 * row[j] + w1 * row[j + b.stride]) +
                (w2 * row[j + 2 * b.stride] + w3 * row[j + 3 * b.stride]);
    }
  }
  for (; i < b.rows; ++i) {
    double const weight = weights[i * weight_stride];
    for (int j = 0; j < b.cols; ++j) {
      out[j] += weight * b.data[i * b.stride + j];
    }
  }
}

/// c = a·b.
inline void multiply_dense(Strided<double> a, Strided<double> b, Strided<double> c, int threads) {
  for_row_blocks(c.rows, threads, [&](int first, int count) {
    for (int row = first; row < first + count; ++row) {
      double* const out = c.data + row * c.stride;
      std::fill(out, out + c.cols, 0.0);
      add_rows(a.data + row * a.stride, 1, b, out);
    }
  });
}

/// c = aᵀ·b, in blocks of b's rows that stay in the cache.
inline void multiply_transposed(Strided<double> a, Strided<double> b, Strided<double> c,
                                int threads) {
  constexpr int depth = 64;
  for_row_blocks(c.rows, threads, [&](int first, int count) {
    for (int row = first; row < first + count; ++row) {
      std::fill_n(c.data + row * c.stride, c.cols, 0.0);
    }
    for (int begin = 0; begin < b.rows; begin += depth) {
      Strided<double> const part{b.data + begin * b.stride, std::min(depth, b.rows - begin), b.cols,
                                 b.stride};
      for (int row = first; row < first + count; ++row) {
        add_rows(a.data + begin * a.stride + row, a.stride, part, c.data + row * c.stride);
      }
    }
  });
}

/// Replaces a symmetric matrix by its lower Cholesky factor. A column that depends on those before
/// it gets the unit vector's.
/// @return those columns.
inline std::vector<int> cholesky_of_independent(Strided<double> a) {
  constexpr double smallest = 1e-12;  // of a column's square that must be left: 1e-6 of its length
  std::vector<int> dependent;
  for (int i = 0; i < a.rows; ++i) {
    double* const row = a.data + i * a.stride;
    for (int j = 0; j < i; ++j) {
      double const* const other = a.data + j * a.stride;
      row[j] = (row[j] - wide_dot(row, other, static_cast<std::size_t>(j))) / other[j];
    }
    double const pivot = row[i] - wide_dot(row, row, static_cast<std::size_t>(i));
    if (pivot > smallest * row[i]) {
      row[i] = std::sqrt(pivot);
    } else {
      expects(!std::isnan(pivot), "orthonormalise_columns: a number is not finite");
      dependent.push_back(i);
      std::fill(row, row + i, 0.0);
      row[i] = 1.0;
    }
  }
  return dependent;
}

/// Replaces the columns of a matrix (no more columns than rows) by an orthonormal basis of a space
/// that holds them, but for parts below 1e-6 of a column: a := a·L⁻ᵀ with aᵀa = L·Lᵀ, twice, as the
/// first time leaves rounding. Columns that depend on others become random ones, and it goes on.
inline void orthonormalise_columns(Strided<double> a, RandomStream const& random, int threads) {
  expects(a.cols <= a.rows, "orthonormalise_columns: ", a.cols, " columns of ", a.rows, " rows");
  DenseDoubles square(a.cols, a.cols);
  std::uint64_t draw = 0;
  int rounds = 0;
  for (int clean = 0; clean < 2; ++rounds) {
    expects(rounds < 20, "orthonormalise_columns: no convergence");
    multiply_transposed(a, a, square.all, threads);
    auto const dependent = cholesky_of_independent(square.all);
    for_row_blocks(a.rows, threads, [&](int first, int count) {
      for (int r = first; r < first + count; ++r) {
        double* const row = a.data + r * a.stride;
        for (int j = 0; j < a.cols; ++j) {
          double const* const factor = square.all.data + j * square.all.stride;
          row[j] = (row[j] - wide_dot(row, factor, static_cast<std::size_t>(j))) / factor[j];
        }
      }
    });
    for (int const column : dependent) {
      for (int r = 0; r < a.rows; ++r) {
        a.data[r * a.stride + column] = static_cast<double>(random.uniform(draw++)) - 0.5;
      }
    }
    clean = dependent.empty() ? clean + 1 : 0;
  }
}

/// Turns rows p and q of a matrix by an angle.
inline void turn_rows(Strided<double> m, int p, int q, double cosine, double sine) {
  double* const a = m.data + p * m.stride;
  double* const b = m.data + q * m.stride;
  for (int k = 0; k < m.cols; ++k) {
    double const x = a[k];
    double const y = b[k];
    a[k] = cosine * x - sine * y;
    b[k] = sine * x + cosine * y;
  }
}

/// Makes entry (p, q) of a symmetric matrix zero by Jacobi's rotation, and turns `vectors` with it.
inline void jacobi_rotation(Strided<double> a, Strided<double> vectors, int p, int q) {
  auto const at = [&](int row, int col) -> double& { return a.data[row * a.stride + col]; };
  double const off = at(p, q);
  double const cotangent = (at(q, q) - at(p, p)) / (2.0 * off);  // of twice the angle
  double const tangent =
      std::copysign(1.0, cotangent) / (std::abs(cotangent) + std::hypot(cotangent, 1.0));
  double const cosine = 1.0 / std::hypot(tangent, 1.0);
  double const first = at(p, p) - tangent * off;
  double const second = at(q, q) + tangent * off;
  turn_rows(a, p, q, cosine, tangent * cosine);
  turn_rows(vectors, p, q, cosine, tangent * cosine);
  for (int k = 0; k < a.cols; ++k) {
    at(k, p) = at(p, k);
    at(k, q) = at(q, k);
  }
  at(p, p) = first;
  at(q, q) = second;
  at(p, q) = 0.0;
  at(q, p) = 0.0;
}

/// Replaces a symmetric matrix by its orthonormal eigenvectors, in columns, by cyclic Jacobi
/// rotations. @return the eigenvalues, falling.
/// @throws Error if the matrix holds numbers that are not finite.
inline std::vector<double> symmetric_eigenvectors(Strided<double> a) {
  int const n = a.rows;
  double total = 0.0;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      total += a.data[i * a.stride + j] * a.data[i * a.stride + j];
    }
  }
  expects(std::isfinite(total), "symmetric_eigenvectors: a number is not finite");
  DenseDoubles vectors(n, n);  // in rows
  for (int i = 0; i < n; ++i) {
    vectors.all.data[i * n + i] = 1.0;
  }
  double const negligible = 1e-17 * std::sqrt(total);
  bool turned = n > 0;
  for (int sweep = 0; turned; ++sweep) {
    expects(sweep < 60, "symmetric_eigenvectors: no convergence");
    turned = false;
    for (int p = 0; p < n; ++p) {
      for (int q = p + 1; q < n; ++q) {
        if (std::abs(a.data[p * a.stride + q]) > negligible) {
          jacobi_rotation(a, vectors.all, p, q);
          turned = true;
        }
      }
    }
  }
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  auto const value = [&](int i) { return a.data[i * a.stride + i]; };
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return value(i) > value(j); });
  std::transform(order.begin(), order.end(), values.begin(), value);
  for (int row = 0; row < n; ++row) {
    for (int c = 0; c < n; ++c) {
      a.data[row * a.stride + c] = vectors.all.data[order[static_cast<std::size_t>(c)] * n + row];
    }
  }
  return values;
}

}  // namespace m2u::detail
