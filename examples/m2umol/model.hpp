// SPDX-License-Identifier: Apache-2.0
// M2UMol as a composition of the library's parts: what a user would write.
#pragma once

#include <algorithm>
#include <vector>

#include "m2u/adapters/linear_adapter.hpp"
#include "m2u/chem/one_hot_columns.hpp"
#include "m2u/compiled.hpp"
#include "m2u/encoders/comenet.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/precomputed.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/objectives/modality_classifier.hpp"
#include "m2u/objectives/nt_xent.hpp"
#include "m2u/transfer/fusion.hpp"
#include "m2u/transfer/label_head.hpp"
#include "m2u/transfer/multi_to_uni.hpp"
#include "m2u/transfer/pair_head.hpp"

#include "m2umol/configuration.hpp"

namespace m2umol {

inline m2u::GpsOptions hub_options(Configuration const& options) {
  m2u::GpsOptions result{.width = options.width,
                         .layers = options.layers,
                         .heads = options.heads,
                         .dropout = options.dropout,
                         .attention_dropout = options.attention_dropout,
                         .encoding_steps = options.encoding_steps,
                         .encoding_width = options.encoding_width};
  if (options.atoms == "one-hot") {
    result.node_vocabularies.clear();
    result.edge_vocabularies.clear();
    result.node_values = m2u::one_hot_atom_columns;
    result.edge_values = m2u::one_hot_bond_columns;
  } else {
    m2u::expects(options.atoms == "ogb", "there is no kind of atom features \"", options.atoms,
                 "\"; there are ogb and one-hot");
  }
  return result;
}

/// The encoder of conformers, under the scope "3d".
inline m2u::ComENet conformer_encoder(m2u::ParameterLayout& layout, Configuration const& options) {
  return m2u::ComENet{layout.scope("3d"),
                      {.width = options.conformer_width,
                       .middle = options.conformer_middle,
                       .blocks = options.conformer_blocks,
                       .cutoff = options.cutoff,
                       .out = options.width}};
}

/// The 2D graph as hub; conformers, text and bio features teach it.
/// @param conformers encodes the modality "3d"
template <class Encoder>
auto make_model(m2u::ParameterLayout& layout, Configuration const& options,
                Encoder const& conformers) {
  int const width = options.width;
  std::vector<int> vocabularies;
  for (auto const& vocabulary : options.bio) {
    vocabularies.push_back(std::max(1, vocabulary.size));
  }
  m2u::NtXent const objective{.temperature = options.temperature};
  auto const adapter = [&](char const* name) {
    return m2u::LinearAdapter{layout.scope(name), width, width};
  };
  return m2u::MultiToUni{
      m2u::hub(m2u::Gps{layout.scope("hub"), hub_options(options)}),
      m2u::match<"3d">(conformers, adapter("to_3d"), objective),
      m2u::match<"text">(m2u::Precomputed{layout.scope("text"), options.text_width, width},
                         adapter("to_text"), objective),
      m2u::match<"bio">(
          m2u::MultiHot{layout.scope("bio"), {.vocabularies = vocabularies, .out = width}},
          adapter("to_bio"), objective),
      m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), width}),
      m2u::joint(m2u::ModalityClassifier{
          layout.scope("modality"),
          {.width = width, .modalities = 3, .weight = options.classifier_weight}}),
      m2u::passes(options.three_passes ? m2u::HubPasses::each : m2u::HubPasses::once)};
}

/// The same with the conformers' encoder of M2UMol.
inline auto make_model(m2u::ParameterLayout& layout, Configuration const& options) {
  return make_model(layout, options, conformer_encoder(layout, options));
}

/// The hub and the adapters, the fusion of what they generate, and tasks that learn from it.
template <class... Tasks>
auto make_fusion_model(m2u::ParameterLayout& layout, Configuration const& options,
                       Tasks const&... tasks) {
  int const width = options.width;
  auto const adapter = [&](char const* name) {
    return m2u::LinearAdapter{layout.scope(name), width, width};
  };
  return m2u::MultiToUni{
      m2u::hub(m2u::Gps{layout.scope("hub"), hub_options(options)}),
      m2u::generator<"3d">(adapter("to_3d")),
      m2u::generator<"text">(adapter("to_text")),
      m2u::generator<"bio">(adapter("to_bio")),
      m2u::shared_norm(m2u::LayerNorm{layout.scope("norm"), width}),
      m2u::fused(m2u::Fusion{layout.scope("fusion"),
                             {.width = width, .heads = options.heads, .dropout = options.dropout}}),
      tasks...};
}

/// The authors' package.
inline auto make_package_model(m2u::ParameterLayout& layout, Configuration const& options) {
  return make_fusion_model(layout, options);
}

inline m2u::LabelHead label_head(m2u::ParameterLayout& layout, Configuration const& options,
                                 bool normalise) {
  auto const& prediction = options.prediction;
  return m2u::LabelHead{
      layout.scope("head"),
      {.in = options.width,
       .hidden = prediction.hidden,
       .tasks = static_cast<int>(prediction.labels.size()),
       .dropout = options.dropout,
       .normalise = normalise,
       .loss = prediction.task == "regression" ? m2u::LabelLoss::squared_error
                                               : m2u::LabelLoss::binary_cross_entropy}};
}

/// Classes of pairs of molecules, in M2UMol's sizes.
inline m2u::PairHead pair_head(m2u::ParameterLayout& layout, Configuration const& options,
                               bool normalise) {
  auto const& prediction = options.prediction;
  return m2u::PairHead{layout.scope("head"),
                       {.in = options.width,
                        .hidden = prediction.hidden,
                        .middle = std::max(1, prediction.hidden / 2),
                        .classes = static_cast<int>(prediction.labels.size()),
                        .dropout = options.dropout,
                        .normalise = normalise}};
}

/// Fine-tuning of the 2D encoder alone. @param task a head on its vectors
template <class Task>
auto make_plain_model(m2u::ParameterLayout& layout, Configuration const& options,
                      Task const& task) {
  return m2u::MultiToUni{m2u::hub(m2u::Gps{layout.scope("hub"), hub_options(options)}), task};
}

}  // namespace m2umol
