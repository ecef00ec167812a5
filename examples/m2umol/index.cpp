// SPDX-License-Identifier: Apache-2.0
// m2umol index: the vectors of a library's molecules on disk, for retrieve.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "m2u/chem/prepare.hpp"
#include "m2u/data/shard.hpp"

#include "m2umol/faiss_search.hpp"
#include "m2umol/library.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

namespace fs = std::filesystem;

struct IndexArguments {
  std::string model;
  std::string library;
  std::string out;
  std::vector<std::string> faiss;
  std::string metric = "cosine";
  bool force = false;
};

/// @throws m2u::Error if the folder holds a data set that is not an index that may be replaced.
void expect_replaceable(IndexArguments const& arguments) {
  fs::path const out = arguments.out;
  m2u::expects(fs::weakly_canonical(out) != fs::weakly_canonical(arguments.library), "--out ",
               out.string(), " would replace the library");
  if (!fs::exists(out / "dataset.json")) {
    return;
  }
  m2u::expects(arguments.force, out.string(),
               " already holds a data set; --force replaces an index");
  open_index(out, false);  // anything else stays
}

/// Whether any row has a modality.
bool any_has(m2u::Table const& library, std::string const& modality) {
  auto const name = modality + ".present";
  if (!library.has(name)) {
    return false;
  }
  auto const present = library.column<char>(name);
  for (int row = 0; row < library.size(); ++row) {
    if (!present[row].empty() && present[row][0] == 1) {
      return true;
    }
  }
  return false;
}

/// The spaces of a library's index; those that it can't have go to left_out.
std::vector<std::string> spaces_for(m2u::Table const& library, IndexArguments const& arguments,
                                    Engine const& engine,
                                    std::map<std::string, std::string>& left_out) {
  std::vector<std::string> spaces{"2d"};
  for (auto const* const modality : modalities) {
    if (engine.configuration().generates()) {
      spaces.push_back(generated_space(modality));
    } else {
      left_out[generated_space(modality)] =
          arguments.model + " was fine-tuned with --head 2d: it generates no vectors";
    }
  }
  for (auto const* const modality : modalities) {
    auto reason = misfit(library, arguments.library, engine, arguments.model, modality);
    if (reason.empty() && !any_has(library, modality)) {
      reason = std::string("no molecule of the library has the modality \"") + modality + '"';
    }
    if (reason.empty()) {
      spaces.push_back(real_space(modality));
    } else {
      left_out[real_space(modality)] = reason;
    }
  }
  return spaces;
}

/// The library's projection of texts if it is the model's, so that texts can be asked for.
std::optional<m2u::LatentText> projection_of(IndexArguments const& arguments,
                                             Engine const& engine) {
  auto const path = m2u::text_projection_path(arguments.library);
  auto const& wanted = engine.configuration().text_projection;
  if (wanted.empty() || !fs::exists(path)) {
    return std::nullopt;
  }
  auto projection = m2u::LatentText::load(path);
  if (projection.checksum() != wanted) {
    return std::nullopt;
  }
  return projection;
}

void run_index(IndexArguments const& arguments, Common const& common) {
  expect_faiss(arguments.faiss);
  auto const engine = Engine::load(arguments.model);
  auto const library = m2u::open_shards(arguments.library);
  auto const reason = misfit(library, arguments.library, engine, arguments.model, "2d");
  m2u::expects(reason.empty(), reason);
  expect_replaceable(arguments);
  expect_writable_folder(arguments.out);
  auto const projection = projection_of(arguments, engine);
  IndexFacts facts{engine.checksum(), {}, projection ? projection->checksum() : std::string()};
  auto const spaces = spaces_for(library, arguments, engine, facts.left_out);
  m2u::ShardWriter writer(arguments.out);
  remove_faiss(arguments.out);  // of an earlier index, as the projection
  fs::remove(m2u::text_projection_path(arguments.out));
  if (projection) {
    projection->save(m2u::text_projection_path(arguments.out));
  }
  MoleculeBar bar("index");
  embed_library(
      engine, library, spaces, common.threads, [&](m2u::Table const& part) { writer.add(part); },
      [&](std::size_t done, std::size_t total) { bar(done, total); });
  bar.done();
  writer.finish(index_metadata(facts));
  auto const index = open_index(arguments.out, false).vectors;
  std::cout << "wrote an index of " << library.size() << " molecules to " << arguments.out << ":";
  for (auto const& space : spaces) {
    std::cout << ' ' << space << ' ' << index.size(space) << (space == spaces.back() ? "\n" : ",");
  }
  for (auto const& [space, why] : facts.left_out) {
    std::cout << "without " << space << ": " << why << '\n';
  }
  for (auto const& how : arguments.faiss) {
    write_faiss(index, arguments.out, how, arguments.metric);
    std::cout << "FAISS: " << how << " of every space (" << arguments.metric << ")\n";
  }
}

}  // namespace

void add_index(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "index", "Write the vectors of a prepared library's molecules to disk, for retrieve");
  auto const arguments = std::make_shared<IndexArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--library", a.library, "Folder that prepare wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--out", a.out, "Folder of the index")->required()->check(not_empty());
  command
      ->add_option("--faiss", a.faiss,
                   "Also an approximate index by FAISS: hnsw or ivf (commas for both)")
      ->delimiter(',')
      ->check(CLI::IsMember({"hnsw", "ivf"}));
  command->add_option("--metric", a.metric, "Of --faiss")
      ->check(CLI::IsMember({"cosine", "euclidean"}))
      ->capture_default_str();
  command->add_flag("--force", a.force, "Replace the index in the folder");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_index(*arguments, common); };
  });
}

}  // namespace m2umol
