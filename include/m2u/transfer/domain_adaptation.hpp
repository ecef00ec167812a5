// SPDX-License-Identifier: Apache-2.0
/// @file
/// Learning from labels of one domain for another one: conditional adversarial adaptation.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "m2u/kernels/class_chances.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/cross_entropy.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/ops/multiply.hpp"
#include "m2u/ops/outer_product.hpp"
#include "m2u/ops/reverse_gradient.hpp"
#include "m2u/ops/scale.hpp"
#include "m2u/transfer/losses.hpp"

namespace m2u {

struct CdanOptions {
  int features = 256;     ///< columns of a sample's representation
  int classes = 2;        ///< of the classifier; its logits may be one column for two classes
  int projection = 256;   ///< columns of the randomised map; 0: the whole outer product
  int hidden = 256;       ///< units of the discriminator's two layers
  float weight = 1.0F;    ///< of the domains' loss
  float reversal = 1.0F;  ///< what the gradient is multiplied by when it turns round
};

/// What a model makes of some samples.
template <ExecutionSpace S, class R = float>
struct Classified {
  Tensor<S, R> features;  ///< [samples, features]
  Tensor<S, R> logits;    ///< [samples, classes], or one column for two
};

/// Conditional domain adversarial network (Long et al., NeurIPS 2018) as DrugBAN sets it up (Bai et
/// al., Nature Machine Intelligence 2023). A discriminator tells source from target by f ⊗ g, the
/// representation f and the classifier's chances g, or by the randomised map
/// (f R_f) · (g R_g) / √d with fixed normal matrices; f comes through gradient reversal, so that it
/// learns to look alike in both domains. As in both papers' programs g is a constant here: no
/// gradient reaches the classifier through it. The loss is DrugBAN's, the mean over the source's
/// samples plus that over the target's (CDAN's own program has the mean over both, half of it).
/// Different from DrugBAN's program: no batch norm in the discriminator, whose statistics, one
/// domain at a time, would take away what differs between the domains' means. Without entropy
/// weights, as DrugBAN across clusters.
class Cdan {
 public:
  explicit Cdan(Scope const& scope, CdanOptions const& options = {})
      : first_(scope.scope("linear0"), conditioned(options), options.hidden),
        second_(scope.scope("linear1"), options.hidden, options.hidden),
        last_(scope.scope("linear2"), options.hidden, 2),
        options_(options) {
    if (options.projection > 0) {
      auto const normal = Initialiser::normal(1.0F);
      feature_map_ = scope.state("feature_map", options.features, options.projection, normal);
      class_map_ = scope.state("class_map", options.classes, options.projection, normal);
    }
  }

  CdanOptions const& options() const { return options_; }

  /// What the discriminator says of samples: [samples, 2], logits of source and target.
  /// @throws Error if the shapes do not fit.
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, Classified<S, R> const& samples) const {
    auto const x = condition(tape, samples);
    return last_(tape, second_(tape, first_(tape, x, Activation::relu), Activation::relu));
  }

  /// Mean cross-entropy of the source's samples plus that of the target's, before the weight.
  template <ExecutionSpace S, class R>
  Scalar<S, R> loss(Tape<S, R>& tape, Classified<S, R> const& source,
                    Classified<S, R> const& target) const {
    return add(tape, domain_loss(tape, source, 0), domain_loss(tape, target, 1));
  }

 private:
  static int conditioned(CdanOptions const& options) {
    return options.projection > 0 ? options.projection : options.features * options.classes;
  }

  template <ExecutionSpace S, class R>
  Tensor<S, R> condition(Tape<S, R>& tape, Classified<S, R> const& samples) const {
    auto const& [features, logits] = samples;
    int const classes = options_.classes;
    expects(features.cols() == options_.features && features.rows() == logits.rows() &&
                (logits.cols() == classes || (logits.cols() == 1 && classes == 2)),
            "Cdan: representations ", shape(features), " and logits ", shape(logits),
            " do not fit; it is for ", options_.features, " columns and ", classes, " classes");
    auto const values = tape.matrix(logits.rows(), classes);
    kernels::class_chances(tape.space(), logits.value, tape.vector(logits.rows()), values);
    auto const chances = tape.constant(values);
    auto const reversed = reverse_gradient(tape, features, static_cast<R>(options_.reversal));
    if (!feature_map_) {
      return outer_product(tape, reversed, chances);
    }
    auto const product =
        multiply(tape, matmul(tape, reversed, tape.constant(tape.state(*feature_map_))),
                 matmul(tape, chances, tape.constant(tape.state(*class_map_))));
    return scale(tape, product, R(1) / std::sqrt(static_cast<R>(options_.projection)));
  }

  template <ExecutionSpace S, class R>
  Scalar<S, R> domain_loss(Tape<S, R>& tape, Classified<S, R> const& samples, int domain) const {
    auto const scores = (*this)(tape, samples);
    auto const domains = tape.template vector<int>(scores.rows());
    Kokkos::deep_copy(tape.space(), domains, domain);
    return cross_entropy(tape, scores, domains);
  }

  Linear first_;
  Linear second_;
  Linear last_;
  std::optional<StateSlice> feature_map_;
  std::optional<StateSlice> class_map_;
  CdanOptions options_;
};

/// A model that learns from labels of the batch's samples, the source, and to represent those of
/// the modality "target" (a MultiBatch, see AdaptationBatches) as it does the source. Batches
/// without a target are learnt from as the model alone does; labels of a target are not looked at.
/// @tparam Model has represent(tape, batch) → [samples, features], classify(tape, features) →
/// logits, and losses(tape, logits, batch), such as InteractionModel
template <class Model>
class DomainAdapted {
 public:
  DomainAdapted(Model model, Cdan cdan) : model_(std::move(model)), cdan_(std::move(cdan)) {}

  Model const& model() const { return model_; }
  Cdan const& cdan() const { return cdan_; }

  template <ExecutionSpace S, class R>
  Classified<S, R> classified(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    auto const features = model_.represent(tape, batch);
    return {features, model_.classify(tape, features)};
  }

  /// The model's terms and "domains". Source and target go through the model one after the other,
  /// so that batch norms see one domain at a time; running statistics are of both.
  template <ExecutionSpace S, class R>
  Losses<S, R> losses(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    auto const source = classified(tape, batch);
    auto result = model_.losses(tape, source.logits, batch);
    auto const weight = cdan_.options().weight;
    LossTerm<S, R> term{"domains", {}, static_cast<double>(weight), 0, true};
    if (batch.find("target") != nullptr) {
      auto const target = classified(tape, batch.template get<MultiBatch<S>>("target"));
      term.value = cdan_.loss(tape, source, target);
      term.rows = source.logits.rows() + target.logits.rows();
      term.skipped = false;
      result.total = add(tape, result.total, scale(tape, term.value, static_cast<R>(weight)));
    }
    result.terms.push_back(std::move(term));
    return result;
  }

 private:
  Model model_;
  Cdan cdan_;
};

}  // namespace m2u
