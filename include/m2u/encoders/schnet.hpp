// SPDX-License-Identifier: Apache-2.0
/// @file
/// SchNet (Schütt et al., NeurIPS 2017): an encoder of conformers by continuous-filter
/// convolutions.
#pragma once

#include <vector>

#include "m2u/encoders/pooling.hpp"
#include "m2u/graph/conformer_batch.hpp"
#include "m2u/nn/embedding_sum.hpp"
#include "m2u/nn/mlp.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/filter_aggregate.hpp"
#include "m2u/ops/radial_basis.hpp"

namespace m2u {

struct SchNetOptions {
  int width = 128;
  int filters = 128;
  int interactions = 3;
  int gaussians = 32;
  float cutoff = 8.0F;  ///< Å; filters fade to zero there, so it should be the radius graph's
  int elements = 95;    ///< atomic numbers 0 … elements - 1
  int out = 128;
  Pooling pooling = Pooling::sum;
};

/// Atoms in, one row per conformer out. Depends on distances only, so rotations, translations and
/// the order of atoms do not matter. Atoms without neighbours and coincident atoms are fine.
class SchNet {
 public:
  template <ExecutionSpace S>
  using Batch = ConformerBatch<S>;

  explicit SchNet(Scope const& scope, SchNetOptions const& options = {})
      : embedding_(scope.scope("embedding"), {options.elements}, options.width),
        readout_(scope.scope("readout"), options.width, options.width, options.out,
                 {.activation = Activation::shifted_softplus}),
        options_(options) {
    for (int i = 0; i < options.interactions; ++i) {
      blocks_.emplace_back(scope.scope("interaction", i), options);
    }
  }

  int out() const { return options_.out; }

  /// The batch must outlive the tape's backward pass, which reads its atomic numbers.
  /// @return [conformers, out]
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, ConformerBatch<S> const& batch) const;

 private:
  struct Interaction {
    Interaction(Scope const& scope, SchNetOptions const& options)
        : filter(scope.scope("filter"), options.gaussians, options.filters, options.filters,
                 {.activation = Activation::shifted_softplus}),
          in(scope.scope("in"), options.width, options.filters),
          out(scope.scope("out"), options.filters, options.width, options.width,
              {.activation = Activation::shifted_softplus}) {}

    template <ExecutionSpace S, class R>
    Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& basis,
                            ConformerBatch<S> const& batch, float cutoff) const {
      auto const filters = fade(tape, filter(tape, basis), batch.distances, R(cutoff));
      auto const messages =
          filter_aggregate(tape, in(tape, x), filters, batch.incoming, batch.source, batch.target);
      return out(tape, messages);
    }

    Mlp filter;
    Linear in;
    Mlp out;
  };

  EmbeddingSum embedding_;
  std::vector<Interaction> blocks_;
  Mlp readout_;
  SchNetOptions options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> SchNet::operator()(Tape<S, R>& tape, ConformerBatch<S> const& batch) const {
  expects_elements(batch, options_.elements, "SchNet");
  Matrix<int, S> const numbers(batch.atomic_numbers.data(), batch.atoms.total, 1);
  auto x = embedding_(tape, numbers);
  auto const basis =
      tape.constant(radial_basis(tape, batch.distances, options_.gaussians, R(options_.cutoff)));
  for (auto const& block : blocks_) {
    x = add(tape, x, block(tape, x, basis, batch, options_.cutoff));
  }
  return pool(tape, readout_(tape, x), batch.atoms, options_.pooling);
}

}  // namespace m2u
