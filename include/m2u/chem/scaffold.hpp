// SPDX-License-Identifier: Apache-2.0
/// @file
/// Bemis-Murcko scaffolds (J. Med. Chem. 1996) and splits that keep a scaffold's molecules
/// together.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"
#include "m2u/core/random.hpp"

namespace m2u {

/// Canonical SMILES, with chirality, of the rings of a molecule and the chains between them. Empty
/// for acyclic molecules. What RDKit throws is thrown as std::exception.
std::string scaffold_smiles(RDKit::ROMol const& mol);

/// Rows of the three parts, each ascending. The test part is what the shares leave.
struct ScaffoldSplit {
  std::vector<int> train;
  std::vector<int> validation;
  std::vector<int> test;
};

struct SplitShares {
  double train = 0.8;
  double validation = 0.1;
};

/// The deterministic split that MoleculeNet results are reported on: large scaffolds to the
/// training part, rare ones to the test part. Groups of equal scaffold come by size and then by
/// their first row, both descending; each goes whole to training while that stays within its
/// share, else to validation while both stay within theirs, else to test.
/// @throws Error if the shares are not parts of 1.
ScaffoldSplit scaffold_split(std::span<std::string const> scaffolds,
                             SplitShares const& shares = {});

/// The same with the groups in a random order, which the seed determines, and each part within its
/// own share, so that the test part gets what is left: at least its share. Groups that the
/// validation part could never hold come first, so that they go to training while it has room for
/// them: half of FreeSolv has no ring, and as a test part would leave nothing to validate on. Many
/// such splits show how much a result depends on the split.
ScaffoldSplit random_scaffold_split(std::span<std::string const> scaffolds, Seed seed,
                                    SplitShares const& shares = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/ChemTransforms/ChemTransforms.h>
#include <GraphMol/ROMol.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <algorithm>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

#include "m2u/chem/rdkit_log.hpp"
#include "m2u/core/error.hpp"

namespace m2u {

M2U_INLINE std::string scaffold_smiles(RDKit::ROMol const& mol) {
  RdkitLog const log;
  std::unique_ptr<RDKit::ROMol> const scaffold(RDKit::MurckoDecompose(mol));
  if (scaffold == nullptr || scaffold->getNumAtoms() == 0) {
    return {};
  }
  scaffold->clearComputedProps();
  scaffold->updatePropertyCache(false);
  return RDKit::MolToSmiles(*scaffold);
}

namespace detail {

/// Rows of equal scaffold, in the order of their first rows.
inline std::vector<std::vector<int>> scaffold_groups(std::span<std::string const> scaffolds) {
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<std::vector<int>> groups;
  for (std::size_t row = 0; row < scaffolds.size(); ++row) {
    auto const [found, fresh] = numbers.emplace(scaffolds[row], groups.size());
    if (fresh) {
      groups.emplace_back();
    }
    groups[found->second].push_back(static_cast<int>(row));
  }
  return groups;
}

/// Which rows count against the validation part's limit.
enum class ValidationLimit {
  with_train,  ///< those of both parts against both shares
  alone        ///< its own against its share: the test part never gets less than its own
};

/// Puts each group into the first part that it fits into, whole.
inline ScaffoldSplit fill_parts(std::vector<std::vector<int>> const& groups,
                                SplitShares const& shares, std::size_t rows,
                                ValidationLimit limit) {
  expects(shares.train > 0.0 && shares.validation >= 0.0 && shares.train + shares.validation <= 1.0,
          "scaffold split: the shares ", shares.train, " and ", shares.validation,
          " are not parts of 1");
  constexpr double rounding = 1e-9;  // 0.8 of 10 rows are 8 rows
  double const whole = static_cast<double>(rows) * (1.0 + rounding);
  bool const both = limit == ValidationLimit::with_train;
  double const train_limit = shares.train * whole;
  double const validation_limit = ((both ? shares.train : 0.0) + shares.validation) * whole;
  ScaffoldSplit split;
  for (auto const& group : groups) {
    auto const in_train = split.train.size() + group.size();
    auto const in_validation =
        split.validation.size() + group.size() + (both ? split.train.size() : 0);
    auto& part = static_cast<double>(in_train) <= train_limit             ? split.train
                 : static_cast<double>(in_validation) <= validation_limit ? split.validation
                                                                          : split.test;
    part.insert(part.end(), group.begin(), group.end());
  }
  for (auto* const part : {&split.train, &split.validation, &split.test}) {
    std::sort(part->begin(), part->end());
  }
  return split;
}

}  // namespace detail

M2U_INLINE ScaffoldSplit scaffold_split(std::span<std::string const> scaffolds,
                                        SplitShares const& shares) {
  auto groups = detail::scaffold_groups(scaffolds);
  std::sort(groups.begin(), groups.end(), [](auto const& a, auto const& b) {
    return std::pair(a.size(), a.front()) > std::pair(b.size(), b.front());
  });
  return detail::fill_parts(groups, shares, scaffolds.size(), detail::ValidationLimit::with_train);
}

M2U_INLINE ScaffoldSplit random_scaffold_split(std::span<std::string const> scaffolds, Seed seed,
                                               SplitShares const& shares) {
  auto const groups = detail::scaffold_groups(scaffolds);
  std::vector<std::vector<int>> shuffled;
  for (int const group : random_permutation(static_cast<int>(groups.size()), seed,
                                            stream_of("m2u::random_scaffold_split"))) {
    shuffled.push_back(groups[static_cast<std::size_t>(group)]);
  }
  std::stable_partition(shuffled.begin(), shuffled.end(), [&](auto const& group) {
    return static_cast<double>(group.size()) >
           shares.validation * static_cast<double>(scaffolds.size());
  });
  return detail::fill_parts(shuffled, shares, scaffolds.size(), detail::ValidationLimit::alone);
}

}  // namespace m2u

#endif
