// SPDX-License-Identifier: Apache-2.0
// Tables of pairs of molecules: reading them, and writing what a model says of them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "m2u/core/file.hpp"
#include "m2u/data/delimited.hpp"
#include "m2u/data/table.hpp"

#include "m2umol/configuration.hpp"
#include "m2umol/finetune.hpp"

namespace m2umol {

/// The molecules' graphs, and their rows by id.
struct PairMolecules {
  std::string file;
  m2u::Table graphs;
  std::unordered_map<std::string, int> rows;
  std::map<std::string, std::string> rejected;  ///< ids that can't be used, and why
};

/// Reads the molecules of pairs; those that can't be used are told on standard error.
/// @throws m2u::Error if there is none that can.
PairMolecules read_pair_molecules(PairSource const& source, std::string const& smiles,
                                  Configuration const& configuration, int threads);

/// A line of a table of pairs.
struct PairLine {
  std::size_t line = 0;
  std::string ids[2];
  std::string type;  ///< if it is read
  int rows[2] = {-1, -1};
  std::string problem;        ///< why it can't be used; empty if it can
  bool bad_molecule = false;  ///< the problem is that of a molecule
};

/// Reads a table of pairs line by line.
class PairReader {
 public:
  /// @param typed whether the column of types is read, and has to be there
  /// @throws m2u::Error listing the columns if one is missing.
  PairReader(std::string const& path, PairSource const& source, PairMolecules const& molecules,
             bool typed);
  /// False at the end.
  bool next(PairLine& line);

 private:
  m2u::DelimitedReader reader_;
  PairMolecules const& molecules_;
  std::vector<int> columns_;
};

/// What is predicted of pairs as a table: the line, both molecules, the likeliest class and its
/// chance, and the chances of all classes if they are wanted.
class ClassTable {
 public:
  ClassTable(std::filesystem::path const& path, PairSource const& source,
             std::vector<std::string> const& classes, bool all);
  /// @param chances [classes], or empty for a pair that can't be used: NaN
  void add(std::size_t line, std::string const& first, std::string const& second,
           std::span<float const> chances);
  void commit() { file_.commit(); }

  /// The column of a class' chance.
  static std::string column_of(std::string const& name) { return "chance of " + name; }

 private:
  m2u::AtomicFile file_;
  std::vector<std::string> classes_;
  bool all_;
};

}  // namespace m2umol
