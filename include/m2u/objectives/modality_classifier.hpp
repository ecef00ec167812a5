// SPDX-License-Identifier: Apache-2.0
/// @file
/// A joint objective: tell from a generated vector which modality it stands for.
#pragma once

#include <span>
#include <vector>

#include "m2u/nn/linear.hpp"
#include "m2u/ops/concat_rows.hpp"
#include "m2u/ops/cross_entropy.hpp"

namespace m2u {

/// The generated vectors of one modality in a batch.
template <ExecutionSpace S, class R = float>
struct Generated {
  int modality = 0;  ///< the number of the match in the model
  Tensor<S, R> rows;
};

/// M2UMol's modality classifier: Linear(width → modalities) on all generated vectors,
/// cross-entropy. It keeps the adapters apart.
class ModalityClassifier {
 public:
  struct Options {
    int width = 128;
    int modalities = 3;
    float weight = 0.5F;  ///< in the total loss
  };

  explicit ModalityClassifier(Scope const& scope) : ModalityClassifier(scope, Options{}) {}
  ModalityClassifier(Scope const& scope, Options options)
      : linear_(scope.scope("linear"), options.width, options.modalities), options_(options) {}

  double weight() const { return static_cast<double>(options_.weight); }

  /// @param generated at least one entry  @return [1, 1]
  /// @throws Error if a modality's number is not below `modalities`.
  template <ExecutionSpace S, class R>
  Scalar<S, R> operator()(Tape<S, R>& tape, std::span<Generated<S, R> const> generated) const;

  /// The classifier's scores before the softmax.
  /// @return [rows of all entries, modalities]  @throws Error as above.
  template <ExecutionSpace S, class R>
  Tensor<S, R> logits(Tape<S, R>& tape, std::span<Generated<S, R> const> generated) const;

 private:
  Linear linear_;
  Options options_;
};

template <ExecutionSpace S, class R>
Scalar<S, R> ModalityClassifier::operator()(Tape<S, R>& tape,
                                            std::span<Generated<S, R> const> generated) const {
  auto const scores = logits(tape, generated);
  auto const labels = tape.template vector<int>(scores.rows());
  int first = 0;
  for (auto const& part : generated) {
    int const last = first + part.rows.rows();
    Kokkos::deep_copy(tape.space(), Kokkos::subview(labels, std::pair(first, last)), part.modality);
    first = last;
  }
  return cross_entropy(tape, scores, labels);
}

template <ExecutionSpace S, class R>
Tensor<S, R> ModalityClassifier::logits(Tape<S, R>& tape,
                                        std::span<Generated<S, R> const> generated) const {
  std::vector<Tensor<S, R>> parts;
  for (auto const& part : generated) {
    expects(part.modality < options_.modalities, "ModalityClassifier: made for ",
            options_.modalities, " modalities, but the model has a match number ", part.modality,
            "; set Options::modalities");
    parts.push_back(part.rows);
  }
  return linear_(tape, concat_rows(tape, parts));
}

}  // namespace m2u
