// SPDX-License-Identifier: Apache-2.0
/// @file
/// Text as a bag of hashed word n-grams (Weinberger et al., ICML 2009): no vocabulary to keep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/core/random.hpp"
#include "m2u/data/sparse_row.hpp"

namespace m2u {

struct HashedNgramOptions {
  int buckets = 32768;  ///< columns; a power of two
  int longest = 2;      ///< n-grams of 1 … longest words
};

/// Words of a text: runs of ASCII letters (lower-cased), digits and bytes beyond ASCII.
inline std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  bool inside = false;
  for (char const c : text) {
    bool const upper = c >= 'A' && c <= 'Z';
    bool const letter = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                        static_cast<unsigned char>(c) >= 0x80;
    if (letter && !inside) {
      result.emplace_back();
    }
    if (letter) {
      result.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    inside = letter;
  }
  return result;
}

/// The text's n-grams, hashed into buckets: rising columns, each with its count as weight (TfIdf
/// makes better weights of them). Text without words gives an empty row. The same on every machine.
/// @throws Error if buckets is not a power of two or longest is not positive.
inline SparseRow hashed_ngrams(std::string_view text, HashedNgramOptions const& options = {}) {
  expects(options.buckets > 0 && (options.buckets & (options.buckets - 1)) == 0,
          "hashed_ngrams: ", options.buckets, " buckets is not a power of two");
  expects(options.longest > 0, "hashed_ngrams: n-grams of at most ", options.longest, " words");
  auto const tokens = words(text);
  auto const longest = static_cast<std::size_t>(options.longest);
  std::vector<int> buckets;
  for (std::size_t first = 0; first < tokens.size(); ++first) {
    std::string ngram;
    for (std::size_t n = 0; n < longest && first + n < tokens.size(); ++n) {
      ngram += (n == 0 ? "" : " ") + tokens[first + n];
      std::uint64_t const hash = stream_of(ngram);
      // FNV's low bits depend on the low bits of the text alone; the high half has seen all of it.
      buckets.push_back(static_cast<int>((hash ^ (hash >> 32U)) &
                                         static_cast<std::uint64_t>(options.buckets - 1)));
    }
  }
  std::sort(buckets.begin(), buckets.end());
  SparseRow row;
  for (int const bucket : buckets) {
    if (row.columns.empty() || row.columns.back() != bucket) {
      row.columns.push_back(bucket);
      row.weights.push_back(0.0F);
    }
    row.weights.back() += 1.0F;
  }
  return row;
}

}  // namespace m2u
