// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: what a linear layer does to blocks of rows after its product and before the
/// products of its backward pass.
#pragma once

#include "m2u/core/activation.hpp"
#include "m2u/kernels/dropout.hpp"
#include "m2u/kernels/row_blocks.hpp"

namespace m2u::kernels {

/// Calls f(i) for the elements first ≤ i < last, by one team.
template <class Team, class F>
KOKKOS_INLINE_FUNCTION void for_elements(Team const& team, std::ptrdiff_t first,
                                         std::ptrdiff_t last, F const& f) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, static_cast<int>(last - first)),
                       [&](int k) { f(first + k); });
}

/// y = residual + dropout(activation(product + bias)). The kind is known at run time: one kernel
/// for all.
template <class R>
struct LinearFinish {
  R const* bias;      ///< [cols], or nullptr
  R* saved;           ///< [rows, cols] for product + bias, or nullptr
  R* y;               ///< [rows, cols]
  R const* residual;  ///< [rows, cols], or nullptr
  DropoutMask mask;
  Activation activation;
  int cols;

  /// block: rows first … last - 1 of the product.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void operator()(Team const& team, int first, int last, R* block) const {
    switch (activation) {
      case Activation::none:
        return finish<Activation::none>(team, first, last, block);
      case Activation::relu:
        return finish<Activation::relu>(team, first, last, block);
      case Activation::gelu:
        return finish<Activation::gelu>(team, first, last, block);
      case Activation::silu:
        return finish<Activation::silu>(team, first, last, block);
      case Activation::shifted_softplus:
        return finish<Activation::shifted_softplus>(team, first, last, block);
    }
  }

 private:
  template <Activation kind, class Team>
  KOKKOS_INLINE_FUNCTION void finish(Team const& team, int first, int last, R* block) const {
    std::ptrdiff_t const begin = static_cast<std::ptrdiff_t>(first) * cols;
    std::ptrdiff_t const end = static_cast<std::ptrdiff_t>(last) * cols;
    for (int row = 0; row < last - first; ++row) {
      std::ptrdiff_t const at = static_cast<std::ptrdiff_t>(row) * cols;
      finish_row<kind>(team, block + at, begin + at);
    }
    if (!mask.drops()) {
      return;
    }
    team.team_barrier();
    R* const out = y;
    R const* const base = residual;
    R const* const in = block - begin;
    if (base != nullptr) {
      for_dropout<R>(team, mask, begin, end,
                     [=](std::ptrdiff_t i, R factor) { out[i] = base[i] + factor * in[i]; });
    } else {
      for_dropout<R>(team, mask, begin, end,
                     [=](std::ptrdiff_t i, R factor) { out[i] = factor * in[i]; });
    }
  }

  /// Bias and activation; the result stays in the block where dropout follows.
  template <Activation kind, class Team>
  KOKKOS_INLINE_FUNCTION void finish_row(Team const& team, R* in, std::ptrdiff_t at) const {
    R const* const KOKKOS_RESTRICT b = bias;
    R* const KOKKOS_RESTRICT keep = saved == nullptr ? nullptr : saved + at;
    R* const out = mask.drops() ? in : y + at;
    R const* const base = residual == nullptr || mask.drops() ? nullptr : residual + at;
    auto const range = Kokkos::TeamVectorRange(team, cols);
    if (b != nullptr) {
      Kokkos::parallel_for(range, [=](int j) { in[j] += b[j]; });
    }
    if (keep != nullptr) {
      Kokkos::parallel_for(range, [=](int j) { keep[j] = in[j]; });
    }
    if (base != nullptr) {
      Kokkos::parallel_for(range, [=](int j) { out[j] = base[j] + activate<kind>(in[j]); });
    } else {
      Kokkos::parallel_for(range, [=](int j) { out[j] = activate<kind>(in[j]); });
    }
  }
};

/// delta = dropout(dy) · activation'(saved), and the block's sum of delta over its rows.
template <class R>
struct LinearDelta {
  R const* saved;  ///< [rows, cols]: before the activation, or relu's output after dropout
  R const* dy;     ///< [rows, cols]
  R* delta;        ///< [rows, cols], or nullptr: dy is delta
  R* partial;      ///< [row_blocks(rows), cols], or nullptr
  DropoutMask mask;
  Activation activation;
  bool of_output;  ///< `saved` is 0 where the mask drops: no need to draw it again
  int cols;

  template <class Team>
  KOKKOS_INLINE_FUNCTION void operator()(Team const& team, int first, int last) const {
    std::ptrdiff_t const begin = static_cast<std::ptrdiff_t>(first) * cols;
    std::ptrdiff_t const end = static_cast<std::ptrdiff_t>(last) * cols;
    if (delta != nullptr) {
      switch (activation) {
        case Activation::none:
          fill<Activation::none>(team, begin, end);
          break;
        case Activation::relu:
          fill<Activation::relu>(team, begin, end);
          break;
        case Activation::gelu:
          fill<Activation::gelu>(team, begin, end);
          break;
        case Activation::silu:
          fill<Activation::silu>(team, begin, end);
          break;
        case Activation::shifted_softplus:
          fill<Activation::shifted_softplus>(team, begin, end);
          break;
      }
      team.team_barrier();
    }
    if (partial != nullptr) {
      add_rows(team, first, last);
    }
  }

 private:
  template <Activation kind, class Team>
  KOKKOS_INLINE_FUNCTION void fill(Team const& team, std::ptrdiff_t first,
                                   std::ptrdiff_t last) const {
    R const* const KOKKOS_RESTRICT in = saved;
    R const* const KOKKOS_RESTRICT gradient = dy;
    R* const KOKKOS_RESTRICT out = delta;
    if (mask.drops() && !of_output) {
      for_dropout<R>(team, mask, first, last, [=](std::ptrdiff_t i, R factor) {
        out[i] = factor * gradient[i] * activate_derivative<kind>(in[i]);
      });
    } else {
      R const factor = static_cast<R>(mask.kept);
      for_elements(team, first, last, [=](std::ptrdiff_t i) {
        out[i] = factor * gradient[i] * activate_derivative<kind>(in[i]);
      });
    }
  }

  template <class Team>
  KOKKOS_INLINE_FUNCTION void add_rows(Team const& team, int first, int last) const {
    R const* const from = delta != nullptr ? delta : dy;
    auto const columns = cols;
    auto const value = [=](int i, int j) {
      return from[static_cast<std::ptrdiff_t>(i) * columns + j];
    };
    sum_block_rows(team, first, last, cols, R(1), value,
                   partial + static_cast<std::ptrdiff_t>(first / rows_per_block) * cols);
  }
};

}  // namespace m2u::kernels
