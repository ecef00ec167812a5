// SPDX-License-Identifier: Apache-2.0
/// @file
/// Dense matrix product on any execution space. The back end is chosen by the space at compile
/// time: our own tiles where the host can reach the memory, cuBLAS, hipBLAS, else a plain Kokkos
/// kernel.
#pragma once

#include <array>

#include "m2u/core/error.hpp"
#include "m2u/core/matrix.hpp"
#include "m2u/kernels/row_blocks.hpp"
#include "m2u/linalg/backend/host_gemm.hpp"
#include "m2u/linalg/backend/kokkos.hpp"
#include "m2u/linalg/strided.hpp"
#if defined(KOKKOS_ENABLE_CUDA) && defined(M2U_ENABLE_CUBLAS)
#include "m2u/linalg/backend/cublas.hpp"
#endif
#if defined(KOKKOS_ENABLE_HIP) && defined(M2U_ENABLE_HIPBLAS)
#include "m2u/linalg/backend/hipblas.hpp"
#endif

namespace m2u {

namespace detail {

template <class R>
void expects_product(Strided<R> const& a, Strided<R> const& b, Strided<R> const& c,
                     GemmOptions const& options) {
  Shape const left = options.transpose_a ? Shape{a.cols, a.rows} : Shape{a.rows, a.cols};
  Shape const right = options.transpose_b ? Shape{b.cols, b.rows} : Shape{b.rows, b.cols};
  expects(left.cols == right.rows && c.rows == left.rows && c.cols == right.cols, "gemm: ", left,
          " times ", right, " does not give ", Shape{c.rows, c.cols},
          "; the inner sizes must agree and the result must be rows of the first by columns of the "
          "second");
}

}  // namespace detail

/// c = scale · op(a) · op(b), or c += … with `accumulate`. Runs on `space`, does not wait.
/// The result does not depend on the number of threads.
/// @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
void gemm(S const& space, Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options = {}) {
  detail::expects_product(a, b, c, options);
  if (c.rows == 0 || c.cols == 0) {
    return;
  }
  if constexpr (on_host<S>) {
    backend::host_gemm(space, a, b, c, options);
#if defined(KOKKOS_ENABLE_CUDA) && defined(M2U_ENABLE_CUBLAS)
  } else if constexpr (std::is_same_v<S, Kokkos::Cuda>) {
    backend::cublas_gemm(space, a, b, c, options);
#endif
#if defined(KOKKOS_ENABLE_HIP) && defined(M2U_ENABLE_HIPBLAS)
  } else if constexpr (std::is_same_v<S, Kokkos::HIP>) {
    backend::hipblas_gemm(space, a, b, c, options);
#endif
  } else {
    backend::kokkos_gemm(space, a, b, c, options);
  }
}

/// The same for whole matrices.
template <ExecutionSpace S, class R>
void gemm(S const& space, Matrix<R, S> const& a, Matrix<R, S> const& b, Matrix<R, S> const& c,
          GemmOptions options = {}) {
  gemm(space, strided(a), strided(b), strided(c), options);
}

/// c = scale · op(a) · op(b) (+ c), where `before(team, first, last)` makes rows of `a`, a block of
/// rows_per_block at a time. On the host the product follows while the block is in cache; on a GPU
/// the two are kernels of their own.
template <ExecutionSpace S, class R, class Before>
void gemm_before(S const& space, Strided<R> a, Strided<R> b, Strided<R> c, GemmOptions options,
                 Before const& before) {
  detail::expects_product(a, b, c, options);
  if constexpr (on_host<S>) {
    backend::host_gemm_before(space, a, b, c, options, before);
  } else {
    kernels::for_row_blocks(space, "m2u::linalg::gemm_before", c.rows, before);
    gemm(space, a, b, c, options);
  }
}

/// Where the second factors of gemm_after are kept in the form that the back end multiplies by.
/// They must not change while it is in use. Only hosts have such a form.
template <class R>
using PackedFactors = backend::detail::PackedFactors<R>;

/// A product of gemm_after: a · bᵀ.
template <class R>
struct GemmTerm {
  Strided<R> a;
  Strided<R> b;
};

/// The sum of a · bᵀ over the terms, a block of rows_per_block rows at a time, for `after(team,
/// first, last, block)` to put where it belongs: block points to these rows, c.cols apart. On the
/// host the block is in cache and c is not written; on a GPU the sum is made in c first.
/// @param kept packed factors, or nullptr
/// @param full see GemmOptions
template <std::size_t terms, ExecutionSpace S, class R, class After>
void gemm_after(S const& space, std::array<GemmTerm<R>, terms> const& term, Strided<R> c,
                [[maybe_unused]] PackedFactors<R>* kept, After const& after, bool full = false) {
  GemmOptions options{.transpose_b = true, .full = full};
  for (auto const& [a, b] : term) {
    detail::expects_product(a, b, c, options);
  }
  if constexpr (on_host<S>) {
    std::array<backend::detail::Product<R>, terms> products;
    for (std::size_t t = 0; t < terms; ++t) {
      products[t] = backend::detail::Product<R>(term[t].a, term[t].b, options);
    }
    backend::detail::gemm_by_rows(
        space, products, c.rows, kept, [](auto const&, int, int) {}, after);
  } else {
    for (auto const& [a, b] : term) {
      gemm(space, a, b, c, options);
      options.accumulate = true;
    }
    kernels::for_row_blocks(space, "m2u::linalg::gemm_after", c.rows,
                            kernels::OnBlocks<R, After>{c.data, c.cols, after});
  }
}

}  // namespace m2u
