// SPDX-License-Identifier: Apache-2.0
/// @file
/// Lists of terms (targets, categories) and the vocabularies that number them.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace m2u {

/// The terms of a list such as "HMGCR; TP53": without blanks around, empty ones and repetitions,
/// sorted.
inline std::vector<std::string> split_terms(std::string_view list, char separator = ';') {
  std::vector<std::string> terms;
  while (!list.empty()) {
    auto const stop = std::min(list.find(separator), list.size());
    auto term = list.substr(0, stop);
    list.remove_prefix(std::min(stop + 1, list.size()));
    auto const first = term.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos) {
      term = term.substr(first, term.find_last_not_of(" \t\r\n") - first + 1);
      terms.emplace_back(term);
    }
  }
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
  return terms;
}

/// Terms and their numbers.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// @param terms sorted, without repetitions: a term's number is its position.
  explicit Vocabulary(std::vector<std::string> terms) : terms_(std::move(terms)) {
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      numbers_.emplace(terms_[i], static_cast<int>(i));
    }
  }
  int size() const { return static_cast<int>(terms_.size()); }
  std::vector<std::string> const& terms() const { return terms_; }

  /// Numbers of the terms that are known, in their order.
  std::vector<int> numbers(std::span<std::string const> terms) const {
    std::vector<int> result;
    for (auto const& term : terms) {
      if (auto const found = numbers_.find(term); found != numbers_.end()) {
        result.push_back(found->second);
      }
    }
    return result;
  }

 private:
  std::vector<std::string> terms_;
  std::unordered_map<std::string, int> numbers_;
};

/// Counts terms over records and keeps those that are frequent enough.
class VocabularyCounter {
 public:
  /// @param terms of one record, each once.
  void add(std::span<std::string const> terms) {
    for (auto const& term : terms) {
      ++counts_[term];
    }
  }
  bool any() const { return !counts_.empty(); }
  Vocabulary finish(int min_count) const {
    std::vector<std::string> kept;
    for (auto const& [term, count] : counts_) {
      if (count >= min_count) {
        kept.push_back(term);
      }
    }
    return Vocabulary(std::move(kept));
  }

 private:
  std::map<std::string, int> counts_;
};

}  // namespace m2u
