// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a trained model with a task predicts for many samples.
#pragma once

#include "m2u/transfer/embed.hpp"

namespace m2u {

/// Runs every batch of one epoch through a model with one task(…) part, in evaluation mode.
/// @param source batches in the order in which the rows are wanted (no shuffling); labels are
/// needed only by heads that can't do without, such as PairHead
/// @return the head's rows of all batches, for example [samples, tasks]; logits where it gives some
template <ExecutionSpace S, class Model, class Source>
  requires(Model::predicts())
HostRows predict(S const& space, Model const& model, Parameters<S> const& theta, Source& source) {
  HostRows result;
  Tape<S> tape(space, theta, Mode::evaluation);
  tape.infer_only();
  source.start_epoch(0);
  for (std::uint64_t step = 0; auto const batch = source.next(space); ++step) {
    tape.reset(step);
    auto const rows = model.represent(tape, model.hub(tape, *batch));
    model.for_each_task([&]<class T>(T const& task) {
      Tensor<S> predictions;
      if constexpr (requires { task.head(tape, rows); }) {
        predictions = task.head(tape, rows);
      } else {
        using TaskBatch = typename decltype(task.head)::template Batch<S>;
        predictions = task.head(tape, rows, batch->template get<TaskBatch>(T::modality()));
      }
      result.append(predictions.rows(), predictions.cols(), to_host(space, predictions.value));
    });
  }
  return result;
}

}  // namespace m2u
