// SPDX-License-Identifier: Apache-2.0
// What the commands of the program share.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "m2u/data/table.hpp"

#include "m2umol/engine.hpp"
#include "m2umol/held_out.hpp"

namespace m2u {
// Of m2u/chem: only the commands that work with molecules include RDKit.
struct MoleculeRecord;
struct PrepareOptions;
class Rejects;
}  // namespace m2u

namespace m2umol {

/// Options of every command.
struct Common {
  int threads = 0;  ///< 0: all that this process may use
  std::optional<int> device;
  std::string products = "full";
  std::uint64_t seed = 1;
};

/// A command's body runs after Kokkos was started with the asked-for threads.
using Body = std::function<void()>;

/// Adds --threads, --seed and what is for GPUs.
void add_common(CLI::App& command, Common& common);

// Checks of options' values that say in words what is wrong.
CLI::Validator above_zero();      ///< a finite number
CLI::Validator not_below_zero();  ///< a finite number
CLI::Validator at_least_one();    ///< a whole number
CLI::Validator not_empty();       ///< a path or text

/// Makes sure that a file can be written there before hours go into its contents; leaves nothing
/// behind.
/// @throws m2u::Error naming the file.
void expect_writable(std::filesystem::path const& file);
/// The same for files in a folder, which need not exist.
void expect_writable_folder(std::filesystem::path const& folder);

// Each adds its command to the program; `body` is set when the user chose it.
void add_prepare(CLI::App& program, Common& common, Body& body);
void add_pretrain(CLI::App& program, Common& common, Body& body);
void add_embed(CLI::App& program, Common& common, Body& body);
void add_index(CLI::App& program, Common& common, Body& body);
void add_retrieve(CLI::App& program, Common& common, Body& body);
void add_finetune(CLI::App& program, Common& common, Body& body);
void add_predict(CLI::App& program, Common& common, Body& body);
void add_evaluate_retrieval(CLI::App& program, Common& common, Body& body);
void add_evaluate(CLI::App& program, Common& common, Body& body);
void add_explain(CLI::App& program, Common& common, Body& body);
void add_report(CLI::App& program, Common& common, Body& body);
void add_probe(CLI::App& program, Common& common, Body& body);
void add_import(CLI::App& program, Common& common, Body& body);
void add_export(CLI::App& program, Common& common, Body& body);
void add_demo(CLI::App& program, Common& common, Body& body);

/// The revision that this program was built from.
char const* git_revision();

/// A bar on a terminal, else a line every few seconds, on standard error, for what goes through
/// many molecules.
class MoleculeBar {
 public:
  /// @param verb what is done, in front of the bar
  explicit MoleculeBar(std::string verb) : verb_(std::move(verb)) {}
  void operator()(std::size_t done, std::size_t total, std::size_t rejected = 0);
  void done();

 private:
  std::string verb_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_{};
  bool drawn_ = false;
};

/// What `prepare` and the demo do after reading: featurise, write shards and the lists of rejects.
/// @param source names the input in messages.
void prepare_data(std::vector<m2u::MoleculeRecord> const& records, m2u::Rejects const& read_rejects,
                  m2u::PrepareOptions const& options, std::filesystem::path const& out,
                  std::string const& source);

/// The rows of a table in a training and a held-out part, as prepare decided.
struct Split {
  std::vector<int> train;
  std::vector<int> held_out;
};
Split split_rows(m2u::Table const& table);

/// Pre-trains, prints the table and writes the model: `pretrain` and the demo.
struct PretrainResult {
  std::vector<HeldOut> before;
  std::vector<HeldOut> after;
  SameFormula same_formula;
  m2u::FitResult fit;
};
PretrainResult run_pretraining(m2u::Table const& table, Configuration configuration,
                               PretrainOptions const& options);

/// Sizes and vocabularies that a prepared table asks for. @throws m2u::Error naming the folder if
/// it is not one of molecules.
Configuration configuration_for(m2u::Table const& table, std::string const& folder);

/// How equal similarities count in held-out retrieval, in a sentence.
inline constexpr char const* tie_rule =
    "Equal similarities count as their mean rank: a model that maps everything to one point gets "
    "the rank (pool + 1) / 2, not 1.";

/// A text table of held-out retrieval before and after.
std::string retrieval_table(std::vector<HeldOut> const& before, std::vector<HeldOut> const& after);
/// The same among molecules of one formula, in a line; empty if there were none.
std::string same_formula_line(SameFormula const& result);

/// A molecule's own table of one row, without conformer, text and bio. @throws m2u::Error if it is
/// unusable.
m2u::Table table_of_molecule(std::string const& smiles, Configuration const& configuration);

/// Options that featurise molecules as the model expects, without anything but the 2D graph.
m2u::PrepareOptions graph_only(Configuration const& configuration, int threads);

}  // namespace m2umol
