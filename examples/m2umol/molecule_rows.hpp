// SPDX-License-Identifier: Apache-2.0
// What a model makes of every molecule of a file, one row per input record.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "m2u/chem/read.hpp"
#include "m2u/chem/rejects.hpp"
#include "m2u/data/table.hpp"

#include "m2umol/configuration.hpp"
#include "m2umol/row_output.hpp"

namespace m2umol {

struct MoleculeRows {
  std::string verb = "predict";  ///< what is done, for the bar
  std::string in;
  std::string out;      ///< .npy, .csv or .safetensors
  std::string rejects;  ///< empty: beside `out`
  m2u::MoleculeReaderOptions columns;
  std::vector<RowPart> parts;
  /// The parts' rows for a table of molecules, each of them made from one of the records.
  std::function<std::vector<m2u::HostRows>(m2u::Table const&,
                                           std::vector<m2u::MoleculeRecord const*> const&)>
      compute;
  /// Why a record can't be used, whatever its molecule; empty if it can. May be left out.
  std::function<std::string(m2u::MoleculeRecord const&)> problem_of = {};
};

/// @throws m2u::Error unless the input can be read twice and nothing is written over anything else.
void check_paths(std::filesystem::path const& in, std::filesystem::path const& out,
                 std::filesystem::path const& rejects);

/// Where records that can't be used are listed, if nothing else is asked for.
inline std::filesystem::path rejects_beside(std::string const& out, std::string const& rejects) {
  return rejects.empty() ? out + ".rejects.tsv" : rejects;
}

/// Writes the list, or removes that of an earlier run where nothing was rejected and no list is
/// asked for. Before rows of NaN are committed: they never stand without their reasons.
void write_rejects(m2u::Rejects const& list, std::filesystem::path const& file, bool always);

/// Tells how many rows were written, and how many of them are NaN.
void tell_of_rows(std::size_t rows, std::filesystem::path const& out, m2u::Rejects const& list,
                  std::filesystem::path const& rejects);

/// Reads the file, computes and writes; records that can't be used have rows of NaN.
/// @throws m2u::Error if a file can't be read or written.
void write_molecule_rows(MoleculeRows const& job, Configuration const& configuration, int threads);

}  // namespace m2umol
