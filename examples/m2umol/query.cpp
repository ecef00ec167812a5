// SPDX-License-Identifier: Apache-2.0
#include "m2umol/query.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

#include "m2u/chem/prepare.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace {

/// @throws m2u::Error unless the model has a trained encoder of a modality.
void expect_encoder(Engine const& engine, std::string const& model, std::string const& modality) {
  auto const& configuration = engine.configuration();
  m2u::expects(configuration.form == "pretraining", model,
               " is fine-tuned, or has the form of the authors' package: it has no encoder of ",
               modality);
  auto const& training = engine.training();
  if (training.contains("without")) {
    for (auto const& left_out : training.at("without")) {
      m2u::expects(left_out != modality, model, " was trained without ", modality,
                   ": it has no encoder of it");
    }
  }
}

/// The modality's real vector of a record. Models encode it for molecules, so the record is one:
/// methane, whose graph the encoders of other modalities do not see.
m2u::HostRows real_vector(Engine const& engine, m2u::MoleculeRecord record,
                          std::shared_ptr<m2u::LatentText const> projection,
                          std::string const& modality) {
  auto const& configuration = engine.configuration();
  m2u::PreparationFit fit;
  auto options = graph_only(configuration, 1);
  fit.features = options.features;
  fit.latent_text = std::move(projection);
  for (auto const& vocabulary : configuration.bio) {
    if (vocabulary.name == "targets") {
      fit.targets = m2u::Vocabulary(vocabulary.terms);
    } else if (vocabulary.name == "categories") {
      fit.categories = m2u::Vocabulary(vocabulary.terms);
    } else {
      fit.enzymes = m2u::Vocabulary(vocabulary.terms);
    }
  }
  options.like = std::make_shared<m2u::PreparationFit const>(std::move(fit));
  record.id = "query";
  record.smiles = "C";
  record.line = 1;
  auto const prepared = m2u::prepare_molecules(std::span(&record, 1), options);
  m2u::expects(prepared.table.size() == 1, "the query can't be encoded");
  return engine.embed(prepared.table, {0}, {.generated = false}, 1, {modality})
      .modality(modality)
      .real;
}

/// The least number of changed, added and removed letters, upper and lower case alike.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  auto const lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      auto const changed = diagonal + (lower(a[i]) == lower(b[j]) ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string near_names(std::string_view wanted, std::vector<std::string_view> const& names) {
  constexpr std::size_t most = 5;
  std::size_t const far = 1 + wanted.size() / 3;
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (auto const name : names) {
    std::size_t const difference =
        std::max(name.size(), wanted.size()) - std::min(name.size(), wanted.size());
    if (difference > far) {
      continue;
    }
    if (auto const distance = edit_distance(wanted, name); distance <= far) {
      near.emplace_back(distance, name);
    }
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  near.resize(std::min(near.size(), most));
  std::string text;
  for (auto const& [distance, name] : near) {
    text += (text.empty() ? " (near it: " : ", ") + std::string(name);
  }
  return text.empty() ? text : text + ")";
}

m2u::HostRows molecule_vector(Engine const& engine, std::string const& smiles,
                              std::string const& by) {
  auto const table = table_of_molecule(smiles, engine.configuration());
  auto const vectors = engine.embed(table, {0}, {.real = false}, 1);
  return by == "2d" ? vectors.hub : vectors.modality(by).generated;
}

m2u::HostRows text_vector(Engine const& engine, std::string const& model, std::string const& text,
                          std::filesystem::path const& projection) {
  expect_encoder(engine, model, "text");
  auto const& wanted = engine.configuration().text_projection;
  m2u::expects(!wanted.empty(), model,
               " was trained on text vectors that m2umol did not make: it "
               "can't make one of a text");
  auto latent = std::make_shared<m2u::LatentText const>(m2u::LatentText::load(projection));
  m2u::expects(latent->checksum() == wanted, projection.string(),
               " is another projection of texts than that of the data that ", model,
               " was trained on");
  m2u::expects(!(*latent)(text).empty(), "no word of \"", text,
               "\" is among those that the descriptions in training had");
  m2u::MoleculeRecord record;
  record.description = text;
  return real_vector(engine, std::move(record), std::move(latent), "text");
}

m2u::HostRows targets_vector(Engine const& engine, std::string const& model,
                             std::string const& targets) {
  expect_encoder(engine, model, "bio");
  std::vector<std::string_view> known;
  for (auto const& vocabulary : engine.configuration().bio) {
    if (vocabulary.name == "targets") {
      known.assign(vocabulary.terms.begin(), vocabulary.terms.end());
    }
  }
  m2u::expects(!known.empty(), model, " knows no targets by name");
  // Names with a comma in them are possible in a list with semicolons.
  bool const semicolons = targets.find(';') != std::string::npos;
  auto const terms = m2u::split_terms(targets, semicolons ? ';' : ',');
  m2u::expects(!terms.empty(), "--query-targets \"", targets, "\" holds no name");
  m2u::MoleculeRecord record;
  for (auto const& term : terms) {
    m2u::expects(std::find(known.begin(), known.end(), term) != known.end(), model,
                 " knows no target \"", term, '"', near_names(term, known));
    record.targets += (record.targets.empty() ? "" : ";") + term;
  }
  return real_vector(engine, std::move(record), nullptr, "bio");
}

int row_of_id(m2u::Table const& table, std::string const& folder, std::string const& id) {
  auto const column = table.column<char>("id");
  std::vector<std::string_view> ids;
  for (int row = 0; row < table.size(); ++row) {
    auto const text = column[row];
    ids.emplace_back(text.data(), text.size());
    if (ids.back() == id) {
      return row;
    }
  }
  m2u::fail(folder, " has no molecule \"", id, '"', near_names(id, ids));
}

}  // namespace m2umol
