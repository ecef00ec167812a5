// SPDX-License-Identifier: Apache-2.0
/// @file
/// The hub's vectors of samples as they come, one at a time or a few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "m2u/autodiff/tape.hpp"

namespace m2u {

/// Turns batches of the hub's own type into vectors, over and over: it keeps the tape, so that
/// after the first calls only the batch itself is allocated. One thread at a time. For whole data
/// sets see `embed`.
/// @tparam Model a MultiToUni, or another type with `HubBatch` for S and encode_hub(tape, batch)
template <ExecutionSpace S, class Model>
class Embedder {
 public:
  /// The model is copied, the parameters are shared and must not change any more.
  Embedder(S const& space, Model model, Parameters<S> theta)
      : model_(std::move(model)), tape_(space, std::move(theta), Mode::evaluation) {
    tape_.infer_only();
  }

  /// @return [samples, width], row-major, valid until the next call. Waits for the space.
  std::span<float const> operator()(typename Model::template HubBatch<S> const& batch) {
    tape_.reset(++step_);
    auto const rows = model_.encode_hub(tape_, batch);
    width_ = rows.cols();
    values_ = to_host(tape_.space(), rows.value);
    return values_;
  }

  S const& space() const { return tape_.space(); }
  /// Columns of the last result; 0 before the first call.
  int width() const { return width_; }

 private:
  Model model_;
  Tape<S> tape_;
  std::uint64_t step_ = 0;
  int width_ = 0;
  std::vector<float> values_;
};

}  // namespace m2u
