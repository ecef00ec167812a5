// SPDX-License-Identifier: Apache-2.0
// Included by both translation units, so that both hold the same instantiations.
#pragma once

#include <vector>

#include "m2u/autodiff/tape.hpp"
#include "m2u/compiled.hpp"
#include "m2u/core/copy_to.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/ops/cosine_loss.hpp"

/// The gradients of a small model.
template <m2u::ExecutionSpace S>
std::vector<float> toy_gradients(S const& space) {
  m2u::ParameterLayout layout;
  m2u::Linear const linear{layout.scope("linear"), 2, 2};
  m2u::Parameters<S> const theta{space, layout, m2u::Seed{1}};
  m2u::Tape<S> tape{space, theta, m2u::Mode::training};
  auto const input = m2u::host_matrix("x", 2, 2, std::vector<float>{1, 2, 3, 4});
  auto const x = tape.constant(m2u::to_space<S>(space, input));
  theta.zero_gradients(space);
  tape.backward(m2u::cosine_loss(tape, linear(tape, x), x));
  return m2u::to_host(space, theta.gradients());
}
