// SPDX-License-Identifier: Apache-2.0
/// @file
/// Linear map with all that usually surrounds it, in one op: bias, activation, dropout, residual.
#pragma once

#include <array>
#include <optional>
#include <type_traits>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/columns.hpp"
#include "m2u/kernels/linear.hpp"
#include "m2u/linalg/gemm.hpp"

namespace m2u {

/// A product in a linear map: x times columns of a weight.
template <ExecutionSpace S, class R>
struct LinearTerm {
  Tensor<S, R> x;       ///< [rows, in]
  Tensor<S, R> weight;  ///< [out, in], as in PyTorch, or wider
  int column = 0;       ///< the first of the weight's columns that x meets
};

/// What follows a linear map.
template <ExecutionSpace S, class R>
struct LinearTail {
  Activation activation = Activation::none;
  float dropout = 0.0F;                                 ///< in training only
  std::optional<Tensor<S, R>> residual = std::nullopt;  ///< [rows, out], added at the end
};

namespace detail {

template <ExecutionSpace S, class R, std::size_t terms>
struct LinearCall {
  std::array<LinearTerm<S, R>, terms> term;
  std::optional<Tensor<S, R>> bias;
  LinearTail<S, R> tail;
  kernels::DropoutMask mask;
  Matrix<R, S> saved;  ///< what the activation's derivative is taken at

  int rows() const { return term[0].x.rows(); }
  int out() const { return term[0].weight.rows(); }

  Strided<R> weight(Matrix<R, S> const& all, std::size_t t) const {
    return strided_columns(all, term[t].column, term[t].x.cols());
  }

  void check() const {
    for (auto const& [x, weight, column] : term) {
      expects(column >= 0 && x.cols() + column <= weight.cols() &&
                  (column > 0 || terms > 1 || x.cols() == weight.cols()),
              "linear: input ", shape(x), " does not fit weight ", shape(weight),
              " ([out, in]); the input needs ", weight.cols() - column, " columns");
      expects(x.rows() == rows() && weight.rows() == out(), "linear: input ", shape(x),
              " and weight ", shape(weight), " do not fit the first ones, ", shape(term[0].x),
              " and ", shape(term[0].weight));
    }
    expects(!bias || shape(*bias) == Shape{1, out()}, "linear: bias ",
            bias ? shape(*bias) : Shape{}, " does not fit weight ", shape(term[0].weight),
            "; it must be ", Shape{1, out()});
    expects(!tail.residual || shape(*tail.residual) == Shape{rows(), out()}, "linear: residual ",
            tail.residual ? shape(*tail.residual) : Shape{}, " does not fit the output ",
            Shape{rows(), out()});
    expects(tail.dropout >= 0.0F && tail.dropout < 1.0F, "linear: the dropout probability ",
            tail.dropout, " is outside [0, 1); with 1 nothing would be left");
  }

  bool bias_differentiable() const { return bias && bias->differentiable(); }
  bool differentiable() const {
    bool any = bias_differentiable() || (tail.residual && tail.residual->differentiable());
    for (auto const& t : term) {
      any = any || t.x.differentiable() || t.weight.differentiable();
    }
    return any;
  }

  /// Whether the activation's derivative is taken from the output: relu's shows in it, if only
  /// scaled by dropout.
  bool of_output() const { return tail.activation == Activation::relu && !tail.residual; }

  /// The products and what follows them, into y.
  void forward(Tape<S, R>& tape, Matrix<R, S> const& y) const {
    std::array<GemmTerm<R>, terms> products;
    for (std::size_t t = 0; t < terms; ++t) {
      products[t] = {strided(term[t].x.value), weight(term[t].weight.value, t)};
    }
    auto* packed = tape.packed_weights(term[0].weight.value.data());
    for (auto const& t : term) {
      packed = tape.packed_weights(t.weight.value.data()) == nullptr ? nullptr : packed;
    }
    bool const keep = tail.activation != Activation::none && !of_output();
    kernels::LinearFinish<R> const finish{bias ? bias->value.data() : nullptr,
                                          keep ? saved.data() : nullptr,
                                          y.data(),
                                          tail.residual ? tail.residual->value.data() : nullptr,
                                          mask,
                                          tail.activation,
                                          out()};
    gemm_after(tape.space(), products, strided(y), packed, finish);
  }

  /// Whether y can be made again from what is saved, without a product.
  bool repeats() const {
    return tail.activation != Activation::none && !of_output() && !mask.drops();
  }

  /// y = residual + activation(saved)
  void repeat(S const& space, Matrix<R, S> const& y) const {
    kernels::LinearFinish<R> const finish{
        nullptr, nullptr,         y.data(), tail.residual ? tail.residual->value.data() : nullptr,
        mask,    tail.activation, out()};
    kernels::for_row_blocks(
        space, "m2u::ops::linear_again", rows(),
        kernels::OnBlocks<R, kernels::LinearFinish<R>>{saved.data(), out(), finish});
  }

  /// Gradients of the inputs, which first need delta and its sums: `prepare` makes them.
  void inputs_backward(Tape<S, R>& tape, Matrix<R, S> const& delta,
                       kernels::LinearDelta<R> const& prepare) const {
    bool prepared = false;
    for (std::size_t t = 0; t < terms; ++t) {
      if (!term[t].x.differentiable()) {
        continue;
      }
      auto const [dx, accumulate] = tape.gradient(term[t].x);
      GemmOptions const options{.accumulate = accumulate};
      if (prepared) {
        gemm(tape.space(), strided(delta), weight(term[t].weight.value, t), strided(dx), options);
      } else {
        gemm_before(tape.space(), strided(delta), weight(term[t].weight.value, t), strided(dx),
                    options, prepare);
        prepared = true;
      }
    }
    if (!prepared) {
      kernels::for_row_blocks(tape.space(), "m2u::ops::linear_delta", rows(), prepare);
    }
  }

  void weights_backward(Tape<S, R>& tape, Matrix<R, S> const& delta) const {
    for (std::size_t t = 0; t < terms; ++t) {
      if (!term[t].weight.differentiable()) {
        continue;
      }
      auto const [dw, accumulate] = tape.gradient(term[t].weight);
      if (!accumulate && term[t].x.cols() != dw.extent_int(1)) {
        Kokkos::deep_copy(tape.space(), dw, R(0));  // columns that only other terms meet
      }
      gemm(tape.space(), strided(delta), strided(term[t].x.value), weight(dw, t),
           {.transpose_a = true, .accumulate = accumulate});
    }
  }

  void backward(Tape<S, R>& tape, Matrix<R, S> const& dy) const {
    bool const same = tail.activation == Activation::none && !mask.drops();
    auto const delta = same ? dy : tape.matrix(rows(), out());
    Matrix<R, S> partial;
    if (bias_differentiable()) {
      partial = tape.matrix(row_blocks(rows()), out());
    }
    Matrix<R, S> const& at = tail.activation == Activation::none ? dy : saved;
    inputs_backward(tape, delta,
                    {at.data(), dy.data(), same ? nullptr : delta.data(), partial.data(), mask,
                     tail.activation, of_output(), out()});
    weights_backward(tape, delta);
    if (bias_differentiable()) {
      auto const [db, accumulate] = tape.gradient(*bias);
      kernels::combine_blocks(tape.space(), partial, db, accumulate);
    }
    if (tail.residual && tail.residual->differentiable()) {
      tape.pass_gradient(*tail.residual, dy);
    }
  }
};

}  // namespace detail

/// y = residual + dropout(activation(Σ x · weightᵀ + bias)), summed over the terms: inputs side by
/// side (one weight, columns one after another) or maps that are added up.
/// @param bias [1, out]  @return [rows, out]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R, std::size_t terms>
Tensor<S, R> linear(Tape<S, R>& tape, std::array<LinearTerm<S, R>, terms> const& term,
                    std::type_identity_t<std::optional<Tensor<S, R>>> const& bias,
                    std::type_identity_t<LinearTail<S, R>> const& tail = {}) {
  static_assert(terms > 0);
  detail::LinearCall<S, R, terms> call{term, bias, tail, {}, {}};
  call.check();
  bool const drop = tape.training() && tail.dropout > 0.0F;
  if (drop) {
    call.mask = kernels::DropoutMask(tape.random_stream(), tail.dropout);
  }
  auto const y = tape.result(call.rows(), call.out(), call.differentiable());
  bool const keep = tail.activation != Activation::none && !call.of_output();
  call.saved = keep ? tape.matrix(call.rows(), call.out()) : y.value;
  call.forward(tape, y.value);
  if (call.repeats()) {
    tape.remember(y, [call, space = tape.space(), y] { call.repeat(space, y.value); });
  }
  tape.record("linear", y,
              [=](Tape<S, R>& back, Matrix<R, S> const& dy) { call.backward(back, dy); });
  return y;
}

/// y = residual + dropout(activation(x · weightᵀ + bias)).
/// @param x [rows, in]  @param weight [out, in], as in PyTorch  @param bias [1, out]
/// @return [rows, out]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> linear(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight,
                    Tensor<S, R> const& bias, std::type_identity_t<LinearTail<S, R>> const& tail) {
  return linear(tape, std::array{LinearTerm<S, R>{x, weight}}, bias, tail);
}
template <ExecutionSpace S, class R>
Tensor<S, R> linear(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight,
                    Tensor<S, R> const& bias, Activation activation = Activation::none) {
  return linear(tape, x, weight, bias, LinearTail<S, R>{.activation = activation});
}
/// y = x · weightᵀ.
template <ExecutionSpace S, class R>
Tensor<S, R> linear(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& weight) {
  return linear(tape, std::array{LinearTerm<S, R>{x, weight}}, std::nullopt);
}

}  // namespace m2u
