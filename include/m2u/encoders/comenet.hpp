// SPDX-License-Identifier: Apache-2.0
/// @file
/// ComENet (Wang et al., NeurIPS 2022) as M2UMol uses it: an encoder of conformers by distances,
/// angles and torsions.
#pragma once

#include <cmath>
#include <vector>

#include "m2u/encoders/pooling.hpp"
#include "m2u/graph/conformer_batch.hpp"
#include "m2u/nn/composed.hpp"
#include "m2u/ops/activation.hpp"
#include "m2u/ops/basis_aggregate.hpp"
#include "m2u/ops/embedding_sum.hpp"
#include "m2u/ops/graph_norm.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/ops/spherical_basis.hpp"

namespace m2u {

struct ComENetOptions {
  int width = 256;
  int middle = 64;  ///< inner size of the filters' two linear maps
  int blocks = 4;
  int radial = 3;  ///< Bessel functions of each order
  int output_layers = 3;
  float cutoff = 8.0F;  ///< Å; must be the radius graph's
  int elements = 95;    ///< atomic numbers 0 … elements - 1
  int out = 128;
  Pooling pooling = Pooling::sum;
};

namespace detail {

/// As the published program starts them: Glorot-uniform weights, no bias.
inline Linear glorot_linear(Scope const& scope, int in, int out) {
  return {scope, in, out, Initialiser::xavier_uniform(in, out), Initialiser::constant(0.0F)};
}
inline Slice glorot_matrix(Scope const& scope, std::string const& name, int in, int out) {
  return scope.matrix(name, out, in, Initialiser::xavier_uniform(in, out));
}

/// layer(x), with the layer `before` taken up that x still has to go through, unless it is nullptr.
template <ExecutionSpace S, class R>
Tensor<S, R> linear_after(Tape<S, R>& tape, Tensor<S, R> const& x, Linear const* before,
                          Linear const& layer,
                          std::type_identity_t<LinearTail<S, R>> const& tail = {}) {
  return before == nullptr ? layer(tape, x, tail) : composed_linear(tape, x, *before, layer, tail);
}

}  // namespace detail

/// One interaction block: two convolutions, whose filters come from (distance, θ, φ) and from
/// (distance, τ), joined, residual layers, graph normalisation. Its last linear layer is `out`,
/// which whatever comes next takes up into its own first one.
class ComENetBlock {
 public:
  ComENetBlock(Scope const& scope, ComENetOptions const& options)
      : in_(detail::glorot_linear(scope.scope("in"), options.width, options.width)),
        angles_(scope, 1, 4 * options.radial, options),
        torsions_(scope, 2, 2 * options.radial, options),
        join_(detail::glorot_linear(scope.scope("join"), 2 * options.width, options.width)),
        weight_(scope.scope("norm").vector("weight", options.width, Initialiser::constant(1.0F))),
        bias_(scope.scope("norm").vector("bias", options.width, Initialiser::constant(0.0F))),
        mean_scale_(
            scope.scope("norm").vector("mean_scale", options.width, Initialiser::constant(1.0F))),
        out_(detail::glorot_linear(scope.scope("out"), options.width, options.width)) {
    for (int i = 0; i < residual_layers; ++i) {
      residual_.push_back(
          detail::glorot_linear(scope.scope("residual", i), options.width, options.width));
    }
  }

  /// @param x [atoms, width]  @param before the layer that x still has to go through, or nullptr
  /// @return [atoms, width], before `out`
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Linear const* before,
                          EdgeBasis<S, R> const& basis, ConformerBatch<S> const& batch) const;

  Linear const& out() const { return out_; }

 private:
  static constexpr int residual_layers = 3;

  /// silu(post(neighbours(Σ x_j ∘ (outer inner f)) + self x)), with `post` taken up into the two
  /// maps before it.
  struct Convolution {
    Convolution(Scope const& scope, int number, int features, ComENetOptions const& options)
        : inner(detail::glorot_matrix(scope.scope("filter", number), "inner", features,
                                      options.middle)),
          outer(detail::glorot_matrix(scope.scope("filter", number), "outer", options.middle,
                                      options.width)),
          neighbours(detail::glorot_linear(scope.scope("conv", number).scope("neighbours"),
                                           options.width, options.width)),
          self(detail::glorot_matrix(scope.scope("conv", number), "self", options.width,
                                     options.width)),
          post(detail::glorot_linear(scope.scope("post", number), options.width, options.width)) {}

    template <ExecutionSpace S, class R>
    Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Matrix<R, S> const& features,
                            ConformerBatch<S> const& batch) const {
      auto const filter = matmul(tape, tape.parameter(outer), tape.parameter(inner));
      auto const sum =
          basis_aggregate(tape, x, filter, features, batch.incoming, batch.source, batch.target);
      return linear(tape,
                    std::array{LinearTerm<S, R>{
                                   sum, composed_weight(tape, neighbours.weight(), post.weight())},
                               LinearTerm<S, R>{x, composed_weight(tape, self, post.weight())}},
                    composed_bias(tape, neighbours.bias(), post),
                    LinearTail<S, R>{.activation = Activation::silu});
    }

    Slice inner;
    Slice outer;
    Linear neighbours;
    Slice self;
    Linear post;
  };

  Linear in_;
  Convolution angles_;
  Convolution torsions_;
  Linear join_;
  std::vector<Linear> residual_;
  Slice weight_;
  Slice bias_;
  Slice mean_scale_;
  Linear out_;
};

/// Atoms in, one row per conformer out. Rotations, translations and the order of atoms do not
/// matter; mirror images differ. The batch's edges need a geometry (RadiusGraphOptions::geometry),
/// smooth or published. Atoms without neighbours and coincident atoms are fine.
class ComENet {
 public:
  template <ExecutionSpace S>
  using Batch = ConformerBatch<S>;

  explicit ComENet(Scope const& scope, ComENetOptions const& options = {})
      : elements_({options.elements}),
        embedding_(scope.scope("embedding")
                       .matrix("weight", options.elements, options.width,
                               Initialiser::uniform(std::sqrt(3.0F)))),
        readout_(detail::glorot_linear(scope.scope("readout"), options.width, options.out)),
        options_(options) {
    for (int b = 0; b < options.blocks; ++b) {
      blocks_.emplace_back(scope.scope("block", b), options);
    }
    for (int i = 0; i < options.output_layers; ++i) {
      output_.push_back(
          detail::glorot_linear(scope.scope("output", i), options.width, options.width));
    }
  }

  int out() const { return options_.out; }

  /// The batch must outlive the tape's backward pass, which reads its atomic numbers.
  /// @return [conformers, out]  @throws Error if the edges have no geometry.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, ConformerBatch<S> const& batch) const;

  /// One row per atom, before the readout's sum.
  /// @return [atoms, out]  @throws Error if the edges have no geometry.
  template <ExecutionSpace S, class R>
  Tensor<S, R> atoms(Tape<S, R>& tape, ConformerBatch<S> const& batch) const;

  /// The same with the edges' basis given: [edges, 4 · radial] and [edges, 2 · radial], in the
  /// batch's order of edges.
  template <ExecutionSpace S, class R>
  Tensor<S, R> atoms(Tape<S, R>& tape, ConformerBatch<S> const& batch,
                     EdgeBasis<S, R> const& basis) const;

 private:
  Vocabularies elements_;
  Slice embedding_;
  std::vector<ComENetBlock> blocks_;
  std::vector<Linear> output_;
  Linear readout_;
  ComENetOptions options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> ComENetBlock::operator()(Tape<S, R>& tape, Tensor<S, R> const& x, Linear const* before,
                                      EdgeBasis<S, R> const& basis,
                                      ConformerBatch<S> const& batch) const {
  auto const start = detail::linear_after(tape, x, before, in_, {.activation = Activation::silu});
  tape.drop(x);
  auto const angles = angles_(tape, start, basis.angles, batch);
  auto const torsions = torsions_(tape, start, basis.torsions, batch);
  std::vector<Tensor<S, R>> h{join_(tape, angles, torsions, {.residual = start})};
  for (auto const& dropped : {torsions, angles, start}) {
    tape.drop(dropped);
  }
  for (auto const& layer : residual_) {
    h.push_back(layer(tape, h.back(), {.activation = Activation::silu, .residual = h.back()}));
  }
  auto const y = graph_norm(tape, h.back(), batch.atoms, tape.parameter(weight_),
                            tape.parameter(bias_), tape.parameter(mean_scale_));
  for (; !h.empty(); h.pop_back()) {  // the last first: it is made again of those before
    tape.drop(h.back());
  }
  return y;
}

template <ExecutionSpace S, class R>
Tensor<S, R> ComENet::operator()(Tape<S, R>& tape, ConformerBatch<S> const& batch) const {
  return pool(tape, atoms(tape, batch), batch.atoms, options_.pooling);
}

template <ExecutionSpace S, class R>
Tensor<S, R> ComENet::atoms(Tape<S, R>& tape, ConformerBatch<S> const& batch) const {
  expects(batch.incoming.total == 0 || batch.geometry.extent_int(1) == edge_geometry_columns,
          "ComENet: the conformers' edges have no geometry; make the radius graphs with "
          "RadiusGraphOptions::geometry (EdgeGeometry::smooth or published), and tables with "
          "ConformerModality::geometry");
  return atoms(
      tape, batch,
      spherical_basis(tape, batch.distances, batch.geometry, options_.radial, R(options_.cutoff)));
}

template <ExecutionSpace S, class R>
Tensor<S, R> ComENet::atoms(Tape<S, R>& tape, ConformerBatch<S> const& batch,
                            EdgeBasis<S, R> const& basis) const {
  expects_elements(batch, options_.elements, "ComENet");
  Matrix<int, S> const numbers(batch.atomic_numbers.data(), batch.atoms.total, 1);
  Linear const* before = nullptr;
  auto const last = tape.internal([&] {
    auto x = activation(tape, embedding_sum(tape, tape.parameter(embedding_), elements_, numbers),
                        Activation::silu);
    for (auto const& block : blocks_) {
      x = block(tape, x, before, basis, batch);
      before = &block.out();
    }
    for (auto const& layer : output_) {
      auto const y = detail::linear_after(tape, x, before, layer, {.activation = Activation::silu});
      tape.drop(x);
      x = y;
      before = nullptr;
    }
    return x;
  });
  auto const y = detail::linear_after(tape, last, before, readout_);
  tape.drop(last);
  return y;
}

}  // namespace m2u
