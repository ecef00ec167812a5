// SPDX-License-Identifier: Apache-2.0
#include "m2umol/library.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "m2u/data/json_object.hpp"
#include "m2u/data/shard.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace {

constexpr char const* kind = "m2umol index";
constexpr int rows_per_part = 32768;
constexpr int rows_at_once = 4096;

constexpr char const* texts[] = {"id", "smiles", "name", "description", "targets"};

/// The vectors of a space among embedded rows.
struct SpaceRows {
  m2u::HostRows const* rows = nullptr;
  std::vector<int> const* samples = nullptr;  ///< whose they are; null: of all, in their order
};

SpaceRows rows_of(m2u::Embeddings const& vectors, std::string const& space) {
  if (space == "2d") {
    return {&vectors.hub, nullptr};
  }
  auto const dot = space.find('.');
  auto const& modality = vectors.modality(space.substr(dot + 1));
  return space.substr(0, dot) == "real" ? SpaceRows{&modality.real, &modality.samples}
                                        : SpaceRows{&modality.generated, nullptr};
}

/// Makes the tables of an index.
class IndexBuilder {
 public:
  IndexBuilder(m2u::Table const& library, std::vector<std::string> const& spaces, int width)
      : spaces_(spaces) {
    for (auto const* const name : texts) {
      columns_.push_back(library.column<char>(name));
      builder_.add_column<char>(name);
    }
    for (auto const& space : spaces_) {
      vectors_.emplace_back(builder_, space, width);
    }
  }

  int rows() const { return builder_.rows(); }
  m2u::Table finish() { return builder_.finish(); }

  void add(m2u::Embeddings const& embedded) {
    struct Source {
      SpaceRows from;
      std::vector<float> lengths;
      std::size_t next = 0;
    };
    std::vector<Source> sources;
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      auto const from = rows_of(embedded, spaces_[s]);
      sources.push_back({from, vectors_[s].lengths(from.rows->matrix()), 0});
    }
    for (int const id : embedded.ids) {
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        builder_.set<char>(static_cast<int>(c), columns_[c][id]);
      }
      for (std::size_t s = 0; s < spaces_.size(); ++s) {
        auto& [from, lengths, next] = sources[s];
        if (from.samples != nullptr &&
            (next == from.samples->size() || (*from.samples)[next] != id)) {
          continue;
        }
        auto const width = static_cast<std::size_t>(from.rows->cols);
        vectors_[s].set(builder_, std::span(from.rows->values).subspan(next * width, width),
                        lengths[next]);
        ++next;
      }
      builder_.end_row();
    }
  }

 private:
  std::vector<std::string> spaces_;
  std::vector<m2u::Column<char>> columns_;
  std::vector<m2u::VectorColumns> vectors_;
  m2u::TableBuilder builder_;
};

}  // namespace

std::string misfit(m2u::Table const& library, std::string const& folder, Engine const& engine,
                   std::string const& model, std::string const& modality) {
  auto const prepared = configuration_for(library, folder);
  auto const& own = engine.configuration();
  auto const differs = [&](char const* what) {
    return folder + " was prepared with " + what + " than the data that " + model +
           " was trained on";
  };
  if (prepared.encoding_steps != own.encoding_steps) {
    return differs("other positional encodings");
  }
  if (prepared.atoms != own.atoms) {
    return differs("other atom features");
  }
  if (modality == "2d") {
    return {};
  }
  if (own.form != "pretraining") {
    return model + " has no encoders of real " + modality +
           " vectors: it is fine-tuned, or has the form of the authors' package; --by 2d works";
  }
  if (engine.training().contains("without")) {
    for (auto const& left_out : engine.training().at("without")) {
      if (left_out == modality) {
        return model + " was trained without " + modality + ": it has no encoder of it";
      }
    }
  }
  if (modality == "3d" && prepared.geometry != own.geometry) {
    return differs("another geometry");
  }
  constexpr char const* rest = "; --by 2d does not depend on them";
  if (modality == "text" && prepared.text_projection != own.text_projection) {
    return differs("another projection of texts (prepare it with --like)") + rest;
  }
  if (modality == "bio" && prepared.bio != own.bio) {
    return differs("other targets or categories (prepare it with --like)") + rest;
  }
  return {};
}

void embed_library(Engine const& engine, m2u::Table const& library,
                   std::vector<std::string> const& spaces, int threads,
                   std::function<void(m2u::Table const&)> const& take,
                   IndexProgress const& progress) {
  m2u::EmbedOptions options{.generated = false, .real = false};
  std::vector<std::string> real;
  for (auto const& space : spaces) {
    options.generated = options.generated || space.starts_with("generated.");
    if (space.starts_with("real.")) {
      options.real = true;
      real.push_back(space.substr(5));
    }
  }
  IndexBuilder builder(library, spaces, engine.configuration().width);
  int const total = library.size();
  for (int first = 0; first < total;) {
    std::vector<int> ids(static_cast<std::size_t>(std::min(rows_at_once, total - first)));
    std::iota(ids.begin(), ids.end(), first);
    first += static_cast<int>(ids.size());
    builder.add(engine.embed(library, std::move(ids), options, threads, real));
    if (builder.rows() >= rows_per_part || first == total) {
      take(builder.finish());
    }
    if (progress) {
      progress(static_cast<std::size_t>(first), static_cast<std::size_t>(total));
    }
  }
}

m2u::VectorIndex index_in_memory(Engine const& engine, m2u::Table const& library,
                                 std::vector<std::string> const& spaces, int threads,
                                 std::string const& name) {
  std::vector<m2u::ColumnSpec> columns;
  std::vector<m2u::TablePart> parts;
  embed_library(engine, library, spaces, threads, [&](m2u::Table const& table) {
    columns = table.columns();
    parts.insert(parts.end(), table.parts().begin(), table.parts().end());
  });
  return {m2u::Table(std::move(columns), std::move(parts), "{}"), name};
}

std::string index_metadata(IndexFacts const& facts) {
  return nlohmann::json{{"kind", kind},
                        {"model", facts.model},
                        {"left_out", facts.left_out},
                        {"text_projection", facts.text_projection}}
      .dump();
}

Index open_index(std::filesystem::path const& folder, bool verify) {
  auto table = m2u::open_shards(folder, {.verify = verify});
  auto const what = (folder / "dataset.json").string() + ", metadata";
  auto const json = m2u::parse_json(table.metadata(), what);
  m2u::JsonObject const metadata(json, what);
  m2u::expects(metadata.has("kind") && metadata.field("kind") == kind, folder.string(),
               " is not an index: it is another data set (m2umol index makes an index of one)");
  IndexFacts facts{metadata.text("model"), {}, metadata.text("text_projection")};
  for (auto const& [space, reason] : metadata.field("left_out").items()) {
    facts.left_out[space] = reason.is_string() ? reason.get<std::string>() : std::string();
  }
  for (auto const* const name : texts) {
    table.column<char>(name);  // an Error if it is missing
  }
  return {m2u::VectorIndex(std::move(table), folder.string()), std::move(facts)};
}

}  // namespace m2umol
