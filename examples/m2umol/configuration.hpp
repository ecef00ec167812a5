// SPDX-License-Identifier: Apache-2.0
// Everything that a saved model needs to be built again: sizes, options and vocabularies.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace m2umol {

/// One of the bio features' vocabularies. Imported models know its size, not its terms.
struct BioVocabulary {
  std::string name;
  int size = 0;
  std::vector<std::string> terms;  ///< empty, or `size` of them

  bool operator==(BioVocabulary const&) const = default;
};

struct ModelConfiguration {
  /// "pretraining": the hub and every modality's encoder, adapter and objective. "package": the
  /// hub, the adapters and the fusion head, as the authors' package has them. "property", "pairs"
  /// and "interaction": what fine-tuning makes, which predicts labels of molecules, of pairs of
  /// them, or of molecules and proteins.
  std::string form = "pretraining";
  // The hub, a GraphGPS on the 2D graph.
  int width = 128;
  int layers = 3;
  int heads = 4;
  float dropout = 0.1F;
  float attention_dropout = 0.5F;
  int encoding_steps = 20;
  int encoding_width = 8;
  std::string atoms = "ogb";  ///< or "one-hot", the package's features
  // The conformers' encoder, a ComENet.
  std::string geometry = "smooth";  ///< or "published": how prepare computed the edges' geometry
  float cutoff = 8.0F;              ///< Å, of the radius graph
  int conformer_width = 256;
  int conformer_middle = 64;
  int conformer_blocks = 4;
  // Text vectors and bio features.
  int text_width = 256;
  std::string text_projection;  ///< checksum of what made the text vectors; empty if not ours
  std::vector<BioVocabulary> bio;
  // Objectives.
  float temperature = 0.2F;
  float classifier_weight = 0.5F;
  bool three_passes = false;  ///< encode the hub once per modality, as published

  bool operator==(ModelConfiguration const&) const = default;
};

/// What a fine-tuned model predicts, and how.
struct Prediction {
  std::string head = "fusion";  ///< of 2D and generated vectors, or "2d": of the 2D vector
  std::string task;             ///< "classification" (two classes), "regression", "ddi" or "dti"
  std::vector<std::string> labels;  ///< names; of the classes, for "ddi"
  int hidden = 128;                 ///< units of the head
  std::vector<double> mean;         ///< regression: labels are mean + scale · output
  std::vector<double> scale;

  bool operator==(Prediction const&) const = default;
};

struct Configuration : ModelConfiguration {
  Prediction prediction;  ///< of what fine-tuning made

  /// Whether fine-tuning made the model.
  bool predicts() const { return form == "property" || form == "pairs" || form == "interaction"; }
  /// Whether the model makes vectors of the modalities.
  bool generates() const { return !predicts() || prediction.head == "fusion"; }
  /// Whether the model makes one vector of the 2D and the generated ones.
  bool fuses() const { return form == "package" || (predicts() && prediction.head == "fusion"); }

  bool operator==(Configuration const&) const = default;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BioVocabulary, name, size, terms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Prediction, head, task, labels, hidden, mean, scale)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ModelConfiguration, form, width, layers, heads, dropout,
                                   attention_dropout, encoding_steps, encoding_width, atoms,
                                   geometry, cutoff, conformer_width, conformer_middle,
                                   conformer_blocks, text_width, text_projection, bio, temperature,
                                   classifier_weight, three_passes)

inline void to_json(nlohmann::json& json, Configuration const& configuration) {
  to_json(json, static_cast<ModelConfiguration const&>(configuration));
  if (configuration.predicts()) {
    json["prediction"] = configuration.prediction;
  }
}
inline void from_json(nlohmann::json const& json, Configuration& configuration) {
  from_json(json, static_cast<ModelConfiguration&>(configuration));
  if (configuration.predicts()) {
    json.at("prediction").get_to(configuration.prediction);
  }
}

}  // namespace m2umol
