// SPDX-License-Identifier: Apache-2.0
/// @file
/// The largest singular values of a sparse matrix and their right singular vectors, by randomised
/// subspace iteration (Halko, Martinsson and Tropp, SIAM Review 2011).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/core/error.hpp"
#include "m2u/core/random.hpp"
#include "m2u/data/sparse_row.hpp"

namespace m2u {

struct SparseSvdOptions {
  int oversampling = 16;   ///< columns of the basis beyond the rank that is asked for
  int iterations = 8;      ///< products with A·Aᵀ, each followed by orthonormalisation
  std::uint64_t seed = 0;  ///< of the random start
  int threads = 0;         ///< 0 for all; the result does not depend on it
};

/// The right singular vectors of a matrix A of `cols` columns: A ≈ (A·V)·Vᵀ.
struct SparseSvd {
  int rank = 0;                 ///< as asked for, or less if A has less
  std::vector<double> values;   ///< [rank], falling
  std::vector<double> vectors;  ///< V [cols, rank], row-major; the largest of a column is positive
};

/// The right singular vectors of the `rank` largest singular values of a sparse matrix; exact up to
/// rounding if rank + oversampling reaches the smaller extent, else close to it. Singular values
/// below 1e-6 of the largest count as zero. The basis lies on the smaller side of the matrix, in
/// double precision.
/// @throws Error if an option is out of range or a column is outside 0 … cols - 1.
SparseSvd sparse_svd(std::span<SparseRow const> rows, int cols, int rank,
                     SparseSvdOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <algorithm>
#include <cmath>
#include <thread>

#include "m2u/linalg/backend/eigen_symmetric.hpp"
#include "m2u/linalg/backend/host_gemm.hpp"

namespace m2u {

namespace detail {

/// A sparse matrix by rows.
struct CompressedRows {
  int rows = 0;
  int cols = 0;
  std::vector<std::size_t> starts;  ///< [rows + 1]
  std::vector<int> columns;
  std::vector<float> values;
};

inline CompressedRows compressed_rows(std::span<SparseRow const> rows, int cols) {
  CompressedRows result{static_cast<int>(rows.size()), cols, {0}, {}, {}};
  for (auto const& row : rows) {
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
      expects(row.columns[i] >= 0 && row.columns[i] < cols, "sparse_svd: column ", row.columns[i],
              " of ", cols);
      result.columns.push_back(row.columns[i]);
      result.values.push_back(row.weights.empty() ? 1.0F : row.weights[i]);
    }
    result.starts.push_back(result.columns.size());
  }
  return result;
}

inline CompressedRows transposed(CompressedRows const& a) {
  CompressedRows result{a.cols, a.rows,
                        std::vector<std::size_t>(static_cast<std::size_t>(a.cols) + 1),
                        std::vector<int>(a.columns.size()), std::vector<float>(a.values.size())};
  for (int const column : a.columns) {
    ++result.starts[static_cast<std::size_t>(column) + 1];
  }
  for (std::size_t i = 1; i < result.starts.size(); ++i) {
    result.starts[i] += result.starts[i - 1];
  }
  auto next = result.starts;
  for (int row = 0; row < a.rows; ++row) {
    for (auto i = a.starts[static_cast<std::size_t>(row)];
         i < a.starts[static_cast<std::size_t>(row) + 1]; ++i) {
      auto const at = next[static_cast<std::size_t>(a.columns[i])]++;
      result.columns[at] = row;
      result.values[at] = a.values[i];
    }
  }
  return result;
}

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

/// y = a·x, both dense.
inline void multiply(CompressedRows const& a, Strided<double> x, Strided<double> y, int threads) {
  for_row_blocks(a.rows, threads, [&](int first, int count) {
    for (int row = first; row < first + count; ++row) {
      double* const out = y.data + row * y.stride;
      std::fill(out, out + y.cols, 0.0);
      for (auto i = a.starts[static_cast<std::size_t>(row)];
           i < a.starts[static_cast<std::size_t>(row) + 1]; ++i) {
        double const weight = a.values[i];
        double const* const in = x.data + a.columns[i] * x.stride;
        for (int c = 0; c < y.cols; ++c) {
          out[c] += weight * in[c];
        }
      }
    }
  });
}

/// y = b·(bᵀ·y), a few columns at a time: bᵀ·y may be much larger than y.
inline void multiply_twice(CompressedRows const& b, CompressedRows const& b_transposed,
                           Strided<double> y, int threads) {
  constexpr int block = 64;
  std::vector<double> memory(static_cast<std::size_t>(b.cols) *
                             static_cast<std::size_t>(std::min(block, y.cols)));
  for (int first = 0; first < y.cols; first += block) {
    int const count = std::min(block, y.cols - first);
    Strided<double> const columns{y.data + first, y.rows, count, y.stride};
    Strided<double> const inner{memory.data(), b.cols, count, count};
    multiply(b_transposed, columns, inner, threads);
    multiply(b, inner, columns, threads);
  }
}

/// c = op(a)·b in blocks of rows, so that the bits do not depend on the number of threads.
inline void multiply_dense(Strided<double> a, Strided<double> b, Strided<double> c,
                           bool transpose_a, int threads) {
  for_row_blocks(c.rows, threads, [&](int first, int count) {
    backend::host_gemm_block(a, b, c, {.transpose_a = transpose_a}, first, count);
  });
}

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

/// A singular vector's sign is free: the largest entry of each column shall be positive.
inline void fix_signs(Strided<double> v) {
  for (int c = 0; c < v.cols; ++c) {
    double largest = 0.0;
    for (int row = 0; row < v.rows; ++row) {
      double const x = v.data[row * v.stride + c];
      largest = std::abs(x) > std::abs(largest) ? x : largest;
    }
    for (int row = 0; largest < 0.0 && row < v.rows; ++row) {
      v.data[row * v.stride + c] *= -1.0;
    }
  }
}

}  // namespace detail

M2U_INLINE SparseSvd sparse_svd(std::span<SparseRow const> rows, int cols, int rank,
                                SparseSvdOptions const& options) {
  expects(cols >= 0 && rank > 0 && options.oversampling >= 0 && options.iterations >= 0,
          "sparse_svd: ", cols, " columns, rank ", rank, ", oversampling ", options.oversampling,
          ", ", options.iterations, " iterations");
  auto const a = detail::compressed_rows(rows, cols);
  auto const a_transposed = detail::transposed(a);
  bool const by_rows = a.rows <= a.cols;  // the basis is of left singular vectors
  auto const& b = by_rows ? a : a_transposed;
  auto const& b_transposed = by_rows ? a_transposed : a;
  int const size = std::min(rank + options.oversampling, b.rows);
  detail::DenseDoubles basis(b.rows, size);
  RandomStream const random{options.seed, stream_of("m2u::sparse_svd")};
  for (std::size_t i = 0; i < basis.memory.size(); ++i) {
    basis.memory[i] = random.uniform(i) - 0.5;
  }
  backend::orthonormalise_columns(basis.all);
  for (int i = 0; i < options.iterations; ++i) {
    detail::multiply_twice(b, b_transposed, basis.all, options.threads);
    backend::orthonormalise_columns(basis.all);
  }
  // Within the basis: eigenvectors of basisᵀ·b·bᵀ·basis.
  detail::DenseDoubles image(b.rows, size);
  image.memory = basis.memory;
  image.all.data = image.memory.data();
  detail::multiply_twice(b, b_transposed, image.all, options.threads);
  detail::DenseDoubles small(size, size);
  detail::multiply_dense(basis.all, image.all, small.all, true, options.threads);
  auto const squares =
      size > 0 ? backend::symmetric_eigenvectors(small.all) : std::vector<double>();
  SparseSvd result;
  while (result.rank < std::min(rank, size)) {
    double const square = squares[static_cast<std::size_t>(result.rank)];
    if (!(square > 1e-12 * squares.front())) {
      break;
    }
    result.values.push_back(std::sqrt(square));
    ++result.rank;
  }
  Strided<double> const chosen{small.all.data, size, result.rank, size};
  detail::DenseDoubles vectors(b.rows, result.rank);
  detail::multiply_dense(basis.all, chosen, vectors.all, false, options.threads);
  result.vectors.resize(static_cast<std::size_t>(cols) * static_cast<std::size_t>(result.rank));
  Strided<double> const right{result.vectors.data(), cols, result.rank, result.rank};
  if (by_rows) {  // from left to right: Aᵀ·u / σ
    detail::multiply(a_transposed, vectors.all, right, options.threads);
    for (std::size_t i = 0; i < result.vectors.size(); ++i) {
      result.vectors[i] /= result.values[i % result.values.size()];
    }
  } else {
    result.vectors = std::move(vectors.memory);
  }
  detail::fix_signs({result.vectors.data(), cols, result.rank, result.rank});
  return result;
}

}  // namespace m2u

#endif
