// SPDX-License-Identifier: Apache-2.0
/// @file
/// Element-wise activations and their derivatives, for kernels that fuse them.
#pragma once

#include <Kokkos_Core.hpp>

#include "m2u/core/exponential.hpp"

namespace m2u {

/// `gelu` is the exact form x·Φ(x); `silu` is x·sigmoid(x); `shifted_softplus` is ln((1 + eˣ) / 2),
/// as in SchNet.
enum class Activation { none, relu, gelu, silu, shifted_softplus };

/// 1 / (1 + e⁻ˣ), by the vectorisable exponential.
template <class R>
KOKKOS_FORCEINLINE_FUNCTION R sigmoid(R x) {
  // Below -80 it is 0 to the last digit that products with x need; one branch, as loops with two
  // do not vectorise.
  R const bounded = x < R(-80) ? R(-80) : x;
  return R(1) / (R(1) + exponential(-bounded));
}

/// The activation at x. The kind is a template argument, so that loops over it vectorise.
template <Activation kind, class R>
KOKKOS_FORCEINLINE_FUNCTION R activate(R x) {
  if constexpr (kind == Activation::relu) {
    return x > R(0) ? x : R(0);
  } else if constexpr (kind == Activation::gelu) {
    return R(0.5) * x * (R(1) + Kokkos::erf(x * R(0.70710678118654752440)));
  } else if constexpr (kind == Activation::silu) {
    return x * sigmoid(x);
  } else if constexpr (kind == Activation::shifted_softplus) {
    // ln(1 + eˣ) without overflow.
    R const positive = x > R(0) ? x : R(0);
    return positive + log1p_unit(exponential(x - R(2) * positive)) - R(0.69314718055994530942);
  } else {
    return x;
  }
}

/// Its derivative at x (relu: 0 at 0, as in PyTorch).
template <Activation kind, class R>
KOKKOS_FORCEINLINE_FUNCTION R activate_derivative(R x) {
  if constexpr (kind == Activation::relu) {
    return x > R(0) ? R(1) : R(0);
  } else if constexpr (kind == Activation::gelu) {
    return R(0.5) * (R(1) + Kokkos::erf(x * R(0.70710678118654752440))) +
           x * R(0.39894228040143267794) * Kokkos::exp(R(-0.5) * x * x);
  } else if constexpr (kind == Activation::silu) {
    R const s = sigmoid(x);
    return s * (R(1) + x * (R(1) - s));
  } else if constexpr (kind == Activation::shifted_softplus) {
    return sigmoid(x);
  } else {
    return R(1);
  }
}

/// Calls f<kind>() for the kind that is known at run time only.
template <class F>
void with_activation(Activation kind, F const& f) {
  switch (kind) {
    case Activation::none:
      return f.template operator()<Activation::none>();
    case Activation::relu:
      return f.template operator()<Activation::relu>();
    case Activation::gelu:
      return f.template operator()<Activation::gelu>();
    case Activation::silu:
      return f.template operator()<Activation::silu>();
    case Activation::shifted_softplus:
      return f.template operator()<Activation::shifted_softplus>();
  }
}

}  // namespace m2u
