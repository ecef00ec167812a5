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
  Scalar<S, R> operator()(Tape<S, R>& tape, std::span<Generated<S, R> const> generated) const {
    std::vector<Tensor<S, R>> parts;
    std::vector<int> numbers;
    for (auto const& part : generated) {
      expects(part.modality < options_.modalities, "ModalityClassifier: made for ",
              options_.modalities, " modalities, but the model has a match number ", part.modality,
              "; set Options::modalities");
      parts.push_back(part.rows);
      numbers.push_back(part.modality);
    }
    auto const all = concat_rows(tape, parts);
    auto const labels = tape.template vector<int>(all.rows());
    int first = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      int const last = first + parts[i].rows();
      Kokkos::deep_copy(tape.space(), Kokkos::subview(labels, std::pair(first, last)), numbers[i]);
      first = last;
    }
    return cross_entropy(tape, linear_(tape, all), labels);
  }

 private:
  Linear linear_;
  Options options_;
};

}  // namespace m2u
