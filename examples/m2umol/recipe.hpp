// SPDX-License-Identifier: Apache-2.0
// The two ways to pre-train: as published, and ours. docs/recipes.md has both side by side, with
// the reason of every difference.
#pragma once

#include <string>
#include <vector>

#include "m2u/core/error.hpp"

#include "m2umol/configuration.hpp"
#include "m2umol/engine.hpp"

namespace m2umol {

inline std::vector<std::string> recipe_names() { return {"m2u", "m2umol"}; }

/// Sets all that a recipe decides, in the model and in its training. What the prepared data decide
/// (vocabularies, text width, atom features) stays as it is.
/// @throws m2u::Error if there is no such recipe or the data's geometry is not the recipe's.
inline void apply_recipe(std::string const& name, Configuration& model, PretrainOptions& training) {
  model.width = 128;
  model.layers = 3;
  model.heads = 4;
  model.dropout = 0.1F;
  model.attention_dropout = 0.5F;
  model.temperature = 0.2F;
  model.classifier_weight = 0.5F;
  training.weight_decay = 1e-9;
  training.layer_learning_rate = 1e-3;
  training.conformer_learning_rate = 5e-4;
  if (name == "m2umol") {
    model.conformer_width = 256;
    model.conformer_middle = 64;
    model.three_passes = true;
    training.epochs = 150;
    training.batch = 32;
    training.learning_rate = 5e-4;
    training.schedule = "multistep";
    training.shuffle = false;
  } else {
    m2u::expects(name == "m2u", "there is no recipe \"", name, "\"; there are m2u and m2umol");
    model.conformer_width = 128;
    model.conformer_middle = 64;
    model.three_passes = false;
    training.epochs = 50;
    training.batch = 128;
    training.learning_rate = 1e-3;
    training.schedule = "cosine";
    training.shuffle = true;
  }
  std::string const geometry = name == "m2umol" ? "published" : "smooth";
  m2u::expects(model.geometry == geometry, "the recipe ", name, " takes the ", geometry,
               " geometry of conformers, but the data were prepared with the ", model.geometry,
               " one; prepare them with --geometry ", geometry);
}

}  // namespace m2umol
