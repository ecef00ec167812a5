// SPDX-License-Identifier: Apache-2.0
// m2umol retrieve: the molecules of a library or an index that are nearest to a query.
#include <cstdio>
#include <memory>
#include <utility>

#include "m2u/chem/preparation_fit.hpp"
#include "m2u/data/shard.hpp"

#include "m2umol/faiss_search.hpp"
#include "m2umol/library.hpp"
#include "m2umol/program.hpp"
#include "m2umol/query.hpp"

namespace m2umol {

namespace {

/// An option's text, and whether it was given: an empty one is not the same as none.
struct Text {
  std::string value;
  CLI::Option const* option = nullptr;

  explicit operator bool() const { return option != nullptr && option->count() > 0; }
  std::string const& operator*() const { return value; }
};

struct RetrieveArguments {
  std::string model;
  Text library;
  Text index;
  Text smiles;
  Text id;
  Text text;
  Text targets;
  std::string by = "2d";
  CLI::Option const* by_option = nullptr;
  std::string against;  ///< "generated", "real" or empty: what suits the query
  std::string metric = "cosine";
  std::string search = "exact";
  std::string json;
  bool verify = false;
  int top = 5;

  bool of_molecule() const { return smiles || id; }
  std::string const& folder() const { return index ? *index : *library; }
};

/// What is compared: the query's modality and the vectors that are searched.
struct Comparison {
  std::string modality;  ///< "2d", "3d", "text" or "bio"
  std::string space;     ///< of the index
};

std::string shortened(std::string_view text, std::size_t length) {
  return text.size() <= length ? std::string(text) : std::string(text.substr(0, length - 1)) + "…";
}

/// @throws m2u::Error if the options do not go together.
Comparison comparison(RetrieveArguments const& a) {
  m2u::expects(static_cast<bool>(a.library) != static_cast<bool>(a.index),
               "retrieve takes one of --library and --index");
  int queries = 0;
  for (auto const* const query : {&a.smiles, &a.id, &a.text, &a.targets}) {
    queries += *query ? 1 : 0;
  }
  m2u::expects(queries == 1,
               "retrieve takes one of --query, --query-id, --query-text and --query-targets");
  m2u::expects(a.of_molecule() || a.by_option->count() == 0,
               "--by is for molecules: --query-text compares text, --query-targets bio");
  m2u::expects(a.search == "exact" || static_cast<bool>(a.index), "--search ", a.search,
               " takes an index that was written with --faiss ", a.search);
  m2u::expects(!a.verify || static_cast<bool>(a.index),
               "--verify reads an index: a library is always read whole");
  auto const modality = a.text ? std::string("text") : a.targets ? std::string("bio") : a.by;
  if (modality == "2d") {
    m2u::expects(a.against.empty(),
                 "--against is for --by 3d, text and bio: there is one 2D vector of a molecule");
    return {"2d", "2d"};
  }
  bool const real = a.against.empty() ? a.of_molecule() : a.against == "real";
  return {modality, real ? real_space(modality) : generated_space(modality)};
}

/// The vectors of --library, made now, or of --index.
m2u::VectorIndex open_vectors(RetrieveArguments const& a, Comparison const& what,
                              Engine const& engine, int threads) {
  bool const real = what.space.starts_with("real.");
  if (a.index) {
    auto opened = open_index(*a.index, a.verify);
    auto& [vectors, facts] = opened;
    m2u::expects(facts.model == engine.checksum(), *a.index, " was made with another model than ",
                 a.model, ": m2umol index makes it anew");
    auto const why = facts.left_out.find(what.space);
    m2u::expects(why == facts.left_out.end(), *a.index, " has no vectors \"", what.space,
                 "\": ", why == facts.left_out.end() ? std::string() : why->second);
    return std::move(vectors);
  }
  auto const table = m2u::open_shards(*a.library);
  auto const reason =
      misfit(table, *a.library, engine, a.model, real ? what.modality : std::string("2d"));
  m2u::expects(reason.empty(), reason);
  std::vector<std::string> spaces{what.space};
  if (a.id && real) {
    spaces.push_back(generated_space(what.modality));  // the query's own
  }
  return index_in_memory(engine, table, spaces, threads, *a.library);
}

m2u::HostRows query_vector(RetrieveArguments const& a, Comparison const& what,
                           m2u::VectorIndex const& vectors, Engine const& engine) {
  if (a.smiles) {
    return molecule_vector(engine, *a.smiles, what.modality);
  }
  if (a.text) {
    return text_vector(engine, a.model, *a.text, m2u::text_projection_path(a.folder()));
  }
  if (a.targets) {
    return targets_vector(engine, a.model, *a.targets);
  }
  auto const space = what.modality == "2d" ? what.modality : generated_space(what.modality);
  auto const vector = vectors.vector(space, row_of_id(vectors.table(), a.folder(), *a.id));
  return {1, vectors.width(space), {vector.begin(), vector.end()}};
}

std::vector<m2u::Neighbour> search(RetrieveArguments const& a, Comparison const& what,
                                   m2u::VectorIndex const& vectors,
                                   m2u::Matrix<float, m2u::Host> const& query) {
  m2u::expects(vectors.size(what.space) > 0, "no molecule of the library has the modality \"",
               what.modality, '"');
  auto const metric = a.metric == "cosine" ? m2u::Metric::cosine : m2u::Metric::euclidean;
  if (a.search == "exact") {
    return vectors.search(m2u::Host{}, what.space, query, a.top, metric).at(0);
  }
  return search_faiss(vectors, *a.index, what.space, a.search, metric, query, a.top);
}

/// "CCO by 2D vector", or what else was asked for.
std::string question(RetrieveArguments const& a, Comparison const& what) {
  auto const name = a.smiles ? *a.smiles
                    : a.id   ? *a.id
                    : a.text ? '"' + shortened(*a.text, 60) + '"'
                             : *a.targets;
  if (what.modality == "2d") {
    return name + " by 2D vector";
  }
  bool const usual = a.of_molecule() == what.space.starts_with("real.");
  return name + " by " + (a.of_molecule() ? "generated " : "") + what.modality + " vector" +
         (usual ? "" : " among " + std::string(a.of_molecule() ? "generated" : "real") + " ones");
}

void print_hits(RetrieveArguments const& a, Comparison const& what, m2u::Table const& table,
                std::vector<m2u::Neighbour> const& hits) {
  bool const cosine = a.metric == "cosine";
  std::printf("nearest to %s (%s)\n", question(a, what).c_str(),
              cosine ? "cosine similarity" : "Euclidean distance");
  std::printf("%4s  %10s  %-12s  %-28s  %s\n", "rank", cosine ? "similarity" : "distance", "id",
              "name", "smiles");
  int rank = 1;
  for (auto const& hit : hits) {
    std::printf("%4d  %10.4f  %-12s  %-28s  %s\n", rank++, static_cast<double>(hit.score),
                shortened(table.text("id", hit.row), 12).c_str(),
                shortened(table.text("name", hit.row), 28).c_str(),
                std::string(table.text("smiles", hit.row)).c_str());
  }
}

void write_hits(RetrieveArguments const& a, Comparison const& what, m2u::VectorIndex const& vectors,
                std::vector<m2u::Neighbour> const& hits) {
  nlohmann::json query;
  for (auto const& [name, value] : {std::pair("smiles", &a.smiles), std::pair("id", &a.id),
                                    std::pair("text", &a.text), std::pair("targets", &a.targets)}) {
    if (*value) {
      query[name] = **value;
    }
  }
  auto list = nlohmann::json::array();
  auto const& table = vectors.table();
  for (auto const& hit : hits) {
    nlohmann::json entry{{"rank", list.size() + 1}, {"score", hit.score}, {"row", hit.row}};
    for (auto const* const name : {"id", "name", "smiles", "description", "targets"}) {
      entry[name] = table.text(name, hit.row);
    }
    list.push_back(std::move(entry));
  }
  nlohmann::json const result{{"query", query},        {"by", what.modality},
                              {"vectors", what.space}, {"searched", vectors.size(what.space)},
                              {"metric", a.metric},    {"search", a.search},
                              {"hits", list}};
  // Texts of other encodings than UTF-8 are possible.
  m2u::write_file(a.json,
                  result.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void run_retrieve(RetrieveArguments const& arguments, Common const& common) {
  auto const what = comparison(arguments);
  if (arguments.search != "exact") {
    expect_faiss({arguments.search});
  }
  if (!arguments.json.empty()) {
    expect_writable(arguments.json);
  }
  auto const engine = Engine::load(arguments.model);
  if (arguments.smiles) {
    table_of_molecule(*arguments.smiles, engine.configuration());  // before the library is read
  }
  auto const vectors = open_vectors(arguments, what, engine, common.threads);
  auto const query = query_vector(arguments, what, vectors, engine);
  auto const hits = search(arguments, what, vectors, query.matrix());
  print_hits(arguments, what, vectors.table(), hits);
  if (!arguments.json.empty()) {
    write_hits(arguments, what, vectors, hits);
  }
}

/// Adds an option that keeps whether it was given.
CLI::Option* add_text(CLI::App& command, std::string const& name, Text& text,
                      std::string const& description) {
  auto* const option = command.add_option(name, text.value, description);
  text.option = option;
  return option;
}

void add_queries(CLI::App& command, RetrieveArguments& a) {
  add_text(command, "--query", a.smiles, "SMILES of the query");
  add_text(command, "--query-id", a.id, "Id of a molecule of the library")->check(not_empty());
  add_text(command, "--query-text", a.text, "A description, for the model's encoder of texts")
      ->check(not_empty());
  add_text(command, "--query-targets", a.targets,
           "Names of targets, commas (or semicolons) between them");
}

}  // namespace

void add_retrieve(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "retrieve",
      "Find the molecules of a prepared library or an index that are nearest to a query");
  auto const arguments = std::make_shared<RetrieveArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  add_text(*command, "--library", a.library, "Folder that prepare wrote: its vectors are made now")
      ->check(not_empty());
  add_text(*command, "--index", a.index, "Folder that index wrote")->check(not_empty());
  add_queries(*command, a);
  a.by_option =
      command
          ->add_option("--by", a.by,
                       "Compare 2D vectors, or the query's generated with the library's vectors")
          ->check(CLI::IsMember({"2d", "3d", "text", "bio"}))
          ->capture_default_str();
  command
      ->add_option(
          "--against", a.against,
          "Generated vectors of all molecules or real ones of those that have the modality "
          "(default: real for molecules, generated for texts and targets)")
      ->check(CLI::IsMember({"generated", "real"}));
  command->add_option("--metric", a.metric, "How vectors are compared")
      ->check(CLI::IsMember({"cosine", "euclidean"}))
      ->capture_default_str();
  command->add_option("--search", a.search, "exact, or hnsw or ivf by FAISS")
      ->check(CLI::IsMember({"exact", "hnsw", "ivf"}))
      ->capture_default_str();
  command->add_option("--top", a.top, "How many")->check(at_least_one())->capture_default_str();
  command->add_option("--json", a.json, "Write the result to this file too")->check(not_empty());
  command->add_flag("--verify", a.verify, "Read the whole index first and compare its checksums");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_retrieve(*arguments, common); };
  });
}

}  // namespace m2umol
