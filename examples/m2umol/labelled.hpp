// SPDX-License-Identifier: Apache-2.0
// A table of molecules with labels: what the linear probe and fine-tuning read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "m2u/chem/rejects.hpp"
#include "m2u/data/table.hpp"

#include "m2umol/configuration.hpp"

namespace m2umol {

struct LabelSource {
  std::string table;
  std::string smiles = "smiles";
  std::vector<std::string> labels;  ///< each a column, or several with commas between
  std::string part;                 ///< a column whose text is kept too; empty for none
  bool all_columns = false;         ///< with no labels named: all columns but the SMILES and `part`
  bool regression = false;          ///< labels are any numbers, not 0 or 1
  bool fingerprints = false;
};

/// What is to be predicted.
struct LabelTask {
  std::string name;
  std::vector<double> labels;  ///< one per molecule, NaN if missing
};

struct LabelledMolecules {
  std::vector<std::string> smiles;     ///< canonical
  std::vector<std::string> scaffolds;  ///< SMILES
  std::vector<std::int64_t> lines;     ///< of the table, from 1
  std::vector<std::string> parts;      ///< text of the column `part`, if one is named
  std::vector<LabelTask> tasks;
  std::vector<std::vector<int>> bits;  ///< Morgan fingerprints, if asked for
  m2u::Table graphs;                   ///< a row per molecule, as the model's hub takes them
  std::vector<m2u::Reject> rejects;    ///< by line
  std::size_t records = 0;             ///< lines of the table, rejected ones included

  int size() const { return static_cast<int>(smiles.size()); }
};

inline constexpr int morgan_bits = 2048;

/// Reads the table and featurises its molecules as the model expects.
/// @throws m2u::Error if a column is missing or there is nothing to predict.
LabelledMolecules read_labelled(LabelSource const& source, Configuration const& configuration,
                                int threads);

/// Tells on standard error which records can't be used.
void warn_of_rejects(LabelledMolecules const& molecules, std::string const& table);

/// Whether a text is UTF-8, as JSON has to be.
bool is_utf8(std::string const& text);

/// Which molecules a model was trained on.
/// @param smiles canonical ones  @param folder what prepare wrote for its training
std::vector<bool> seen_molecules(std::vector<std::string> const& smiles,
                                 std::filesystem::path const& folder);

}  // namespace m2umol
