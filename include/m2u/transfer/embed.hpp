// SPDX-License-Identifier: Apache-2.0
/// @file
/// Vectors of many samples from a trained model: of the hub, generated, and of the modalities
/// themselves.
#pragma once

#include <cstdint>

#include "m2u/transfer/embeddings.hpp"
#include "m2u/transfer/multi_to_uni.hpp"

namespace m2u {

/// Runs every batch of one epoch through the model in evaluation mode.
/// @param source batches in the order in which the rows are wanted (no shuffling)
template <ExecutionSpace S, class Model, class Source>
Embeddings embed(S const& space, Model const& model, Parameters<S> const& theta, Source& source,
                 EmbedOptions const& options = {}) {
  Embeddings result;
  for (auto const& name : model.modalities()) {
    result.modalities.push_back({name, {}, {}, {}});
  }
  Tape<S> tape(space, theta, Mode::evaluation);
  tape.infer_only();
  auto const take = [&](HostRows& rows, Tensor<S> const& tensor) {
    rows.append(tensor.rows(), tensor.cols(), to_host(space, tensor.value));
  };
  source.start_epoch(0);
  for (std::uint64_t step = 0; auto const batch = source.next(space); ++step) {
    tape.reset(step);
    auto const pooled = model.hub(tape, *batch);
    take(result.hub, pooled);
    if constexpr (Model::fuses()) {
      take(result.fused, model.fuse(tape, pooled));
    }
    result.ids.insert(result.ids.end(), batch->ids().begin(), batch->ids().end());
    model.for_each_match([&]<class M>(int number, M const& match) {
      auto& vectors = result.modalities[static_cast<std::size_t>(number)];
      if (options.generated) {
        take(vectors.generated, model.generate(tape, match, pooled));
      }
      if constexpr (requires { match.encoder; }) {  // a generator has no real vectors
        auto const* const modality = options.real ? batch->find(match.modality()) : nullptr;
        if (modality != nullptr && modality->rows.picked() > 0) {
          take(vectors.real, model.encode(tape, match, *batch));
          for (int const row : to_host(space, modality->rows.rows)) {
            vectors.samples.push_back(batch->ids()[static_cast<std::size_t>(row)]);
          }
        }
      }
    });
  }
  return result;
}

}  // namespace m2u
