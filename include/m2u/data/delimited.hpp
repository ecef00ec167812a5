// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rows of CSV, TSV and SMILES files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/data/line_reader.hpp"

namespace m2u {

/// How fields are separated.
enum class DelimitedFormat {
  automatic,  ///< by the file's name: .csv, .smi, else tsv; a final .gz does not count
  csv,        ///< commas, quotes as in RFC 4180; a line end inside quotes becomes "\n"
  tsv,        ///< tabs; quotes are characters like others
  smi         ///< SMILES, blanks, name (may hold blanks or be missing); no header
};

struct DelimitedOptions {
  DelimitedFormat format = DelimitedFormat::automatic;
  bool header = true;  ///< false: columns are called "1", "2", …; smi: always "smiles", "name"
};

/// One row of the file.
struct DelimitedRow {
  std::size_t line = 0;  ///< where it starts, from 1
  std::vector<std::string> fields;
};

/// Reads a table from a plain or gzipped text file. Empty lines are skipped.
class DelimitedReader {
 public:
  /// @throws Error naming the file if it can't be read or its header is missing or malformed.
  explicit DelimitedReader(std::filesystem::path const& path, DelimitedOptions options = {})
      : lines_(path), format_(format_of(path, options.format)) {
    if (format_ == DelimitedFormat::smi) {
      header_ = {"smiles", "name"};
      return;
    }
    std::string problem;
    bool const found = read_row(first_, problem);
    expects(found || !options.header, path.string(),
            " is empty: a header line with the columns' names was expected");
    expects(problem.empty(), path.string(), ", line ", first_.line, ": ", problem);
    if (options.header) {
      header_ = std::move(first_.fields);
      check_header();
    } else {
      has_first_ = found;
      for (std::size_t i = 1; i <= first_.fields.size(); ++i) {
        header_.push_back(std::to_string(i));
      }
    }
  }

  std::filesystem::path const& path() const { return lines_.path(); }
  DelimitedFormat format() const { return format_; }

  /// The columns' names.
  std::vector<std::string> const& header() const { return header_; }

  bool has_column(std::string_view name) const {
    return find(name) < static_cast<int>(header_.size());
  }

  /// Position of a column among a row's fields.
  /// @throws Error listing the columns that there are if it is missing.
  int column(std::string_view name) const {
    int const result = find(name);
    if (result == static_cast<int>(header_.size())) {
      fail(path().string(), " has no column \"", name, "\"; it has ", listing());
    }
    return result;
  }

  /// Reads the next row. False at the end of the file. A malformed row is given with its line, the
  /// fields that it has and a sentence in `problem` (else empty), and reading can go on.
  /// @throws Error naming file and line if the file itself is damaged.
  bool next(DelimitedRow& row, std::string& problem) {
    problem.clear();
    if (has_first_) {
      has_first_ = false;
      row = std::move(first_);
      return true;
    }
    if (!read_row(row, problem)) {
      return false;
    }
    if (problem.empty() && row.fields.size() != header_.size()) {
      problem = "the row has " + std::to_string(row.fields.size()) + " fields, but the table has " +
                std::to_string(header_.size()) + " columns";
    }
    return true;
  }

  /// The same, but a malformed row is an Error that names file and line.
  bool next(DelimitedRow& row) {
    std::string problem;
    bool const found = next(row, problem);
    expects(problem.empty(), path().string(), ", line ", row.line, ": ", problem);
    return found;
  }

 private:
  /// The columns' names, not too many and not too long: the file may not be a table at all.
  std::string listing() const {
    constexpr std::size_t longest = 40;
    constexpr std::size_t most = 20;
    std::string text;
    for (std::size_t i = 0; i < std::min(most, header_.size()); ++i) {
      auto column = header_[i].substr(0, longest);
      std::replace_if(
          column.begin(), column.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
      text +=
          (text.empty() ? "\"" : ", \"") + column + (header_[i].size() > longest ? "...\"" : "\"");
    }
    return header_.size() > most ? text + " and " + std::to_string(header_.size() - most) + " more"
                                 : text;
  }

  static DelimitedFormat format_of(std::filesystem::path name, DelimitedFormat wish) {
    if (wish != DelimitedFormat::automatic) {
      return wish;
    }
    if (name.extension() == ".gz") {
      name.replace_extension();
    }
    auto const extension = name.extension();
    return extension == ".csv"   ? DelimitedFormat::csv
           : extension == ".smi" ? DelimitedFormat::smi
                                 : DelimitedFormat::tsv;
  }

  void check_header() const {
    for (std::size_t i = 0; i < header_.size(); ++i) {
      expects(find(header_[i]) == static_cast<int>(i), path().string(), ", line ", first_.line,
              ": the header names the column \"", header_[i], "\" twice");
    }
  }

  int find(std::string_view name) const {
    int i = 0;
    while (i < static_cast<int>(header_.size()) && header_[static_cast<std::size_t>(i)] != name) {
      ++i;
    }
    return i;
  }

  bool read_row(DelimitedRow& row, std::string& problem) {
    row.fields.clear();
    do {
      if (!lines_.next(text_)) {
        return false;
      }
    } while (text_.empty());
    row.line = lines_.line();
    switch (format_) {
      case DelimitedFormat::csv:
        split_csv(row, problem);
        break;
      case DelimitedFormat::smi:
        split_smi(row, problem);
        break;
      default:
        split_tabs(row);
    }
    return true;
  }

  void split_tabs(DelimitedRow& row) const {
    std::size_t begin = 0;
    for (auto tab = text_.find('\t'); tab != std::string::npos; tab = text_.find('\t', begin)) {
      row.fields.push_back(text_.substr(begin, tab - begin));
      begin = tab + 1;
    }
    row.fields.push_back(text_.substr(begin));
  }

  void split_smi(DelimitedRow& row, std::string& problem) const {
    auto const smiles_end = std::min(text_.find_first_of(" \t"), text_.size());
    auto const name = std::min(text_.find_first_not_of(" \t", smiles_end), text_.size());
    row.fields = {text_.substr(0, smiles_end), text_.substr(name)};
    if (smiles_end == 0) {
      problem = "the line starts with a blank, so there is no SMILES";
    }
  }

  void split_csv(DelimitedRow& row, std::string& problem) {
    std::size_t at = 0;
    while (true) {
      std::string field;
      if (at < text_.size() && text_[at] == '"') {
        if (!quoted(row.line, at, field, problem)) {
          return;
        }
      } else {
        auto const stop = std::min(text_.find(',', at), text_.size());
        field = text_.substr(at, stop - at);
        at = stop;
        if (field.find('"') != std::string::npos) {
          problem = "field " + std::to_string(row.fields.size() + 1) +
                    " has a quote inside, but is not quoted";
          return;
        }
      }
      row.fields.push_back(std::move(field));
      if (at == text_.size()) {
        return;
      }
      ++at;  // the comma
    }
  }

  /// Reads a quoted field that starts at `at`, over several lines if need be; leaves `at` behind
  /// it.
  bool quoted(std::size_t line, std::size_t& at, std::string& field, std::string& problem) {
    ++at;
    while (true) {
      auto const quote = std::min(text_.find('"', at), text_.size());
      field.append(text_, at, quote - at);
      expects(field.size() <= LineReader::longest_line, path().string(), ", line ", line,
              ": a quoted field is longer than ", LineReader::longest_line,
              " bytes; is a closing quote missing?");
      if (quote == text_.size()) {
        if (!lines_.next(text_)) {
          text_.clear();
          problem = "a quoted field is not closed before the end of the file";
          return false;
        }
        field += '\n';
        at = 0;
      } else if (quote + 1 < text_.size() && text_[quote + 1] == '"') {
        field += '"';
        at = quote + 2;
      } else {
        at = quote + 1;
        if (at < text_.size() && text_[at] != ',') {
          problem = "a quoted field is followed by something other than a comma";
          return false;
        }
        return true;
      }
    }
  }

  LineReader lines_;
  DelimitedFormat format_;
  std::vector<std::string> header_;
  DelimitedRow first_;
  bool has_first_ = false;
  std::string text_;
};

}  // namespace m2u
