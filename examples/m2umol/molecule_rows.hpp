// SPDX-License-Identifier: Apache-2.0
// What a model makes of every molecule of a file, one row per input record.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "m2u/chem/read.hpp"
#include "m2u/data/table.hpp"
#include "m2u/transfer/embeddings.hpp"

#include "m2umol/configuration.hpp"

namespace m2umol {

/// One kind of numbers: "2d", a generated modality, "fused", or predictions.
struct RowPart {
  std::string name;
  int width = 0;
  std::vector<std::string> columns = {};  ///< names; else name_0, name_1, …
};

struct MoleculeRows {
  std::string in;
  std::string out;      ///< .npy, .csv or .safetensors
  std::string rejects;  ///< empty: beside `out`
  m2u::MoleculeReaderOptions columns;
  std::vector<RowPart> parts;
  /// The parts' rows for a table of molecules.
  std::function<std::vector<m2u::HostRows>(m2u::Table const&)> compute;
};

/// A text as a cell of CSV, in quotes where it needs them (RFC 4180).
std::string csv_cell(std::string const& text);

/// Reads the file, computes and writes; records that can't be used have rows of NaN.
/// @throws m2u::Error if a file can't be read or written.
void write_molecule_rows(MoleculeRows const& job, Configuration const& configuration, int threads);

}  // namespace m2umol
