// SPDX-License-Identifier: Apache-2.0
// m2umol embed: molecules of a file, or of a prepared folder, into vectors.
#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "m2u/data/shard.hpp"

#include "m2umol/library.hpp"
#include "m2umol/program.hpp"
#include "m2umol/row_output.hpp"
#if defined(M2UMOL_CHEM)
#include "m2umol/molecule_rows.hpp"
#endif

namespace m2umol {

namespace {

struct EmbedArguments {
  std::string model;
  std::optional<std::string> in;
  std::optional<std::string> data;
  std::string out;
  bool generated = false;
  bool fused = false;
#if defined(M2UMOL_CHEM)
  m2u::MoleculeReaderOptions columns;
  std::string rejects;
#endif
};

/// The vectors that are asked for. @throws m2u::Error if the model does not make them.
std::vector<RowPart> parts_of(EmbedArguments const& arguments, Configuration const& configuration) {
  std::vector<RowPart> parts{{"2d", configuration.width}};
  if (arguments.generated) {
    m2u::expects(configuration.generates(), arguments.model,
                 " was fine-tuned with --head 2d: it generates no vectors");
    for (auto const* const name : modalities) {
      parts.push_back({name, configuration.width});
    }
  }
  if (arguments.fused) {
    m2u::expects(configuration.fuses(), arguments.model,
                 " has no fusion head: --fused takes a fine-tuned model, or one in the form of the "
                 "authors' package");
    parts.push_back({"fused", configuration.width});
  }
  return parts;
}

/// These vectors of some rows of a table.
std::vector<m2u::HostRows> vectors_of(EmbedArguments const& arguments, Engine const& engine,
                                      m2u::Table const& table, std::vector<int> ids,
                                      std::vector<RowPart> const& parts, int threads) {
  auto vectors = engine.embed(table, std::move(ids),
                              {.generated = arguments.generated, .real = false}, threads);
  std::vector<m2u::HostRows> rows;
  for (auto const& part : parts) {
    rows.push_back(part.name == "2d"      ? std::move(vectors.hub)
                   : part.name == "fused" ? std::move(vectors.fused)
                                          : vectors.modality(part.name).generated);
  }
  return rows;
}

/// Molecules that prepare wrote: nothing here needs RDKit.
void embed_folder(EmbedArguments const& arguments, Engine const& engine,
                  std::vector<RowPart> const& parts, int threads) {
  constexpr int at_once = 32768;
  auto const table = m2u::open_shards(*arguments.data);
  auto const reason = misfit(table, *arguments.data, engine, arguments.model, "2d");
  m2u::expects(reason.empty(), reason);
  expect_writable(arguments.out);
  auto const lines = table.column<int>("line");
  auto const output = make_row_output(arguments.out, table.size(), parts);
  MoleculeBar bar("embed");
  std::vector<float> row;
  for (int first = 0; first < table.size(); first += at_once) {
    std::vector<int> ids(static_cast<std::size_t>(std::min(at_once, table.size() - first)));
    std::iota(ids.begin(), ids.end(), first);
    auto const vectors = vectors_of(arguments, engine, table, ids, parts, threads);
    for (int const id : ids) {
      row.clear();
      append_row(vectors, id - first, row);
      output->add(static_cast<std::size_t>(lines[id][0]), table.text("id", id), row);
    }
    bar(static_cast<std::size_t>(ids.back()) + 1, static_cast<std::size_t>(table.size()));
  }
  bar.done();
  output->commit();
  std::cout << "wrote " << table.size() << " rows to " << arguments.out << '\n';
}

#if defined(M2UMOL_CHEM)
void embed_file(EmbedArguments const& arguments, Engine const& engine,
                std::vector<RowPart> const& parts, int threads) {
  MoleculeRows job;
  job.verb = "embed";
  job.in = *arguments.in;
  job.out = arguments.out;
  job.rejects = arguments.rejects;
  job.columns = arguments.columns;
  job.parts = parts;
  job.compute = [&](m2u::Table const& table, auto const& /*records*/) {
    return vectors_of(arguments, engine, table, m2u::all_ids(table.size()), parts, threads);
  };
  write_molecule_rows(job, engine.configuration(), threads);
}

void add_file_options(CLI::App& command, EmbedArguments& a) {
  auto* const in =
      command.add_option("--in", a.in, "Molecules: .smi, .csv, .tsv or .sdf, also gzipped");
  in->check(not_empty());
  command.add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->needs(in)
      ->capture_default_str();
  command.add_option("--id", a.columns.id, "Name of the id column")
      ->needs(in)
      ->capture_default_str();
  command
      .add_option("--rejects", a.rejects,
                  "Where unusable records are listed (default: OUT.rejects.tsv)")
      ->needs(in);
}
#endif

void run_embed(EmbedArguments const& arguments, Common const& common) {
#if defined(M2UMOL_CHEM)
  m2u::expects(static_cast<bool>(arguments.in) != static_cast<bool>(arguments.data),
               "embed takes one of --in and --data");
#endif
  expect_row_format(arguments.out);
  auto const engine = Engine::load(arguments.model);
  auto const parts = parts_of(arguments, engine.configuration());
#if defined(M2UMOL_CHEM)
  if (arguments.in) {
    return embed_file(arguments, engine, parts, common.threads);
  }
#endif
  embed_folder(arguments, engine, parts, common.threads);
}

}  // namespace

void add_embed(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "embed", "Turn molecules into vectors: one row per record of a file, or per molecule of a "
               "prepared folder, in order");
  auto const arguments = std::make_shared<EmbedArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
#if defined(M2UMOL_CHEM)
  add_file_options(*command, a);
#endif
  command
      ->add_option("--data", a.data, "Folder that prepare wrote")
#if !defined(M2UMOL_CHEM)
      ->required()
#endif
      ->check(not_empty());
  command->add_option("--out", a.out, "Vectors: .npy, .csv or .safetensors")
      ->required()
      ->check(not_empty());
  command->add_flag(
      "--generated", a.generated,
      "Also the generated 3D, text and bio vectors (in .npy and .csv as further columns)");
  command->add_flag("--fused", a.fused,
                    "Also the 2D vector fused with the generated ones, if the model has that head");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_embed(*arguments, common); };
  });
}

}  // namespace m2umol
