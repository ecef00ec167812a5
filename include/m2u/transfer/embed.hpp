// SPDX-License-Identifier: Apache-2.0
/// @file
/// Vectors of many samples from a trained model: of the hub, generated, and of the modalities
/// themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "m2u/transfer/multi_to_uni.hpp"

namespace m2u {

/// Row-major floats on the host.
struct HostRows {
  int rows = 0;
  int cols = 0;
  std::vector<float> values;  ///< [rows, cols]

  /// The same rows as a matrix. @throws Error if there are not rows × cols values.
  Matrix<float, Host> matrix() const {
    return host_matrix("m2u::transfer::rows", rows, cols, values);
  }

  /// Adds the rows of another block. @throws Error if the widths differ.
  void append(int more_rows, int more_cols, std::vector<float> const& more) {
    expects(rows == 0 || cols == more_cols, "HostRows: rows of ", more_cols,
            " columns do not fit rows of ", cols);
    rows += more_rows;
    cols = more_cols;
    values.insert(values.end(), more.begin(), more.end());
  }
};

/// One modality's vectors.
struct ModalityVectors {
  std::string name;
  HostRows generated;  ///< one row per sample, from the hub
  std::vector<int>
      samples;    ///< which samples have the modality itself (numbers as the source gave them)
  HostRows real;  ///< one row for each of those
};

/// What embed gives.
struct Embeddings {
  std::vector<int> ids;  ///< the samples' numbers, in the order of the rows
  HostRows hub;
  std::vector<ModalityVectors> modalities;
  HostRows fused;  ///< one row per sample, if the model has a fused(…) part

  /// @throws Error naming the modalities if there is none of this name.
  ModalityVectors const& modality(std::string_view name) const {
    std::string known;
    for (auto const& modality : modalities) {
      if (modality.name == name) {
        return modality;
      }
      known += " " + modality.name;
    }
    fail("Embeddings: no modality \"", name, "\"; there are:", known);
  }
};

/// What to compute.
struct EmbedOptions {
  bool generated = true;
  bool real = true;
};

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
