// SPDX-License-Identifier: Apache-2.0
// The published models as compositions of the library's parts, without dropout.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "m2u/adapters/linear_adapter.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/parameters/save_load.hpp"
#include "m2umol/reference_weights.hpp"
#include "parity/golden.hpp"

namespace m2u::parity {

inline GpsOptions hub_options(Dims const& dims) {
  return {.width = dims.width,
          .layers = dims.layers,
          .heads = dims.heads,
          .dropout = 0.0F,
          .attention_dropout = 0.0F,
          .encoding_steps = dims.encoding_steps,
          .encoding_width = dims.encoding_width};
}

/// The adapters and the norm that both models have.
struct Adapters {
  Adapters(ParameterLayout& layout, int width)
      : to_3d(layout.scope("to_3d"), width, width),
        to_text(layout.scope("to_text"), width, width),
        to_bio(layout.scope("to_bio"), width, width),
        norm(layout.scope("norm"), width) {}
  LinearAdapter to_3d;
  LinearAdapter to_text;
  LinearAdapter to_bio;
  LayerNorm norm;
};

/// Parameters with the folder's weights.
inline Parameters<Space> load_weights(Folder const& folder, ParameterLayout const& layout,
                                      m2umol::ReferenceForm form) {
  Parameters<Space> theta(Space{}, layout, Seed{1});
  auto const imported =
      m2umol::import_weights(SafetensorsFile(folder.weights), parameter_tensors(theta), {form, {}});
  assign_parameters(theta, imported.tensors, folder.weights.string());
  return theta;
}

}  // namespace m2u::parity
