// SPDX-License-Identifier: Apache-2.0
// m2umol prepare: a table of molecules into shards that training reads.
#include <iostream>
#include <memory>
#include <sstream>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/data/shard.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

void prepare_data(std::vector<m2u::MoleculeRecord> const& records, m2u::Rejects const& read_rejects,
                  m2u::PrepareOptions const& options, fs::path const& out,
                  std::string const& source) {
  MoleculeBar bar("prepare");
  auto prepared = m2u::prepare_molecules(records, options, [&](m2u::PrepareProgress const& at) {
    bar(at.done, at.total, at.rejected);
  });
  bar.done();
  for (auto const& reject : read_rejects.list()) {
    prepared.rejects.add(reject);
  }
  m2u::expects(prepared.table.size() > 0, source, " holds no molecule that can be used: all ",
               prepared.rejects.size(), " were rejected",
               prepared.rejects.empty() ? std::string()
                                        : "; the first, at line " +
                                              std::to_string(prepared.rejects.list().front().line) +
                                              ": " + prepared.rejects.list().front().reason);
  m2u::write_prepared(out, prepared);
  prepared.rejects.write(out / "rejects.tsv");
  prepared.no_conformers.write(out / "no_conformers.tsv");
  auto const metadata = nlohmann::json::parse(prepared.table.metadata());
  auto const& counts = metadata.at("counts");
  bool const with_enzymes = metadata.at("vocabularies").contains("enzymes");
  std::ostringstream line;
  line << "prepared " << prepared.table.size() << " molecules: " << counts.at("3d")
       << " with conformers, " << counts.at("text") << " with text, " << counts.at("bio")
       << (with_enzymes ? " with targets, enzymes or categories, "
                        : " with targets or categories, ")
       << counts.at("held_out") << " held out; " << prepared.rejects.size() << " rejected";
  if (!prepared.rejects.empty()) {
    line << " (see " << (out / "rejects.tsv").string() << ")";
  }
  std::cout << line.str() << '\n';
}

namespace {

struct PrepareArguments {
  std::string table;
  std::string conformers;
  std::string out;
  bool no_conformers = false;
  bool force = false;
  std::string like;
  std::string geometry{m2u::to_string(m2u::PrepareOptions{}.conformers.radius_graph.geometry)};
  std::string atoms{m2u::to_string(m2u::PrepareOptions{}.features.atoms)};
  m2u::MoleculeReaderOptions columns;
  m2u::PrepareOptions options;
};

/// Says how many conformers will be used. @throws m2u::Error if none belongs to a molecule of the
/// table.
void check_titles(PrepareArguments const& arguments,
                  std::vector<m2u::MoleculeRecord> const& records) {
  std::size_t found = 0;
  auto const& blocks = arguments.options.mol_blocks;
  for (auto const& record : records) {
    found += blocks.count(record.id);
  }
  m2u::expects(found > 0, "no title of ", arguments.conformers, " is an id of ", arguments.table,
               "; the first title is \"", blocks.begin()->first, "\", the first id \"",
               records.front().id, "\"");
  std::cout << found << " of " << records.size() << " molecules have a conformer in "
            << arguments.conformers << '\n';
}

/// Mol blocks by id from an SD file. @throws m2u::Error if an id comes twice.
std::unordered_map<std::string, std::string> read_mol_blocks(std::string const& path,
                                                             m2u::Rejects& rejects) {
  std::unordered_map<std::string, std::string> blocks;
  for (auto& record : m2u::read_molecules(path, rejects)) {
    m2u::expects(!record.mol_block.empty(), path,
                 " is not an SD file; --conformers takes .sdf or .sdf.gz");
    m2u::expects(blocks.emplace(record.id, std::move(record.mol_block)).second, path, ", line ",
                 record.line, ": a second conformer with the title \"", record.id, "\"");
  }
  m2u::expects(!blocks.empty(), path, " holds no usable conformer");
  return blocks;
}

void run_prepare(PrepareArguments arguments, Common const& common) {
  fs::path const out = arguments.out;
  m2u::expects(arguments.force || !fs::exists(out / "dataset.json"), out.string(),
               " already holds a data set; choose another folder, or --force to replace it");
  auto& options = arguments.options;
  if (!arguments.like.empty()) {
    options.like =
        std::make_shared<m2u::PreparationFit const>(m2u::read_preparation_fit(arguments.like));
  }
  expect_writable_folder(out);
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(arguments.table, rejects, arguments.columns);
  m2u::expects(!records.empty(), arguments.table, " holds no usable row",
               rejects.empty() ? std::string()
                               : "; line " + std::to_string(rejects.list().front().line) + ": " +
                                     rejects.list().front().reason);
  if (!arguments.conformers.empty()) {
    m2u::Rejects damaged;
    options.mol_blocks = read_mol_blocks(arguments.conformers, damaged);
    if (!damaged.empty()) {
      std::cerr << "m2umol: warning: " << damaged.size() << " records of " << arguments.conformers
                << " can't be used; the first, at line " << damaged.list().front().line << ": "
                << damaged.list().front().reason << '\n';
    }
    check_titles(arguments, records);
  }
  options.compute_conformers = !arguments.no_conformers;
  options.features.atoms = m2u::atom_inputs_from_string(arguments.atoms, "--atoms");
  options.conformers.radius_graph.geometry =
      m2u::edge_geometry_from_string(arguments.geometry, "--geometry");
  options.conformers.seed = static_cast<int>(common.seed % 2147483647U);
  options.threads = common.threads;
  prepare_data(records, rejects, options, out, arguments.table);
  std::cout << "data set: " << out.string() << '\n';
}

/// Options of what another prepared folder may stand in for, and that folder.
void add_fitting_options(CLI::App& command, PrepareArguments& a) {
  auto* const like = command.add_option(
      "--like", a.like,
      "Folder that prepare wrote: take features, vocabularies and the texts' projection from it, "
      "for the models that were trained on it");
  like->check(not_empty());
  std::vector<CLI::Option*> const fitted{
      command
          .add_option("--min-count", a.options.min_count,
                      "Leave out targets, enzymes and categories of fewer training molecules")
          ->check(at_least_one()),
      command.add_option("--drop-category", a.options.drop_categories,
                         "Leave out categories with this prefix, for example role: (repeatable)"),
      command
          .add_option("--text-width", a.options.text_width,
                      "Columns of the text vectors (TF-IDF, then singular vectors)")
          ->check(CLI::Range(1, 1 << 16)),
      command
          .add_option("--text-min-count", a.options.text_min_count,
                      "Leave out words and pairs of words of fewer training descriptions")
          ->check(at_least_one()),
      command
          .add_option("--text-buckets", a.options.text.buckets,
                      "Buckets of the hashed words and pairs of words (power of two)")
          ->check(CLI::Range(1, 1 << 24)),
      command
          .add_option("--atoms", a.atoms,
                      "Features of atoms: ogb, or one-hot as in M2UMol's package")
          ->check(CLI::IsMember({"ogb", "one-hot"})),
      command
          .add_option("--geometry", a.geometry,
                      "Directions in conformers: smooth, or published with its jumps")
          ->check(CLI::IsMember({"smooth", "published"}))};
  for (auto* const option : fitted) {
    option->excludes(like);
    if (option->get_items_expected_max() == 1) {  // not of lists
      option->capture_default_str();
    }
  }
}

}  // namespace

void add_prepare(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "prepare", "Read molecules and their modalities, featurise them and write shards");
  auto const arguments = std::make_shared<PrepareArguments>();
  auto& a = *arguments;
  command
      ->add_option("--table", a.table,
                   "CSV or TSV, also gzipped, with the columns id, smiles, name, "
                   "description, targets, enzymes, categories (lists by ;), or .smi or .sdf")
      ->required()
      ->check(not_empty());
  command->add_option("--conformers", a.conformers,
                      "SD file, also gzipped, whose titles are ids of the table");
  command->add_option("--out", a.out, "Folder for the shards")->required()->check(not_empty());
  command->add_flag("--no-conformers", a.no_conformers,
                    "Do not compute conformers that are not given");
  command->add_flag("--force", a.force, "Replace the data set in the folder");
  command->add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->capture_default_str();
  command->add_option("--id", a.columns.id, "Name of the id column")->capture_default_str();
  command->add_option("--max-atoms", a.options.max_atoms, "Reject molecules with more heavy atoms")
      ->check(at_least_one())
      ->capture_default_str();
  command
      ->add_option("--conformer-seconds", a.options.conformers.max_seconds,
                   "Time limit of one molecule's embedding")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option(
          "--holdout", a.options.holdout,
          "Share of the molecules kept out of training, equal ones together: nothing is fitted on "
          "them")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_option("--holdout-seed", a.options.holdout_seed, "Seed of that choice")
      ->capture_default_str();
  add_fitting_options(*command, a);
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_prepare(*arguments, common); };
  });
}

}  // namespace m2umol
