// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecules from files: CSV and TSV tables, SMILES files and SD files, plain or gzipped.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/chem/molecule.hpp"
#include "m2u/chem/rejects.hpp"
#include "m2u/core/config.hpp"
#include "m2u/data/delimited.hpp"
#include "m2u/data/line_reader.hpp"

namespace m2u {

/// Names of a table's columns, or of an SD file's data fields, whose contents m2u knows. Upper and
/// lower case are the same where no name fits exactly.
struct MoleculeReaderOptions {
  std::string id = "id";
  std::string smiles = "smiles";
  std::string name = "name";
  std::string description = "description";
  std::string targets = "targets";
  std::string enzymes = "enzymes";
  std::string categories = "categories";
  std::vector<std::string> extras = {};  ///< further columns to keep, for example labels
};

namespace detail {

/// The name in `names` that fits, as a position; names.size() if none does.
std::size_t find_name(std::vector<std::string> const& names, std::string const& wanted);

/// Rows of a table or of a SMILES file.
class TableMolecules {
 public:
  TableMolecules(std::filesystem::path const& path, MoleculeReaderOptions const& options);

  bool next(MoleculeRecord& record, std::string& problem);

 private:
  DelimitedReader rows_;
  DelimitedRow row_;
  std::vector<std::pair<std::string MoleculeRecord::*, std::size_t>> fields_;
  std::vector<std::size_t> extras_;
};

/// Records of an SD file. The title is the id; the data fields give the rest.
class SdfMolecules {
 public:
  SdfMolecules(std::filesystem::path const& path, MoleculeReaderOptions const& options);

  bool next(MoleculeRecord& record, std::string& problem);

 private:
  static constexpr std::size_t longest_block = std::size_t{64} << 20U;

  /// Reads up to "M  END". False at the end of the file.
  bool read_block(MoleculeRecord& record, std::string& problem);

  /// Reads a data field whose header is in text_: "> <name>", then lines up to a blank one.
  void read_field();

  static std::string trimmed(std::string_view text);

  LineReader lines_;
  std::vector<std::pair<std::string MoleculeRecord::*, std::string>> fields_;
  std::vector<std::string> extras_;
  std::vector<std::string> names_;
  std::vector<std::string> values_;
  std::string text_;
  bool ended_ = false;
};

}  // namespace detail

/// Reads molecules one by one, as text: `parse_molecule` makes RDKit molecules of them, on any
/// thread. The file's name tells the format: .sdf, .sd, .mol; .smi; .csv; else TSV; each may be
/// followed by .gz.
class MoleculeReader {
 public:
  /// @throws Error naming the file if it can't be read, or listing its columns if one is missing.
  explicit MoleculeReader(std::filesystem::path const& path,
                          MoleculeReaderOptions const& options = {});

  /// Gives the next record. False at the end of the file. If the record is malformed, `problem`
  /// says why (it is empty else), and reading can go on.
  /// @throws Error naming file and line if the file itself is damaged.
  bool next(MoleculeRecord& record, std::string& problem);

 private:
  std::optional<detail::SdfMolecules> sdf_;
  std::optional<detail::TableMolecules> table_;
};

/// All well-formed records of a file; the others go to `rejects`.
std::vector<MoleculeRecord> read_molecules(std::filesystem::path const& path, Rejects& rejects,
                                           MoleculeReaderOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <algorithm>
#include <cctype>
#include <utility>

namespace m2u {

namespace detail {

inline bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

M2U_INLINE std::size_t find_name(std::vector<std::string> const& names, std::string const& wanted) {
  auto found = std::find(names.begin(), names.end(), wanted);
  if (found == names.end()) {
    found = std::find_if(names.begin(), names.end(),
                         [&](std::string const& name) { return same_letters(name, wanted); });
  }
  return static_cast<std::size_t>(found - names.begin());
}

/// The fields of a record that readers fill from named columns, and the columns' names.
inline auto named_fields(MoleculeReaderOptions const& options) {
  return std::vector<std::pair<std::string MoleculeRecord::*, std::string>>{
      {&MoleculeRecord::id, options.id},
      {&MoleculeRecord::smiles, options.smiles},
      {&MoleculeRecord::name, options.name},
      {&MoleculeRecord::description, options.description},
      {&MoleculeRecord::targets, options.targets},
      {&MoleculeRecord::enzymes, options.enzymes},
      {&MoleculeRecord::categories, options.categories}};
}

inline void name_record(MoleculeRecord& record) {
  if (record.id.empty()) {
    record.id = "line " + std::to_string(record.line);
  }
}

M2U_INLINE TableMolecules::TableMolecules(std::filesystem::path const& path,
                                          MoleculeReaderOptions const& options)
    : rows_(path) {
  auto const& header = rows_.header();
  if (find_name(header, options.smiles) == header.size()) {
    rows_.column(options.smiles);  // an Error that lists the columns
  }
  auto const usual = named_fields({});
  for (std::size_t i = 0; auto const& [field, column] : named_fields(options)) {
    if (auto const at = find_name(header, column); at < header.size()) {
      fields_.emplace_back(field, at);
    } else if (column != usual[i].second) {
      rows_.column(column);  // somebody asked for it: an Error that lists the columns
    }
    ++i;
  }
  for (auto const& extra : options.extras) {
    extras_.push_back(static_cast<std::size_t>(rows_.column(extra)));
  }
}

M2U_INLINE bool TableMolecules::next(MoleculeRecord& record, std::string& problem) {
  record = {};
  if (!rows_.next(row_, problem)) {
    return false;
  }
  record.line = row_.line;
  auto const take = [&](std::size_t at) {
    return at < row_.fields.size() ? row_.fields[at] : std::string();
  };
  for (auto const at : extras_) {
    record.extras.push_back(at < row_.fields.size() ? row_.fields[at] : std::string());
  }
  for (auto const& [field, at] : fields_) {
    record.*field = take(at);
  }
  if (rows_.format() == DelimitedFormat::smi) {
    record.id = record.name;
    record.title_as_id = true;
  }
  name_record(record);
  return true;
}

M2U_INLINE SdfMolecules::SdfMolecules(std::filesystem::path const& path,
                                      MoleculeReaderOptions const& options)
    : lines_(path), fields_(named_fields(options)), extras_(options.extras) {}

M2U_INLINE bool SdfMolecules::next(MoleculeRecord& record, std::string& problem) {
  record = {};
  problem.clear();
  if (!read_block(record, problem)) {
    return false;
  }
  names_.clear();
  values_.clear();
  while (!ended_ && lines_.next(text_) && text_ != "$$$$") {
    if (text_.starts_with('>')) {
      read_field();
    }
  }
  for (auto const& [field, name] : fields_) {
    if (auto const at = find_name(names_, name); at < names_.size() && (record.*field).empty()) {
      record.*field = values_[at];
    }
  }
  for (auto const& name : extras_) {
    auto const at = find_name(names_, name);
    record.extras.push_back(at < names_.size() ? values_[at] : std::string());
  }
  record.smiles.clear();  // the mol block is the molecule
  name_record(record);
  return true;
}

M2U_INLINE bool SdfMolecules::read_block(MoleculeRecord& record, std::string& problem) {
  bool blank = true;
  ended_ = false;
  while (lines_.next(text_)) {
    if (record.line == 0) {
      record.line = lines_.line();
      record.id = trimmed(text_);
      record.title_as_id = !record.id.empty();
    }
    blank = blank && trimmed(text_).empty();
    if (text_ == "$$$$") {
      problem = "the record ends before \"M  END\"";
      ended_ = true;
      return true;
    }
    expects(record.mol_block.size() + text_.size() < longest_block, lines_.path().string(),
            ", line ", record.line, ": the record is longer than ", longest_block,
            " bytes; is this an SD file?");
    record.mol_block += text_;
    record.mol_block += '\n';
    if (text_.starts_with("M  END")) {
      return true;
    }
  }
  problem = "the file ends before the record's \"M  END\"";
  ended_ = true;
  return !blank;
}

M2U_INLINE void SdfMolecules::read_field() {
  auto const open = text_.find('<');
  auto const close = text_.rfind('>');
  bool const named = open != std::string::npos && close != std::string::npos && close > open;
  std::string name = named ? text_.substr(open + 1, close - open - 1) : std::string();
  std::string value;
  while (lines_.next(text_) && !text_.empty()) {
    if (text_ == "$$$$") {
      ended_ = true;
      break;
    }
    value += (value.empty() ? "" : "\n") + text_;
  }
  names_.push_back(std::move(name));
  values_.push_back(std::move(value));
}

M2U_INLINE std::string SdfMolecules::trimmed(std::string_view text) {
  auto const first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return std::string(text.substr(0, text.find_last_not_of(" \t") + 1));
}

}  // namespace detail

M2U_INLINE MoleculeReader::MoleculeReader(std::filesystem::path const& path,
                                          MoleculeReaderOptions const& options) {
  auto name = path;
  if (name.extension() == ".gz") {
    name.replace_extension();
  }
  auto const end = name.extension();
  if (end == ".sdf" || end == ".sd" || end == ".mol" || end == ".SDF") {
    sdf_.emplace(path, options);
  } else {
    table_.emplace(path, options);
  }
}

M2U_INLINE bool MoleculeReader::next(MoleculeRecord& record, std::string& problem) {
  return sdf_ ? sdf_->next(record, problem) : table_->next(record, problem);
}

M2U_INLINE std::vector<MoleculeRecord> read_molecules(std::filesystem::path const& path,
                                                      Rejects& rejects,
                                                      MoleculeReaderOptions const& options) {
  MoleculeReader reader(path, options);
  std::vector<MoleculeRecord> records;
  MoleculeRecord record;
  std::string problem;
  while (reader.next(record, problem)) {
    if (problem.empty()) {
      records.push_back(std::move(record));
    } else {
      rejects.add(record.line, input_of(record), problem);
    }
  }
  return records;
}

}  // namespace m2u

#endif
