// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the rows of a prepared table depend on besides their molecules, in memory and in the files
/// of a prepared folder: another table that is prepared with it fits the same model.
#pragma once

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "m2u/chem/features.hpp"
#include "m2u/chem/vocabulary.hpp"
#include "m2u/core/config.hpp"
#include "m2u/graph/conformer_batch.hpp"
#include "m2u/text/latent_text.hpp"

namespace m2u {

/// The form of the columns, and what was fitted on a table's training rows.
struct PreparationFit {
  FeatureOptions features = {};
  RadiusGraphOptions radius_graph = {};
  HashedNgramOptions text = {};
  int text_min_count = 3;  ///< n-grams of fewer training texts are left out
  Vocabulary targets = {};
  std::optional<Vocabulary> enzymes = {};  ///< of tables that have enzymes
  Vocabulary categories = {};
  std::shared_ptr<LatentText const> latent_text = nullptr;  ///< null if texts stay sparse
  TfIdf text_weights = TfIdf(1);                            ///< of sparse texts

  int text_width() const { return latent_text == nullptr ? 0 : latent_text->width(); }
};

/// Where a prepared folder keeps its text projection.
inline std::filesystem::path text_projection_path(std::filesystem::path const& folder) {
  return folder / "text.safetensors";
}

namespace detail {

/// Writes everything but the text projection into a table's metadata: "vocabularies", "text" and a
/// part of "options".
void fit_to_json(PreparationFit const& fit, nlohmann::json& json);

}  // namespace detail

/// Reads it from a folder that write_prepared made.
/// @throws Error naming the file if it is missing or damaged, or the data set is another kind.
PreparationFit read_preparation_fit(std::filesystem::path const& folder);

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include "m2u/data/json_object.hpp"
#include "m2u/data/shard.hpp"

namespace m2u {

namespace detail {

M2U_INLINE void fit_to_json(PreparationFit const& fit, nlohmann::json& json) {
  json["vocabularies"] = {{"targets", fit.targets.terms()}, {"categories", fit.categories.terms()}};
  if (fit.enzymes) {
    json["vocabularies"]["enzymes"] = fit.enzymes->terms();
  }
  if (fit.latent_text == nullptr) {
    json["text"] = {{"texts", fit.text_weights.texts()},
                    {"texts_with", fit.text_weights.texts_with()}};
  } else {
    json["text"] = {{"texts", fit.latent_text->texts()},
                    {"rank", fit.latent_text->rank()},
                    {"projection", fit.latent_text->checksum()}};
  }
  auto& options = json["options"];
  options["atoms"] = to_string(fit.features.atoms);
  options["encoding_steps"] = fit.features.encoding_steps;
  options["geometry"] = to_string(fit.radius_graph.geometry);
  options["cutoff"] = fit.radius_graph.cutoff;
  options["neighbours"] = fit.radius_graph.neighbours;
  options["text_width"] = fit.text_width();
  options["text_buckets"] = fit.text.buckets;
  options["text_longest"] = fit.text.longest;
  options["text_min_count"] = fit.text_min_count;
}

inline Vocabulary vocabulary_from_json(JsonObject const& json, char const* name) {
  std::vector<std::string> terms;
  for (auto const& term : json.array(name)) {
    expects(term.is_string(), json.what(), ": an element of \"", name, "\" is not a string");
    terms.push_back(term.get<std::string>());
  }
  return Vocabulary(std::move(terms));
}

inline float cutoff_from_json(JsonObject const& options) {
  auto const& cutoff = options.field("cutoff");
  expects(cutoff.is_number() && cutoff.get<double>() > 0.0 && std::isfinite(cutoff.get<float>()),
          options.what(), ": the field \"cutoff\" is not a positive number");
  return cutoff.get<float>();
}

}  // namespace detail

M2U_INLINE PreparationFit read_preparation_fit(std::filesystem::path const& folder) {
  auto const table = open_shards(folder);
  auto const what = (folder / "dataset.json").string() + ", metadata";
  auto const json = parse_json(table.metadata(), what);
  JsonObject const metadata(json, what);
  JsonObject const options(metadata.field("options"), what + ", options");
  JsonObject const terms(metadata.field("vocabularies"), what + ", vocabularies");
  JsonObject const text(metadata.field("text"), what + ", text");
  constexpr int most = 1 << 24;
  auto const integer = [&](char const* key, int low) {
    return static_cast<int>(options.integer(key, low, most));
  };
  PreparationFit fit;
  fit.features.atoms = atom_inputs_from_string(options.text("atoms"), options.what());
  fit.features.encoding_steps = integer("encoding_steps", 0);
  fit.radius_graph.geometry = edge_geometry_from_string(options.text("geometry"), options.what());
  fit.radius_graph.cutoff = detail::cutoff_from_json(options);
  fit.radius_graph.neighbours = integer("neighbours", 0);
  fit.text = {integer("text_buckets", 1), integer("text_longest", 1)};
  fit.text_min_count = integer("text_min_count", 1);
  fit.targets = detail::vocabulary_from_json(terms, "targets");
  fit.categories = detail::vocabulary_from_json(terms, "categories");
  if (terms.has("enzymes")) {
    fit.enzymes = detail::vocabulary_from_json(terms, "enzymes");
  }
  if (integer("text_width", 0) == 0) {
    auto counts = text.integers("texts_with", 0);
    expects(static_cast<int>(counts.size()) == fit.text.buckets, text.what(),
            ": \"texts_with\" has ", counts.size(), " counts, but there are ", fit.text.buckets,
            " buckets");
    fit.text_weights = TfIdf(static_cast<int>(text.integer("texts", 0, most)), std::move(counts),
                             fit.text_min_count);
    return fit;
  }
  auto const path = text_projection_path(folder);
  fit.latent_text = std::make_shared<LatentText const>(LatentText::load(path));
  expects(fit.latent_text->checksum() == text.text("projection"), path.string(),
          " is not the text projection that ", what, " names: it was exchanged or written anew");
  return fit;
}

}  // namespace m2u

#endif
