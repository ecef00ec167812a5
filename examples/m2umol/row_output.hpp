// SPDX-License-Identifier: Apache-2.0
// Rows of numbers of molecules into a file, in one of three formats.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/transfer/embeddings.hpp"

namespace m2umol {

/// One kind of numbers: "2d", a generated modality, "fused", or predictions.
struct RowPart {
  std::string name;
  int width = 0;
  std::vector<std::string> columns = {};  ///< names; else name_0, name_1, …
};

/// A text as a cell of CSV, in quotes where it needs them (RFC 4180).
std::string csv_cell(std::string const& text);

/// Where rows go: .npy, .csv or .safetensors behind one interface.
class RowOutput {
 public:
  virtual ~RowOutput() = default;
  /// A molecule's numbers, all parts on one row, and where its input told of it.
  virtual void add(std::size_t line, std::string_view id, std::span<float const> row) = 0;
  /// The file is there after this only.
  virtual void commit() = 0;
};

/// @throws m2u::Error if the file's ending is none of the three.
void expect_row_format(std::filesystem::path const& out);

/// Columns of all parts.
int row_width(std::vector<RowPart> const& parts);

/// @param rows how many will come
std::unique_ptr<RowOutput> make_row_output(std::filesystem::path const& path, int rows,
                                           std::vector<RowPart> const& parts);

/// Adds one row of each part to a line.
void append_row(std::vector<m2u::HostRows> const& parts, int row, std::vector<float>& line);

}  // namespace m2umol
