// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whether a molecule and a protein interact: DrugBAN with the hub's encoder for molecules.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "m2u/encoders/sequence_cnn.hpp"
#include "m2u/ops/bilinear_attention.hpp"
#include "m2u/ops/gather_rows.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/transfer/label_head.hpp"
#include "m2u/transfer/losses.hpp"

namespace m2u {

/// Pairs of molecules (the batch's samples, each there once) and proteins (each there once).
template <ExecutionSpace S>
struct InteractionBatch {
  SequenceBatch<S> proteins;
  RowIndex<S> atoms;     ///< each pair's atoms among the batch's nodes, pair after pair
  RowIndex<S> residues;  ///< each pair's residues among the batch's letters
  GroupPairs<S> pairs;   ///< how many of each a pair has
  LabelBatch<S> labels;  ///< a row per pair, one task
};
template <ExecutionSpace S>
InteractionBatch<S> to_space(CopyTo<S> const& to, InteractionBatch<Host> const& batch) {
  return {to_space(to, batch.proteins), to_space(to, batch.atoms), to_space(to, batch.residues),
          to_space(to, batch.pairs), to_space(to, batch.labels)};
}

struct InteractionOptions {
  int molecule_width = 128;  ///< columns of the molecule encoder's nodes
  SequenceCnnOptions proteins = {};
  int joint = 256;   ///< columns of a pair's vector
  int factors = 3;   ///< products that are summed into one of these columns
  int hidden = 512;  ///< units of the decoder's first two layers
  int middle = 128;  ///< units of its third
  float dropout = 0.2F;
};

/// Linear – ReLU of both sides to joint · factors columns, bilinear attention between atoms and
/// residues, sums of `factors` neighbouring columns, batch norm, and a decoder of three layers with
/// ReLU and batch norm each and one that gives the logit. The sizes are DrugBAN's (Bai et al.,
/// Nature Machine Intelligence 2023); its two attention maps, whose results it adds, are one here.
/// @tparam Encoder of molecules: has nodes(tape, batch) → [nodes, molecule_width], such as Gps
template <class Encoder>
class InteractionModel {
 public:
  /// The encoder's scope should be the one of pre-training.
  InteractionModel(Scope const& scope, Encoder encoder, InteractionOptions const& options = {})
      : encoder_(std::move(encoder)),
        proteins_(scope.scope("protein"), options.proteins),
        left_(scope.scope("molecule_linear"), options.molecule_width,
              options.joint * options.factors),
        right_(scope.scope("protein_linear"), options.proteins.width,
               options.joint * options.factors),
        weight_(scope.vector("attention.weight", options.joint * options.factors,
                             Initialiser::normal(1.0F / std::sqrt(static_cast<float>(
                                                            options.joint * options.factors))))),
        bias_(scope.vector("attention.bias", 1, Initialiser::constant(0.0F))),
        norm_(scope.scope("attention.norm"), options.joint),
        options_(options) {
    int in = options.joint;
    int number = 0;
    for (int const out : {options.hidden, options.hidden, options.middle}) {
      auto const layer = scope.scope("decoder", number++);
      decoder_.emplace_back(layer, in, out);
      decoder_norms_.emplace_back(layer.scope("norm"), out);
      in = out;
    }
    decoder_.emplace_back(scope.scope("decoder", number), in, 1);
  }

  /// What is known of each pair before the decoder: [pairs, joint].
  /// @throws Error if the batch lacks "2d" or "interactions".
  template <ExecutionSpace S, class R>
  Tensor<S, R> represent(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    auto const& graphs = batch.template get<typename Encoder::template Batch<S>>("2d");
    auto const& given = batch.template get<InteractionBatch<S>>("interactions");
    auto const atoms = left_(tape, encoder_.nodes(tape, graphs), Activation::relu);
    auto const residues = right_(tape, proteins_(tape, given.proteins), Activation::relu);
    auto const products = bilinear_attention(
        tape, gather_rows(tape, atoms, given.atoms), gather_rows(tape, residues, given.residues),
        given.pairs, tape.parameter(weight_), tape.parameter(bias_));
    return norm_(tape, matmul(tape, products, neighbours(tape)));
  }

  /// The decoder. @param pairs what `represent` gave  @return [pairs, 1]: logits
  template <ExecutionSpace S, class R>
  Tensor<S, R> classify(Tape<S, R>& tape, Tensor<S, R> const& pairs) const {
    auto x = pairs;
    for (std::size_t i = 0; i < decoder_norms_.size(); ++i) {
      x = decoder_norms_[i](tape, decoder_[i](tape, x, Activation::relu));
      x = dropout(tape, x, options_.dropout);
    }
    return decoder_.back()(tape, x);
  }

  /// @return [pairs, 1]: logits  @throws Error if the batch lacks "2d" or "interactions".
  template <ExecutionSpace S, class R>
  Tensor<S, R> predict(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    return classify(tape, represent(tape, batch));
  }

  /// Binary cross-entropy of the labels.
  template <ExecutionSpace S, class R>
  Losses<S, R> losses(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    return losses(tape, predict(tape, batch), batch);
  }
  /// The same where the logits are there already.
  template <ExecutionSpace S, class R>
  Losses<S, R> losses(Tape<S, R>& tape, Tensor<S, R> const& logits,
                      MultiBatch<S> const& batch) const {
    auto const& labels = batch.template get<InteractionBatch<S>>("interactions").labels;
    auto const loss =
        label_loss(tape, logits, labels.labels, LabelLoss::binary_cross_entropy, labels.weights);
    return {loss, {{"interactions", loss, 1.0, logits.rows(), false}}};
  }

 private:
  /// [joint · factors, joint]: adds neighbouring columns.
  template <ExecutionSpace S, class R>
  Tensor<S, R> neighbours(Tape<S, R>& tape) const {
    auto const matrix = tape.matrix(options_.joint * options_.factors, options_.joint);
    kernels::column_groups(tape.space(), options_.factors, matrix);
    return tape.constant(matrix);
  }

  Encoder encoder_;
  SequenceCnn proteins_;
  Linear left_;
  Linear right_;
  Slice weight_;
  Slice bias_;
  BatchNorm norm_;
  std::vector<Linear> decoder_;
  std::vector<BatchNorm> decoder_norms_;
  InteractionOptions options_;
};

}  // namespace m2u
