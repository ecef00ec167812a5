// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pairs of a data set's molecules and proteins as a data set of their own.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/data/labels.hpp"
#include "m2u/transfer/interaction_model.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// A data set whose ids are pairs; a batch holds each molecule and each protein once, and the pairs
/// as the modality "interactions" (an InteractionBatch). Copies share the pairs.
/// @tparam D a data set with the graphs of molecules as the modality "2d" (GraphBatch)
template <Dataset D>
class InteractionDataset {
 public:
  /// @param atoms of each sample of the data set
  /// @throws Error if numbers do not fit or a protein is empty.
  InteractionDataset(D molecules, std::vector<int> atoms, Interactions interactions)
      : InteractionDataset(std::move(molecules), std::move(atoms),
                           std::make_shared<Interactions const>(std::move(interactions))) {}
  /// The same of pairs that are shared with others.
  InteractionDataset(D molecules, std::vector<int> atoms,
                     std::shared_ptr<Interactions const> interactions)
      : molecules_(std::move(molecules)),
        atoms_(std::make_shared<std::vector<int> const>(std::move(atoms))),
        pairs_(std::move(interactions)) {
    auto const& all = *pairs_;
    expects(static_cast<int>(atoms_->size()) == molecules_.size(),
            "InteractionDataset: ", atoms_->size(), " numbers of atoms, but ", molecules_.size(),
            " molecules");
    expects(all.protein.size() == all.molecule.size() && all.labels.size() == all.molecule.size(),
            "InteractionDataset: ", all.molecule.size(), " molecules, ", all.protein.size(),
            " proteins and ", all.labels.size(), " labels; their numbers must be equal");
    for (std::size_t i = 0; i < all.molecule.size(); ++i) {
      expects(all.molecule[i] >= 0 && all.molecule[i] < molecules_.size() && all.protein[i] >= 0 &&
                  all.protein[i] < static_cast<int>(all.proteins.size()),
              "InteractionDataset: pair ", i, " is of a molecule or protein that is not there");
    }
    for (std::size_t i = 0; i < all.proteins.size(); ++i) {
      expects(!all.proteins[i].empty(), "InteractionDataset: protein ", i, " is empty");
    }
  }

  int size() const { return pairs_->size(); }

  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    auto const molecules = distinct(pairs_->molecule, ids);
    auto const proteins = distinct(pairs_->protein, ids);
    auto batch = molecules_.template collate<S>(molecules);
    InteractionBatch<Host> result;
    std::vector<std::string_view> letters;
    std::vector<int> atoms;
    std::vector<int> residues;
    for (int const molecule : molecules) {
      atoms.push_back((*atoms_)[static_cast<std::size_t>(molecule)]);
    }
    for (int const protein : proteins) {
      letters.emplace_back(pairs_->proteins[static_cast<std::size_t>(protein)]);
      residues.push_back(std::min(static_cast<int>(letters.back().size()), pairs_->longest));
    }
    result.proteins = make_protein_batch(letters, pairs_->longest);
    std::vector<int> left;
    std::vector<int> right;
    std::vector<float> labels;
    auto const atom_rows = rows_of(ids, pairs_->molecule, molecules, atoms, left);
    auto const residue_rows = rows_of(ids, pairs_->protein, proteins, residues, right);
    for (int const id : ids) {
      labels.push_back(pairs_->labels[static_cast<std::size_t>(id)]);
    }
    std::vector<int> const ones(ids.size(), 1);
    std::vector<int> const columns(ids.size(), 0);
    result.atoms = make_row_index(atom_rows, std::accumulate(atoms.begin(), atoms.end(), 0));
    result.residues =
        make_row_index(residue_rows, std::accumulate(residues.begin(), residues.end(), 0));
    result.pairs = make_group_pairs(left, right);
    result.labels.labels = make_sparse_rows(ones, columns, labels, 1);
    std::vector<int> rows(molecules.size());
    std::iota(rows.begin(), rows.end(), 0);
    batch.add("interactions", rows, std::move(result));
    return batch;
  }

 private:
  /// What the pairs are of, each once, rising.
  static std::vector<int> distinct(std::vector<int> const& of, std::span<int const> ids) {
    std::vector<int> all;
    for (int const id : ids) {
      all.push_back(of[static_cast<std::size_t>(id)]);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  /// The rows of each pair's molecule or protein, pair after pair, and how many those are.
  static std::vector<int> rows_of(std::span<int const> ids, std::vector<int> const& of,
                                  std::vector<int> const& present, std::vector<int> const& lengths,
                                  std::vector<int>& counts) {
    std::vector<int> first;
    for (int next = 0; int const length : lengths) {
      first.push_back(next);
      next += length;
    }
    std::vector<int> rows;
    for (int const id : ids) {
      auto const place = static_cast<std::size_t>(
          std::lower_bound(present.begin(), present.end(), of[static_cast<std::size_t>(id)]) -
          present.begin());
      counts.push_back(lengths[place]);
      for (int k = 0; k < lengths[place]; ++k) {
        rows.push_back(first[place] + k);
      }
    }
    return rows;
  }

  D molecules_;
  std::shared_ptr<std::vector<int> const> atoms_;
  std::shared_ptr<Interactions const> pairs_;
};

}  // namespace m2u
