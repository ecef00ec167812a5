// SPDX-License-Identifier: Apache-2.0
/// @file
/// Options of prepare_molecules.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "m2u/chem/conformers.hpp"
#include "m2u/chem/preparation_fit.hpp"

namespace m2u {

struct PrepareOptions {
  FeatureOptions features = {};
  int max_atoms = 500;    ///< molecules with more heavy atoms are rejected
  bool canonical = true;  ///< write canonical SMILES and formulas, else leave their columns empty:
                          ///< they take as long as reading the molecule
  bool compute_conformers = true;  ///< for molecules that come without one
  ConformerOptions conformers = {.radius_graph = {.geometry = EdgeGeometry::smooth}};
  HashedNgramOptions text = {};
  int text_width = 256;    ///< columns of dense text vectors; 0 for sparse n-grams (HashedText)
  int text_min_count = 3;  ///< n-grams of fewer training descriptions are left out
  int min_count = 1;       ///< targets and categories of fewer training molecules are left out
  std::vector<std::string> drop_categories =
      {};  ///< categories that begin with one of these, such as "role:"
  std::vector<std::string> extras =
      {};  ///< names of the records' extras: each becomes a bytes column
  /// Conformers that are known: mol blocks by id. One whose heavy atoms are other elements than the
  /// record's is not used.
  std::unordered_map<std::string, std::string> mol_blocks = {};
  double holdout = 0.1;  ///< share of the records that nothing is fitted on, from 0 to < 1
  std::uint64_t holdout_seed = 0;  ///< of that choice
  /// Another table's fit. Nothing is fitted then: it stands in for features, the conformers'
  /// radius_graph, text, text_width, text_min_count and min_count.
  std::shared_ptr<PreparationFit const> like = nullptr;
  int threads = 0;  ///< 0 for all; the result does not depend on it
};

}  // namespace m2u
