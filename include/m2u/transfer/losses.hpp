// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a model gives for a batch: one loss to differentiate, and the terms it is the sum of.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "m2u/autodiff/tape.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// One objective's part of the loss.
template <ExecutionSpace S, class R = float>
struct LossTerm {
  std::string name;    ///< the modality's or the joint objective's name
  Scalar<S, R> value;  ///< before its weight; unset if skipped
  double weight = 1.0;
  int rows = 0;          ///< rows that took part
  bool skipped = false;  ///< fewer than two rows were present in this batch
};

/// The loss of a batch.
template <ExecutionSpace S, class R = float>
struct Losses {
  Scalar<S, R> total;  ///< Σ weight · value over the terms; a constant if all were skipped
  std::vector<LossTerm<S, R>> terms;
};

/// A model that can be trained: `model.losses(tape, batch)`.
template <class M, class S>
concept TrainableModel = requires(M const& model, Tape<S>& tape, MultiBatch<S> const& batch) {
  { model.losses(tape, batch) } -> std::same_as<Losses<S, float>>;
};

}  // namespace m2u
