// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolutions over sequences of letters, for example proteins, without padding.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/core/ragged.hpp"
#include "m2u/nn/embedding_sum.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/unfold.hpp"

namespace m2u {

/// Sequences: rows are letters, groups are sequences.
template <ExecutionSpace S>
struct SequenceBatch {
  Ragged<S> sequences;
  Matrix<int, S> letters;  ///< [letters, 1], each below the encoder's number of letters
};
template <ExecutionSpace S>
SequenceBatch<S> to_space(CopyTo<S> const& to, SequenceBatch<Host> const& batch) {
  return {to_space(to, batch.sequences), to_space(to, batch.letters)};
}

/// The letters of amino acids as numbers: A … Z are 1 … 26, all else is 0. Lower case counts as
/// upper case.
inline constexpr int protein_letters = 27;
inline int protein_letter(char letter) {
  if (letter >= 'a' && letter <= 'z') {
    return letter - 'a' + 1;
  }
  return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 1 : 0;
}

/// Joins proteins into a batch; of longer ones only the first `longest` residues are used.
/// @throws Error if one is empty.
inline SequenceBatch<Host> make_protein_batch(std::vector<std::string_view> const& proteins,
                                              int longest) {
  std::vector<int> lengths;
  std::vector<int> letters;
  for (auto const protein : proteins) {
    expects(!protein.empty(), "make_protein_batch: a protein is empty");
    auto const used = protein.substr(0, static_cast<std::size_t>(longest));
    lengths.push_back(static_cast<int>(used.size()));
    for (char const letter : used) {
      letters.push_back(protein_letter(letter));
    }
  }
  auto const rows = static_cast<int>(letters.size());
  return {make_ragged(lengths), host_matrix("m2u::encoders::letters", rows, 1, letters)};
}

struct SequenceCnnOptions {
  int letters = protein_letters;
  int width = 128;
  std::vector<int> windows = {3, 6, 9};  ///< one convolution each
};

/// DrugBAN's encoder of proteins (Bai et al., Nature Machine Intelligence 2023): embedding, then
/// convolution – ReLU – batch norm for each window. Sequences are not padded to one length: a
/// convolution sees zeros beyond the ends, and no row stands for padding.
class SequenceCnn {
 public:
  explicit SequenceCnn(Scope const& scope, SequenceCnnOptions const& options = {})
      : embedding_(scope.scope("embedding"), {options.letters}, options.width), options_(options) {
    for (std::size_t i = 0; i < options.windows.size(); ++i) {
      auto const layer = scope.scope("convolution", static_cast<int>(i));
      convolutions_.emplace_back(layer, options.windows[i] * options.width, options.width);
      norms_.emplace_back(layer.scope("norm"), options.width);
    }
  }

  int out() const { return options_.width; }

  /// @return [letters, width]: a row per letter
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, SequenceBatch<S> const& batch) const;

 private:
  EmbeddingSum embedding_;
  std::vector<Linear> convolutions_;
  std::vector<BatchNorm> norms_;
  SequenceCnnOptions options_;
};

template <ExecutionSpace S, class R>
Tensor<S, R> SequenceCnn::operator()(Tape<S, R>& tape, SequenceBatch<S> const& batch) const {
  auto x = embedding_(tape, batch.letters);
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    auto const windows = unfold(tape, x, batch.sequences, options_.windows[i]);
    x = norms_[i](tape, convolutions_[i](tape, windows, Activation::relu));
  }
  return x;
}

}  // namespace m2u
