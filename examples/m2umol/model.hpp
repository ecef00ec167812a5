// SPDX-License-Identifier: Apache-2.0
// M2UMol as a composition of the library's parts: what a user would write.
#pragma once

#include <algorithm>

#include "m2u/adapters/linear_adapter.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/hashed_text.hpp"
#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/schnet.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/objectives/modality_classifier.hpp"
#include "m2u/objectives/nt_xent.hpp"
#include "m2u/transfer/multi_to_uni.hpp"

#include "m2umol/configuration.hpp"

namespace m2umol {

/// The 2D graph as hub; conformers, text and bio features teach it.
inline auto make_model(m2u::ParameterLayout& layout, Configuration const& options) {
  int const width = options.width;
  auto const size = [](std::vector<std::string> const& terms) {
    return std::max(1, static_cast<int>(terms.size()));
  };
  m2u::NtXent const objective{.temperature = options.temperature};
  auto const adapter = [&](char const* name) {
    return m2u::LinearAdapter{layout.scope(name), width, width};
  };
  return m2u::MultiToUni{
      m2u::hub(m2u::Gps{layout.scope("hub"),
                        {.width = width,
                         .layers = options.layers,
                         .heads = options.heads,
                         .dropout = options.dropout,
                         .attention_dropout = options.attention_dropout,
                         .encoding_steps = options.encoding_steps}}),
      m2u::match<"3d">(m2u::SchNet{layout.scope("3d"),
                                   {.width = options.schnet_width,
                                    .filters = options.schnet_width,
                                    .interactions = options.schnet_interactions,
                                    .out = width}},
                       adapter("to_3d"), objective),
      m2u::match<"text">(
          m2u::HashedText{layout.scope("text"),
                          {.buckets = options.text_buckets, .width = width, .out = width}},
          adapter("to_text"), objective),
      m2u::match<"bio">(
          m2u::MultiHot{
              layout.scope("bio"),
              {.vocabularies = {size(options.targets), size(options.categories)}, .out = width}},
          adapter("to_bio"), objective),
      m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), width}),
      m2u::joint(m2u::ModalityClassifier{
          layout.scope("modality"),
          {.width = width, .modalities = 3, .weight = options.classifier_weight}})};
}

}  // namespace m2umol
