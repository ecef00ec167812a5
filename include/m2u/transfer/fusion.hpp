// SPDX-License-Identifier: Apache-2.0
/// @file
/// One vector per sample from the hub's and those generated from it: what fine-tuning works on.
#pragma once

#include <span>
#include <type_traits>

#include "m2u/nn/linear.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/concat_rows.hpp"
#include "m2u/ops/cross_attention.hpp"

namespace m2u {

struct FusionOptions {
  int width = 128;
  int heads = 4;
  float dropout = 0.1F;  ///< of the attention
};

/// M2UMol's fusion: the hub's vector attends to the generated vectors of the same sample, keys =
/// values, with PyTorch's MultiheadAttention (Vaswani et al. 2017), and BatchNorm(query +
/// attention) is the result. Parameters: in_proj [3·width, width] (queries, keys, values stacked),
/// out_proj [width, width], norm.
class Fusion {
 public:
  /// @throws Error if the heads do not divide the width.
  explicit Fusion(Scope const& scope, FusionOptions const& options = {})
      : in_weight_(scope.matrix("in_proj.weight", 3 * options.width, options.width,
                                Initialiser::xavier_uniform(options.width, 3 * options.width))),
        in_bias_(scope.vector("in_proj.bias", 3 * options.width, Initialiser::constant(0.0F))),
        out_(scope.scope("out_proj"), options.width, options.width,
             Initialiser::linear_default(options.width), Initialiser::constant(0.0F)),
        norm_(scope.scope("norm"), options.width),
        options_(options) {
    expects(options.heads > 0 && options.width % options.heads == 0, "Fusion: ", options.heads,
            " heads do not divide the width ", options.width);
  }

  int out() const { return options_.width; }

  /// @param query [samples, width], normalised by the caller as the generated vectors are
  /// @param generated at least one, each [samples, width]; std::vector and std::array convert
  /// @return [samples, width]  @throws Error if there is none or the shapes do not fit.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Tensor<S, R> const& query,
                          std::type_identity_t<std::span<Tensor<S, R> const>> generated) const {
    auto const rows = stacked(tape, query, generated);
    auto const attention =
        cross_attention(tape, projected(tape, query, 0), projected(tape, rows, 1),
                        projected(tape, rows, 2), options_.heads, {.dropout = options_.dropout});
    return norm_(tape, add(tape, query, out_(tape, attention)));
  }

  /// How much each sample attends to each generated vector, averaged over the heads, without
  /// dropout. Not differentiable; parameters as above.
  /// @return [samples, generated vectors], each row sums to 1
  template <ExecutionSpace S, class R>
  Tensor<S, R> weights(Tape<S, R>& tape, Tensor<S, R> const& query,
                       std::type_identity_t<std::span<Tensor<S, R> const>> generated) const {
    auto const rows = stacked(tape, query, generated);
    return cross_attention_weights(tape, projected(tape, query, 0), projected(tape, rows, 1),
                                   options_.heads);
  }

 private:
  template <ExecutionSpace S, class R>
  Tensor<S, R> stacked(Tape<S, R>& tape, Tensor<S, R> const& query,
                       std::span<Tensor<S, R> const> generated) const {
    expects(query.cols() == options_.width, "Fusion: the query ", shape(query), " needs ",
            options_.width, " columns");
    expects(!generated.empty(), "Fusion: no generated vectors; give those of one modality or more");
    for (auto const& part : generated) {
      expects(shape(part) == shape(query), "Fusion: generated vectors ", shape(part),
              " do not fit the query ", shape(query), "; the shapes must be equal");
    }
    return concat_rows(tape, generated);
  }

  /// x times one of the three blocks of in_proj. @param block 0 queries, 1 keys, 2 values
  template <ExecutionSpace S, class R>
  Tensor<S, R> projected(Tape<S, R>& tape, Tensor<S, R> const& x, int block) const {
    int const width = options_.width;
    auto const skipped = static_cast<std::size_t>(block) * static_cast<std::size_t>(width);
    Slice const weight{in_weight_.offset + skipped * static_cast<std::size_t>(width), width, width};
    Slice const bias{in_bias_.offset + skipped, 1, width};
    return linear(tape, x, tape.parameter(weight), tape.parameter(bias));
  }

  Slice in_weight_;
  Slice in_bias_;
  Linear out_;
  BatchNorm norm_;
  FusionOptions options_;
};

}  // namespace m2u
