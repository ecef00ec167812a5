// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is computed for one molecule record before it goes into the table.
#pragma once

#include <GraphMol/SmilesParse/SmilesWrite.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "m2u/chem/conformers.hpp"
#include "m2u/chem/features.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/chem/vocabulary.hpp"
#include "m2u/text/hashed_ngrams.hpp"
#include "m2u/text/tf_idf.hpp"

namespace m2u {

struct PrepareOptions {
  FeatureOptions features = {};
  int max_atoms = 500;             ///< molecules with more heavy atoms are rejected
  bool compute_conformers = true;  ///< for molecules that come without one
  ConformerOptions conformers = {};
  HashedNgramOptions text = {};
  int text_min_count = 3;  ///< n-grams of fewer descriptions are left out
  int min_count = 1;       ///< targets and categories of fewer molecules are left out
  std::vector<std::string> drop_categories =
      {};  ///< categories that begin with one of these, such as "role:"
  std::vector<std::string> extras =
      {};  ///< names of the records' extras: each becomes a bytes column
  /// Conformers that are known: mol blocks by id. One whose heavy atoms are other elements than the
  /// record's is not used.
  std::unordered_map<std::string, std::string> mol_blocks = {};
  int threads = 0;  ///< 0 for all; the result does not depend on it
};

namespace detail {

/// One record's results.
struct PreparedRow {
  std::size_t record = 0;
  std::string reject;  ///< reason, or empty
  std::string id;
  std::string smiles;
  GraphRecord graph;
  ConformerResult conformer;
  SparseRow text;
  std::vector<int> targets;
  std::vector<int> categories;
};

/// The records, their vocabularies and repeated ids; `prepare` may be called from several threads.
class RecordPreparation {
 public:
  /// Vocabularies are of all records but those with a repeated id, also of those whose molecule is
  /// rejected later. Repeated ids are rejected; repeated titles get their line appended.
  RecordPreparation(std::span<MoleculeRecord const> records, PrepareOptions const& options)
      : records_(records),
        options_(options),
        text_weights_(options.text.buckets, options.text_min_count) {
    std::unordered_map<std::string_view, std::size_t> lines;
    VocabularyCounter targets;
    VocabularyCounter categories;
    for (std::size_t i = 0; i < records.size(); ++i) {
      auto const& record = records[i];
      auto const [first, fresh] = lines.emplace(record.id, record.line);
      if (!fresh) {
        repeated_.emplace(i, first->second);
      }
      if (fresh || record.title_as_id) {
        targets.add(split_terms(record.targets));
        categories.add(categories_of(record));
        text_weights_.add(hashed_ngrams(record.description, options.text));
      }
    }
    targets_ = targets.finish(options.min_count);
    categories_ = categories.finish(options.min_count);
  }

  std::span<MoleculeRecord const> records() const { return records_; }
  PrepareOptions const& options() const { return options_; }
  Vocabulary const& targets() const { return targets_; }
  Vocabulary const& categories() const { return categories_; }
  TfIdf const& text_weights() const { return text_weights_; }

  PreparedRow prepare(std::size_t index) const {
    auto const& record = records_[index];
    PreparedRow row;
    row.record = index;
    row.id = record.id;
    auto const found = repeated_.find(index);
    if (found != repeated_.end() && !record.title_as_id) {
      row.reject = sentence("the id \"", record.id, "\" is that of line ", found->second);
      return row;
    }
    if (found != repeated_.end()) {
      row.id += sentence(" (line ", record.line, ')');
    }
    auto const parsed = parse_molecule(record);
    if (!parsed) {
      row.reject = parsed.reason;
      return row;
    }
    if (static_cast<int>(parsed.mol->getNumHeavyAtoms()) > options_.max_atoms) {
      row.reject = sentence("the molecule has ", parsed.mol->getNumHeavyAtoms(),
                            " heavy atoms, more than the limit of ", options_.max_atoms);
      return row;
    }
    try {
      row.graph = featurise(*parsed.mol, options_.features);
      row.smiles = RDKit::MolToSmiles(*parsed.mol);
    } catch (std::exception const& error) {
      row.reject = error.what();
      return row;
    }
    row.conformer = conformer(record, parsed);
    row.text = text_weights_.weigh(hashed_ngrams(record.description, options_.text));
    row.targets = targets_.numbers(split_terms(record.targets));
    row.categories = categories_.numbers(categories_of(record));
    return row;
  }

 private:
  std::vector<std::string> categories_of(MoleculeRecord const& record) const {
    auto terms = split_terms(record.categories);
    std::erase_if(terms, [&](std::string const& term) {
      return std::any_of(options_.drop_categories.begin(), options_.drop_categories.end(),
                         [&](std::string const& prefix) { return term.starts_with(prefix); });
    });
    return terms;
  }

  static std::vector<int> heavy_elements(RDKit::ROMol const& mol) {
    std::vector<int> numbers;
    for (auto const* const atom : mol.atoms()) {
      if (atom->getAtomicNum() > 1) {
        numbers.push_back(atom->getAtomicNum());
      }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  /// The record's own conformer, else that of its id, else a computed one. Without a conformer and
  /// without a reason: none was wanted.
  ConformerResult conformer(MoleculeRecord const& record, ParsedMolecule const& parsed) const {
    if (parsed.mol_3d != nullptr) {
      return conformer_from_mol(*parsed.mol_3d, options_.conformers);
    }
    ConformerResult result;
    if (auto const block = options_.mol_blocks.find(record.id);
        block != options_.mol_blocks.end()) {
      auto const given = parse_mol_block(block->second);
      if (given.mol_3d == nullptr) {
        result.reason = given ? "the given conformer has no 3D coordinates" : given.reason;
      } else if (heavy_elements(*given.mol_3d) != heavy_elements(*parsed.mol)) {
        result.reason = "the given conformer is of another molecule: its heavy atoms differ";
      } else {
        result = conformer_from_mol(*given.mol_3d, options_.conformers);
      }
    }
    if (!result && options_.compute_conformers) {
      result = compute_conformer(*parsed.mol, options_.conformers);
    }
    return result;
  }

  std::span<MoleculeRecord const> records_;
  PrepareOptions const& options_;
  std::unordered_map<std::size_t, std::size_t> repeated_;  // record → line of the first with its id
  Vocabulary targets_;
  Vocabulary categories_;
  TfIdf text_weights_;
};

}  // namespace detail

}  // namespace m2u
