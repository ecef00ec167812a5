// SPDX-License-Identifier: Apache-2.0
/// @file
/// What could not be used, and why: bad molecules never stop a run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "m2u/core/file.hpp"

namespace m2u {

/// One record of an input file that could not be used.
struct Reject {
  std::size_t line = 0;  ///< where the record starts, from 1
  std::string input;     ///< its SMILES, title or text
  std::string reason;
};

/// Collects them. Not for several threads at once.
class Rejects {
 public:
  void add(Reject reject) { list_.push_back(std::move(reject)); }
  void add(std::size_t line, std::string input, std::string reason) {
    list_.push_back({line, std::move(input), std::move(reason)});
  }
  std::size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  std::vector<Reject> const& list() const { return list_; }

  /// Writes line, input and reason as a table with a header, by line; tabs and line ends inside
  /// become blanks and long inputs are cut. Written whole or not at all; also if there are none.
  void write(std::filesystem::path const& path) const {
    auto sorted = list_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](Reject const& a, Reject const& b) { return a.line < b.line; });
    std::string text = "line\tinput\treason\n";
    for (auto const& reject : sorted) {
      text += std::to_string(reject.line) + '\t' + plain(reject.input) + '\t' +
              plain(reject.reason) + '\n';
    }
    write_file(path, text);
  }

 private:
  static std::string plain(std::string text) {
    constexpr std::size_t longest = 1000;
    if (text.size() > longest) {
      text.resize(longest);
      while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) {
        text.pop_back();  // not in the middle of a UTF-8 character
      }
      text += "...";
    }
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
    return text;
  }

  std::vector<Reject> list_;
};

}  // namespace m2u
