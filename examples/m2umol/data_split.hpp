// SPDX-License-Identifier: Apache-2.0
// How a table of molecules is split into training, validation and test parts.
#pragma once

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/chem/scaffold.hpp"

#include "m2umol/labelled.hpp"

namespace m2umol {

/// scaffold, random-scaffold, random, column:NAME or kfold:K.
struct SplitKind {
  enum class Kind { scaffold, random_scaffold, random, column, kfold };
  Kind kind = Kind::scaffold;
  std::string column;
  int folds = 0;
};

/// @throws m2u::Error if the text is none of these.
inline SplitKind split_kind(std::string const& text) {
  using Kind = SplitKind::Kind;
  std::map<std::string, Kind> const plain{{"scaffold", Kind::scaffold},
                                          {"random-scaffold", Kind::random_scaffold},
                                          {"random", Kind::random}};
  if (auto const found = plain.find(text); found != plain.end()) {
    return {found->second, {}, 0};
  }
  if (text.starts_with("column:") && text.size() > 7) {
    return {Kind::column, text.substr(7), 0};
  }
  if (text.starts_with("kfold:")) {
    int folds = 0;
    auto const number = std::string_view(text).substr(6);
    auto const parsed = std::from_chars(number.data(), number.data() + number.size(), folds);
    m2u::expects(parsed.ec == std::errc() && parsed.ptr == number.data() + number.size() &&
                     folds >= 3 && folds <= 1000,
                 "--split ", text,
                 ": the number of folds is from 3 (train, validate, test) to 1000");
    return {Kind::kfold, {}, folds};
  }
  m2u::fail("--split ", text,
            " is none of scaffold, random-scaffold, random, column:NAME and kfold:K");
}

/// The parts that a column tells: "train", "valid", "validation" or "val", and "test", in upper or
/// lower case. @throws m2u::Error naming the line of another text.
inline m2u::ScaffoldSplit column_split(LabelledMolecules const& molecules,
                                       std::string const& column) {
  m2u::ScaffoldSplit split;
  for (int row = 0; row < molecules.size(); ++row) {
    auto text = molecules.parts.at(static_cast<std::size_t>(row));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto* const part = text == "train"  ? &split.train
                       : text == "test" ? &split.test
                       : text == "valid" || text == "validation" || text == "val"
                           ? &split.validation
                           : nullptr;
    m2u::expects(part != nullptr, "line ", molecules.lines[static_cast<std::size_t>(row)],
                 ": the column \"", column, "\" is \"",
                 molecules.parts[static_cast<std::size_t>(row)],
                 "\"; it tells the part: train, valid or test");
    part->push_back(row);
  }
  return split;
}

/// Rows in a random order in equal parts; fold k tests on part k, validates on the next and trains
/// on the others. With ten parts, fold 0 alone is the random split 80/10/10.
inline m2u::ScaffoldSplit fold_split(int rows, int folds, int fold, m2u::Seed seed) {
  auto const order = m2u::random_permutation(rows, seed, m2u::stream_of("m2umol::fold_split"));
  m2u::ScaffoldSplit split;
  for (int place = 0; place < rows; ++place) {
    auto const part = static_cast<int>(static_cast<std::int64_t>(place) * folds / rows);
    auto& rows_of_part = part == fold                 ? split.test
                         : part == (fold + 1) % folds ? split.validation
                                                      : split.train;
    rows_of_part.push_back(order[static_cast<std::size_t>(place)]);
  }
  for (auto* const part : {&split.train, &split.validation, &split.test}) {
    std::sort(part->begin(), part->end());
  }
  return split;
}

/// One split, or one per fold. @throws m2u::Error if a part has no molecule.
inline std::vector<m2u::ScaffoldSplit> make_splits(SplitKind const& kind,
                                                   LabelledMolecules const& molecules,
                                                   m2u::Seed seed) {
  using Kind = SplitKind::Kind;
  std::vector<m2u::ScaffoldSplit> splits;
  switch (kind.kind) {
    case Kind::scaffold:
      splits = {m2u::scaffold_split(molecules.scaffolds)};
      break;
    case Kind::random_scaffold:
      splits = {m2u::random_scaffold_split(molecules.scaffolds, seed)};
      break;
    case Kind::random:
      splits = {fold_split(molecules.size(), 10, 0, seed)};
      break;
    case Kind::column:
      splits = {column_split(molecules, kind.column)};
      break;
    case Kind::kfold:
      for (int fold = 0; fold < kind.folds; ++fold) {
        splits.push_back(fold_split(molecules.size(), kind.folds, fold, seed));
      }
      break;
  }
  for (auto const& split : splits) {
    m2u::expects(!split.train.empty() && !split.validation.empty() && !split.test.empty(),
                 "the split has ", split.train.size(), " molecules to train on, ",
                 split.validation.size(), " to validate and ", split.test.size(),
                 " to test on; each part needs some");
  }
  return splits;
}

}  // namespace m2umol
