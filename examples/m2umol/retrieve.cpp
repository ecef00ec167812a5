// SPDX-License-Identifier: Apache-2.0
// m2umol retrieve: the molecules of a library that are nearest to a query.
#include <cstdio>
#include <iostream>
#include <memory>

#include "m2u/data/shard.hpp"
#include "m2u/retrieve/top_k.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

std::vector<Hit> nearest_molecules(m2u::Embeddings const& query, Library const& library,
                                   std::string const& by, int top) {
  bool const hub = by == "2d";
  auto const& from = hub ? query.hub : query.modality(by).generated;
  auto const& to = hub ? library.vectors.hub : library.vectors.modality(by).real;
  m2u::expects(to.rows > 0, "no molecule of the library has the modality \"", by, "\"");
  auto const neighbours =
      m2u::nearest(m2u::Host{}, from.matrix(), to.matrix(), top, m2u::Metric::cosine);
  std::vector<Hit> hits;
  for (auto const& neighbour : neighbours.at(0)) {
    auto const place = static_cast<std::size_t>(neighbour.row);
    hits.push_back({hub ? library.vectors.ids[place] : library.vectors.modality(by).samples[place],
                    static_cast<double>(neighbour.score)});
  }
  return hits;
}

namespace {

struct RetrieveArguments {
  std::string model;
  std::string library;
  std::string query;
  std::string by = "2d";
  int top = 5;
};

std::string shortened(std::string_view text, std::size_t length) {
  return text.size() <= length ? std::string(text) : std::string(text.substr(0, length - 1)) + "…";
}

/// @throws m2u::Error if the model can't read what the library was prepared with.
void expect_fitting(m2u::Table const& table, Configuration const& model,
                    RetrieveArguments const& arguments) {
  auto const library = configuration_for(table, arguments.library);
  auto const check = [&](bool fits, char const* what) {
    m2u::expects(
        fits, arguments.library, " was prepared with ", what, " than the data that ",
        arguments.model, " was trained on",
        arguments.by == "text" || arguments.by == "bio" ? "; --by 2d does not depend on them" : "");
  };
  m2u::expects(arguments.by == "2d" || model.form == "pretraining", arguments.model,
               " has the form of the authors' package, without encoders of real ", arguments.by,
               " vectors; --by 2d works");
  check(library.encoding_steps == model.encoding_steps, "other positional encodings");
  check(library.atoms == model.atoms, "other atom features");
  check(arguments.by != "3d" || library.geometry == model.geometry, "another geometry");
  check(arguments.by != "text" || library.text_projection == model.text_projection,
        "another projection of texts (prepare it with --like)");
  check(arguments.by != "bio" || library.bio == model.bio,
        "other targets or categories (prepare it with --like)");
}

void run_retrieve(RetrieveArguments const& arguments, Common const& common) {
  auto const engine = Engine::load(arguments.model);
  auto const table_of_query = table_of_molecule(arguments.query, engine.configuration());
  auto const query = engine.embed(table_of_query, {0}, {.real = false}, 1);
  Library library{m2u::open_shards(arguments.library), {}};
  expect_fitting(library.table, engine.configuration(), arguments);
  library.vectors =
      engine.embed(library.table, m2u::all_ids(library.table.size()),
                   {.generated = false, .real = arguments.by != "2d"}, common.threads);
  auto const hits = nearest_molecules(query, library, arguments.by, arguments.top);
  std::printf(
      "nearest to %s by %s (cosine similarity)\n", arguments.query.c_str(),
      arguments.by == "2d" ? "2D vector" : ("generated " + arguments.by + " vector").c_str());
  std::printf("%4s  %10s  %-12s  %-28s  %s\n", "rank", "similarity", "id", "name", "smiles");
  int rank = 1;
  for (auto const& hit : hits) {
    std::printf("%4d  %10.4f  %-12s  %-28s  %s\n", rank++, hit.score,
                shortened(library.table.text("id", hit.row), 12).c_str(),
                shortened(library.table.text("name", hit.row), 28).c_str(),
                std::string(library.table.text("smiles", hit.row)).c_str());
  }
}

}  // namespace

void add_retrieve(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "retrieve", "Find the molecules of a prepared library that are nearest to a query");
  auto const arguments = std::make_shared<RetrieveArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--library", a.library, "Folder that prepare wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--query", a.query, "SMILES of the query")->required();
  command
      ->add_option("--by", a.by,
                   "Compare 2D vectors, or the query's generated with the library's real vectors")
      ->check(CLI::IsMember({"2d", "3d", "text", "bio"}))
      ->capture_default_str();
  command->add_option("--top", a.top, "How many")->check(at_least_one())->capture_default_str();
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_retrieve(*arguments, common); };
  });
}

}  // namespace m2umol
