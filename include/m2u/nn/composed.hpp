// SPDX-License-Identifier: Apache-2.0
/// @file
/// Two linear layers with nothing between them as one: a third of the work where rows are many, and
/// the rows between are never stored.
#pragma once

#include "m2u/nn/linear.hpp"
#include "m2u/ops/matmul.hpp"

namespace m2u {

namespace detail {

/// f() once for these two parameters in inference, where it can't change; each time otherwise.
template <ExecutionSpace S, class R, class F>
Tensor<S, R> composed(Tape<S, R>& tape, Slice const& first, Slice const& second, Shape size,
                      F const& f) {
  auto* const cache = tape.inference_cache();
  if (cache == nullptr) {
    return f();
  }
  R const* const sources[] = {tape.parameter(first).value.data(),
                              tape.parameter(second).value.data()};
  return tape.constant(
      cache->find(tape.space(), sources[0], sources[1], R(0), size,
                  [&](Matrix<R, S> const& to) { Kokkos::deep_copy(tape.space(), to, f().value); }));
}

}  // namespace detail

/// The weight of x ↦ second · (first · x). @param first [middle, in]  @param second [out, middle]
/// @return [out, in]
template <ExecutionSpace S, class R>
Tensor<S, R> composed_weight(Tape<S, R>& tape, Slice const& first, Slice const& second) {
  return detail::composed(tape, first, second, {second.rows, first.cols}, [&] {
    return matmul(tape, tape.parameter(second), tape.parameter(first));
  });
}

/// The bias of `second` after a layer with the bias `first`. @param first [1, middle]
/// @return [1, out]
template <ExecutionSpace S, class R>
Tensor<S, R> composed_bias(Tape<S, R>& tape, Slice const& first, Linear const& second) {
  return detail::composed(tape, first, second.weight(), {1, second.out()},
                          [&] { return second(tape, tape.parameter(first)); });
}

/// second(first(x)), with what follows it. @param x [rows, first.in()]  @return [rows,
/// second.out()]
template <ExecutionSpace S, class R>
Tensor<S, R> composed_linear(Tape<S, R>& tape, Tensor<S, R> const& x, Linear const& first,
                             Linear const& second,
                             std::type_identity_t<LinearTail<S, R>> const& tail = {}) {
  return linear(
      tape, std::array{LinearTerm<S, R>{x, composed_weight(tape, first.weight(), second.weight())}},
      composed_bias(tape, first.bias(), second), tail);
}

}  // namespace m2u
