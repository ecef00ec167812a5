// SPDX-License-Identifier: Apache-2.0
// Benchmarks of anything that takes a tape: forward, and forward with backward.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "m2u/autodiff/tape.hpp"

#include "support/google.hpp"

namespace bench {

using Tape = m2u::Tape<Space>;
using Tensor = m2u::Tensor<Space>;

/// A matrix of numbers in [-0.5, 0.5).
inline m2u::Matrix<float, Space> random_matrix(Space const& space, int rows, int cols,
                                               std::uint64_t seed) {
  auto const matrix = m2u::make_matrix<float>(space, "m2u::bench::matrix", rows, cols);
  m2u::RandomStream const random{seed, 0};
  std::vector<float> values(matrix.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = random.uniform(i) - 0.5F;
  }
  m2u::from_host(space, std::span<float const>(values), matrix);
  return matrix;
}

/// Registers NAME/forward and NAME/backward (which is both passes) of f(tape, inputs) → tensor.
/// @param inputs shapes of random inputs, all of which get a gradient
/// @param gflop of the forward pass's matrix products
template <class F>
void add_differentiable(Space const& space, m2u::ParameterLayout const& layout,
                        std::string const& name, std::vector<m2u::Shape> const& inputs, F const& f,
                        double gflop = 0.0) {
  struct Work {
    Work(Space const& space, m2u::ParameterLayout const& layout)
        : theta(space, layout, m2u::Seed{1}),
          tape(space, theta, m2u::Mode::training, m2u::Seed{2}) {}
    m2u::Parameters<Space> theta;
    Tape tape;
    std::vector<m2u::Matrix<float, Space>> inputs;
    std::vector<float> ones;
  };
  auto const make = [=](bool backward) -> Step {
    auto const work = std::make_shared<Work>(space, layout);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      work->inputs.push_back(random_matrix(space, inputs[i].rows, inputs[i].cols, i + 1));
    }
    return [=](std::uint64_t number) {
      auto& tape = work->tape;
      tape.reset(number);
      std::vector<Tensor> tensors;
      for (auto const& matrix : work->inputs) {
        tensors.push_back(backward ? tape.variable(matrix) : tape.constant(matrix));
      }
      Tensor const output = f(tape, tensors);
      if (backward) {
        work->ones.resize(output.value.size(), 1.0F);
        tape.backward_from(output, work->ones);
      }
      space.fence();
    };
  };
  add_benchmark(name + "/forward", [=] { return make(false); }, gflop);
  add_benchmark(name + "/backward", [=] { return make(true); }, 3.0 * gflop);
}

}  // namespace bench
