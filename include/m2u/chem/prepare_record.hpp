// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is computed for one molecule record before it goes into the table.
#pragma once

#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "m2u/chem/conformers.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/chem/prepare_options.hpp"

namespace m2u {

namespace detail {

/// One record's results.
struct PreparedRow {
  std::size_t record = 0;
  std::string reject;  ///< reason, or empty
  std::string id;
  std::string smiles;
  std::string formula;
  GraphRecord graph;
  ConformerResult conformer;
  SparseRow text;                  ///< if texts stay sparse
  std::vector<float> latent_text;  ///< otherwise; empty for no text
  std::vector<int> targets;
  std::vector<int> enzymes;
  std::vector<int> categories;
};

/// The records, their fit and repeated ids; `prepare` may be called from several threads.
class RecordPreparation {
 public:
  /// Everything is fitted on all records but those held out and those with a repeated id, also on
  /// those whose molecule is rejected later. Repeated ids are rejected; repeated titles get their
  /// line appended.
  RecordPreparation(std::span<MoleculeRecord const> records, PrepareOptions const& options)
      : records_(records),
        options_(options),
        held_out_(records.size(), 0),
        structures_(records.size()) {
    std::unordered_map<std::string_view, std::size_t> lines;
    std::vector<std::size_t> usable;
    for (std::size_t i = 0; i < records.size(); ++i) {
      auto const [first, fresh] = lines.emplace(records[i].id, records[i].line);
      if (!fresh) {
        repeated_.emplace(i, first->second);
      }
      if (fresh || records[i].title_as_id) {
        usable.push_back(i);
      }
    }
    hold_out(usable);
    fit_ = options.like != nullptr ? *options.like : fitted(usable);
    conformers_ = options.conformers;
    conformers_.radius_graph = fit_.radius_graph;
  }

  std::span<MoleculeRecord const> records() const { return records_; }
  PrepareOptions const& options() const { return options_; }
  PreparationFit const& fit() const { return fit_; }
  bool held_out(std::size_t index) const { return held_out_[index] != 0; }

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
      row.graph = featurise(*parsed.mol, fit_.features);
      if (options_.canonical) {
        auto const& known = structures_[index];
        row.smiles = known.empty() ? RDKit::MolToSmiles(*parsed.mol) : known;
        row.formula = RDKit::Descriptors::calcMolFormula(*parsed.mol);
      }
    } catch (std::exception const& error) {
      row.reject = error.what();
      return row;
    }
    row.conformer = conformer(record, parsed);
    if (fit_.latent_text != nullptr) {
      row.latent_text = (*fit_.latent_text)(record.description);
    } else {
      row.text = fit_.text_weights.weigh(hashed_ngrams(record.description, fit_.text));
    }
    row.targets = fit_.targets.numbers(split_terms(record.targets));
    if (fit_.enzymes) {
      row.enzymes = fit_.enzymes->numbers(split_terms(record.enzymes));
    }
    row.categories = fit_.categories.numbers(categories_of(record));
    return row;
  }

 private:
  /// Draws structures until the share is full: records of one structure are on the same side. One
  /// that has more records than are still wanted is passed over.
  void hold_out(std::vector<std::size_t> const& usable) {
    auto const count = static_cast<std::size_t>(
        std::lround(options_.holdout * static_cast<double>(usable.size())));
    expects(count < usable.size() || usable.empty() || options_.like != nullptr, "holding out ",
            options_.holdout, " of ", usable.size(), " molecules leaves none to fit on");
    if (count == 0) {
      return;
    }
    find_structures(usable);
    auto const groups = same_structures(usable);
    auto const order = random_permutation(static_cast<int>(groups.size()),
                                          Seed{options_.holdout_seed}, stream_of("m2u::holdout"));
    std::size_t held = 0;
    for (int const number : order) {
      auto const& group = groups[static_cast<std::size_t>(number)];
      if (held + group.size() <= count) {
        held += group.size();
        for (auto const i : group) {
          held_out_[i] = 1;
        }
      }
    }
  }

  /// Canonical SMILES of the records that can be parsed.
  void find_structures(std::vector<std::size_t> const& usable) {
    namespace tbb = oneapi::tbb;
    int const threads = options_.threads > 0 ? options_.threads : tbb::info::default_concurrency();
    tbb::task_arena arena(threads);
    arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, usable.size(), [&](std::size_t k) {
        auto const parsed = parse_molecule(records_[usable[k]]);
        if (parsed && static_cast<int>(parsed.mol->getNumHeavyAtoms()) <= options_.max_atoms) {
          try {
            structures_[usable[k]] = RDKit::MolToSmiles(*parsed.mol);
          } catch (std::exception const&) {  // prepare() rejects it, with the reason
          }
        }
      });
    });
  }

  /// The records of each structure, in the order of the first ones. What has no structure is alone.
  std::vector<std::vector<std::size_t>> same_structures(
      std::vector<std::size_t> const& usable) const {
    std::vector<std::vector<std::size_t>> groups;
    std::unordered_map<std::string_view, std::size_t> known;
    for (auto const i : usable) {
      auto group = groups.size();
      if (!structures_[i].empty()) {
        group = known.emplace(structures_[i], group).first->second;
      }
      groups.resize(std::max(groups.size(), group + 1));
      groups[group].push_back(i);
    }
    return groups;
  }

  /// The fit on what is not held out.
  PreparationFit fitted(std::vector<std::size_t> const& usable) const {
    VocabularyCounter targets;
    VocabularyCounter enzymes;
    VocabularyCounter categories;
    std::vector<SparseRow> texts;
    TfIdf weights(options_.text.buckets, options_.text_min_count);
    for (auto const i : usable) {
      if (held_out(i)) {
        continue;
      }
      targets.add(split_terms(records_[i].targets));
      enzymes.add(split_terms(records_[i].enzymes));
      categories.add(categories_of(records_[i]));
      texts.push_back(hashed_ngrams(records_[i].description, options_.text));
      weights.add(texts.back());
    }
    PreparationFit result{options_.features,
                          options_.conformers.radius_graph,
                          options_.text,
                          options_.text_min_count,
                          targets.finish(options_.min_count),
                          {},
                          categories.finish(options_.min_count),
                          nullptr,
                          std::move(weights)};
    if (enzymes.any()) {
      result.enzymes = enzymes.finish(options_.min_count);
    }
    if (options_.text_width > 0) {
      LatentTextOptions latent{options_.text_width, options_.text, options_.text_min_count, {}};
      latent.svd.threads = options_.threads;
      result.latent_text = std::make_shared<LatentText const>(LatentText::fit(texts, latent));
    }
    return result;
  }

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
      return conformer_from_mol(*parsed.mol_3d, conformers_);
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
        result = conformer_from_mol(*given.mol_3d, conformers_);
      }
    }
    if (!result && options_.compute_conformers) {
      result = compute_conformer(*parsed.mol, conformers_);
    }
    return result;
  }

  std::span<MoleculeRecord const> records_;
  PrepareOptions const& options_;
  std::unordered_map<std::size_t, std::size_t> repeated_;  // record → line of the first with its id
  std::vector<char> held_out_;                             // by record
  std::vector<std::string> structures_;  // by record; empty if it was not needed or has none
  PreparationFit fit_;
  ConformerOptions conformers_;  // with the fit's radius graph
};

}  // namespace detail

}  // namespace m2u
