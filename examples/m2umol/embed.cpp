// SPDX-License-Identifier: Apache-2.0
// m2umol embed: molecules of a file into vectors, one row per input record.
#include <memory>
#include <utility>

#include "m2u/chem/prepare.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/molecule_rows.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

m2u::PrepareOptions graph_only(Configuration const& configuration, int threads) {
  m2u::PrepareOptions options;
  options.features.encoding_steps = configuration.encoding_steps;
  options.features.atoms = m2u::atom_inputs_from_string(configuration.atoms, "the model");
  options.holdout = 0.0;
  options.text_width = 0;  // there is no text
  options.compute_conformers = false;
  options.canonical = false;
  options.threads = threads;
  return options;
}

m2u::Table table_of_molecule(std::string const& smiles, Configuration const& configuration) {
  m2u::MoleculeRecord record;
  record.line = 1;
  record.id = "query";
  record.smiles = smiles;
  auto const prepared = m2u::prepare_molecules(std::span(&record, 1), graph_only(configuration, 1));
  m2u::expects(
      prepared.table.size() == 1, "the molecule \"", smiles, "\" can't be used: ",
      prepared.rejects.empty() ? std::string("unknown reason") : prepared.rejects.list()[0].reason);
  return prepared.table;
}

namespace {

struct EmbedArguments : MoleculeRows {
  std::string model;
  bool generated = false;
  bool fused = false;
};

void run_embed(EmbedArguments const& arguments, Common const& common) {
  std::filesystem::path const out = arguments.out;
  auto const end = out.extension();
  m2u::expects(end == ".npy" || end == ".csv" || end == ".safetensors", "--out ", out.string(),
               ": the ending must be .npy, .csv or .safetensors");
  auto const engine = Engine::load(arguments.model);
  MoleculeRows job = arguments;
  job.parts.push_back({"2d", engine.configuration().width});
  if (arguments.generated) {
    m2u::expects(engine.configuration().generates(), arguments.model,
                 " was fine-tuned with --head 2d: it generates no vectors");
    for (auto const* const name : {"3d", "text", "bio"}) {
      job.parts.push_back({name, engine.configuration().width});
    }
  }
  if (arguments.fused) {
    m2u::expects(engine.configuration().fuses(), arguments.model,
                 " has no fusion head: --fused takes a fine-tuned model, or one in the form of the "
                 "authors' package");
    job.parts.push_back({"fused", engine.configuration().width});
  }
  job.compute = [&](m2u::Table const& table, auto const& /*records*/) {
    auto vectors = engine.embed(table, m2u::all_ids(table.size()),
                                {.generated = arguments.generated, .real = false}, common.threads);
    std::vector<m2u::HostRows> rows;
    for (auto const& part : job.parts) {
      rows.push_back(part.name == "2d"      ? std::move(vectors.hub)
                     : part.name == "fused" ? std::move(vectors.fused)
                                            : vectors.modality(part.name).generated);
    }
    return rows;
  };
  write_molecule_rows(job, engine.configuration(), common.threads);
}

}  // namespace

void add_embed(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "embed", "Turn the molecules of a file into vectors: one row per record, in order");
  auto const arguments = std::make_shared<EmbedArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--in", a.in, "Molecules: .smi, .csv, .tsv or .sdf, also gzipped")
      ->required()
      ->check(not_empty());
  command->add_option("--out", a.out, "Vectors: .npy, .csv or .safetensors")
      ->required()
      ->check(not_empty());
  command->add_flag(
      "--generated", a.generated,
      "Also the generated 3D, text and bio vectors (in .npy and .csv as further columns)");
  command->add_flag("--fused", a.fused,
                    "Also the 2D vector fused with the generated ones, if the model has that head");
  command->add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->capture_default_str();
  command->add_option("--id", a.columns.id, "Name of the id column")->capture_default_str();
  command->add_option("--rejects", a.rejects,
                      "Where unusable records are listed (default: OUT.rejects.tsv)");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_embed(*arguments, common); };
  });
}

}  // namespace m2umol
