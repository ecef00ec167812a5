// SPDX-License-Identifier: Apache-2.0
/// @file
/// Texts as vectors by latent semantic analysis (Deerwester et al., JASIS 1990): TF-IDF weights of
/// hashed n-grams, projected onto the right singular vectors of the training texts.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/parameters/named_tensor.hpp"
#include "m2u/text/hashed_ngrams.hpp"
#include "m2u/text/sparse_svd.hpp"
#include "m2u/text/tf_idf.hpp"

namespace m2u {

struct LatentTextOptions {
  int width = 256;  ///< of the vectors
  HashedNgramOptions ngrams = {};
  int min_texts = 3;  ///< n-grams of fewer training texts are left out
  SparseSvdOptions svd = {};
};

/// A projection fitted on training texts: any text becomes `width` numbers.
///
/// All vectors are multiplied by one constant, such that the squares of the training vectors'
/// entries have the mean 1. The entries of a TF-IDF vector of length 1 are about 1/√width, far
/// below what a linear layer's first weights and an optimiser's steps are made for; one constant
/// for all keeps angles and the columns' falling importance, which a factor per column would not.
///
/// Training texts or n-grams fewer than `width` give fewer singular vectors: the last columns are
/// zero then.
class LatentText {
 public:
  /// @param counts the training texts' `hashed_ngrams` with the same options; empty rows don't
  /// count.
  /// @throws Error if an option is out of range.
  static LatentText fit(std::span<SparseRow const> counts, LatentTextOptions const& options = {});

  int width() const { return width_; }
  /// Columns that are not always zero.
  int rank() const { return static_cast<int>(singular_values_.size()); }
  /// Training texts with words.
  int texts() const { return weights_.texts(); }
  int min_texts() const { return min_texts_; }
  HashedNgramOptions const& ngrams() const { return ngrams_; }
  /// The buckets in use, rising.
  std::vector<int> const& used_buckets() const { return used_; }
  /// [rank], falling: those of the training texts' TF-IDF matrix.
  std::vector<float> const& singular_values() const { return singular_values_; }
  /// A checksum over everything that the projection is made of, as in its file: with the same
  /// checksum every text has the same vector.
  std::string const& checksum() const { return checksum_; }

  /// [width], or empty if the text has no n-gram that is known from the training texts.
  std::vector<float> operator()(std::string_view text) const {
    return project(hashed_ngrams(text, ngrams_));
  }

  /// The same for a text's `hashed_ngrams`. @throws Error if a column is outside the buckets.
  std::vector<float> project(SparseRow const& counts) const;

  /// Writes a safetensors file: "buckets" and "texts_with" [used], "components" [used, rank] and
  /// "singular_values" [rank], with the options in the metadata.
  /// @throws Error naming the file if it can't be written.
  void save(std::filesystem::path const& path) const;

  /// @throws Error naming the file and what is wrong with it.
  static LatentText load(std::filesystem::path const& path);

 private:
  static constexpr int most_columns = 1 << 20;
  static constexpr int most_exact = 1 << 24;  // integers up to here are exact as floats
  static constexpr char const* format = "m2u text projection";
  static constexpr char const* version = "1";

  LatentText(int width, HashedNgramOptions const& ngrams, TfIdf weights);

  static int whole(float value, int low, int high, std::string const& name);

  /// Row of the components of a bucket that is in use.
  int position_of(int bucket) const {
    return static_cast<int>(std::lower_bound(used_.begin(), used_.end(), bucket) - used_.begin());
  }

  std::pair<std::vector<NamedTensor>, std::map<std::string, std::string>> contents() const;

  void summarise();

  int width_ = 0;
  HashedNgramOptions ngrams_;
  int min_texts_ = 1;
  TfIdf weights_;
  std::vector<int> used_;
  std::vector<float> components_;  // [used, rank], with the constant
  std::vector<float> singular_values_;
  std::string checksum_;
};

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "m2u/data/json_object.hpp"
#include "m2u/parameters/content_sum.hpp"

namespace m2u {

M2U_INLINE LatentText LatentText::fit(std::span<SparseRow const> counts,
                                      LatentTextOptions const& options) {
  auto const& [width, ngrams, min_texts, svd_options] = options;
  expects(width > 0 && width <= most_columns, "LatentText: the width ", width);
  expects(min_texts > 0, "LatentText: n-grams of at least ", min_texts, " texts");
  hashed_ngrams({}, ngrams);  // checks its options
  expects(ngrams.buckets <= most_exact, "LatentText: more than 2^24 buckets");
  TfIdf weights(ngrams.buckets, min_texts);
  for (auto const& row : counts) {
    weights.add(row);
  }
  expects(weights.texts() <= most_exact, "LatentText: more than 2^24 texts");
  LatentText result(width, ngrams, std::move(weights));
  std::vector<SparseRow> rows;  // of the texts that have a known n-gram
  for (auto const& row : counts) {
    if (auto weighed = result.weights_.weigh(row); !weighed.columns.empty()) {
      for (int& column : weighed.columns) {
        column = result.position_of(column);
      }
      rows.push_back(std::move(weighed));
    }
  }
  auto const svd = sparse_svd(rows, static_cast<int>(result.used_.size()), width, svd_options);
  double squares = 0.0;  // of all entries of the training vectors together
  for (double const value : svd.values) {
    squares += value * value;
    result.singular_values_.push_back(static_cast<float>(value));
  }
  double const scale =
      rows.empty() ? 1.0 : std::sqrt(static_cast<double>(rows.size()) * width / squares);
  for (double const x : svd.vectors) {
    result.components_.push_back(static_cast<float>(scale * x));
  }
  result.summarise();
  return result;
}

M2U_INLINE std::vector<float> LatentText::project(SparseRow const& counts) const {
  auto const row = weights_.weigh(counts);
  if (row.columns.empty()) {
    return {};
  }
  auto const columns = singular_values_.size();
  std::vector<double> sums(columns, 0.0);
  for (std::size_t i = 0; i < row.columns.size(); ++i) {
    auto const* const component =
        components_.data() + static_cast<std::size_t>(position_of(row.columns[i])) * columns;
    for (std::size_t c = 0; c < columns; ++c) {
      sums[c] += static_cast<double>(row.weights[i]) * static_cast<double>(component[c]);
    }
  }
  std::vector<float> result(sums.begin(), sums.end());
  result.resize(static_cast<std::size_t>(width_), 0.0F);
  return result;
}

M2U_INLINE void LatentText::save(std::filesystem::path const& path) const {
  auto [tensors, metadata] = contents();
  add_content_sum(tensors, metadata);
  write_safetensors(path, tensors, metadata);
}

M2U_INLINE LatentText LatentText::load(std::filesystem::path const& path) {
  SafetensorsFile const file(path);
  auto const name = path.string();
  auto const& metadata = file.metadata();
  auto const entry = [&](char const* key) {
    auto const found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  expects(entry("format") == format, name, " is not a text projection of m2u");
  expects(entry("version") == version, name, " is a text projection of version ", entry("version"),
          ", but this m2u reads version ", version);
  expects(metadata.contains(detail::content_sum_key), name, " lacks its checksum");
  check_content_sum(file);
  auto const json = parse_json(entry("options"), name + ", options");
  JsonObject const options(json, name + ", options");
  auto const integer = [&](char const* key, int low, int high) {
    return static_cast<int>(options.integer(key, low, high));
  };
  HashedNgramOptions const ngrams{integer("buckets", 1, most_exact),
                                  integer("longest", 1, most_exact)};
  hashed_ngrams({}, ngrams);
  int const min_texts = integer("min_texts", 1, most_exact);
  int const texts = integer("texts", 0, most_exact);
  auto const buckets = file.tensor("buckets");
  auto const texts_with = file.tensor("texts_with");
  auto components = file.tensor("components");
  auto values = file.tensor("singular_values");
  auto const used = static_cast<std::int64_t>(buckets.values.size());
  auto const rank = static_cast<std::int64_t>(values.values.size());
  using Extents = std::vector<std::int64_t>;
  expects(buckets.shape == Extents{used} && texts_with.shape == Extents{used} &&
              values.shape == Extents{rank} && components.shape == Extents{used, rank},
          name, ": the shapes of its tensors do not agree");
  std::vector<int> counts(static_cast<std::size_t>(ngrams.buckets), 0);
  int last = -1;
  for (std::size_t i = 0; i < buckets.values.size(); ++i) {
    int const bucket = whole(buckets.values[i], last + 1, ngrams.buckets - 1, name);
    counts[static_cast<std::size_t>(bucket)] = whole(texts_with.values[i], min_texts, texts, name);
    last = bucket;
  }
  LatentText result(integer("width", 1, most_columns), ngrams,
                    TfIdf(texts, std::move(counts), min_texts));
  expects(rank <= result.width_, name, ": ", rank, " components, but the width is ", result.width_);
  for (auto const* const tensor : {&components, &values}) {
    expects(std::all_of(tensor->values.begin(), tensor->values.end(),
                        [](float x) { return std::isfinite(x); }),
            name, ": the tensor \"", tensor->name, "\" holds numbers that are not finite");
  }
  result.components_ = std::move(components.values);
  result.singular_values_ = std::move(values.values);
  result.summarise();
  return result;
}

M2U_INLINE LatentText::LatentText(int width, HashedNgramOptions const& ngrams, TfIdf weights)
    : width_(width),
      ngrams_(ngrams),
      min_texts_(weights.min_texts()),
      weights_(std::move(weights)) {
  for (int bucket = 0; bucket < ngrams.buckets; ++bucket) {
    if (weights_.texts_with()[static_cast<std::size_t>(bucket)] >= min_texts_) {
      used_.push_back(bucket);
    }
  }
}

M2U_INLINE int LatentText::whole(float value, int low, int high, std::string const& name) {
  expects(value >= static_cast<float>(low) && value <= static_cast<float>(high) &&
              std::floor(value) == value,
          name, ": ", value, " is not an integer in ", low, " … ", high);
  return static_cast<int>(value);
}

M2U_INLINE std::pair<std::vector<NamedTensor>, std::map<std::string, std::string>>
LatentText::contents() const {
  std::vector<float> texts_with;
  for (int const bucket : used_) {
    texts_with.push_back(
        static_cast<float>(weights_.texts_with()[static_cast<std::size_t>(bucket)]));
  }
  auto const used = static_cast<std::int64_t>(used_.size());
  std::int64_t const columns = rank();
  nlohmann::json const options{{"width", width_},
                               {"buckets", ngrams_.buckets},
                               {"longest", ngrams_.longest},
                               {"min_texts", min_texts_},
                               {"texts", texts()}};
  return {{{"buckets", {used}, std::vector<float>(used_.begin(), used_.end())},
           {"texts_with", {used}, std::move(texts_with)},
           {"components", {used, columns}, components_},
           {"singular_values", {columns}, singular_values_}},
          {{"format", format}, {"version", version}, {"options", options.dump()}}};
}

M2U_INLINE void LatentText::summarise() {
  auto [tensors, metadata] = contents();
  add_content_sum(tensors, metadata);
  checksum_ = metadata.at(detail::content_sum_key);
}

}  // namespace m2u

#endif
