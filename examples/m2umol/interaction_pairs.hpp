// SPDX-License-Identifier: Apache-2.0
// Pairs of molecules and proteins as they are read.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "m2u/data/labels.hpp"

namespace m2umol {

/// Takes pairs one by one; each distinct protein is kept once.
class InteractionPairs {
 public:
  /// Stands for a label that nobody looks at.
  static constexpr float no_label = std::numeric_limits<float>::quiet_NaN();

  /// @param molecule a row of the molecules' table  @return the pair's number
  int add(int molecule, std::string const& protein, float label = no_label) {
    auto const [found, fresh] = numbers_.emplace(protein, static_cast<int>(pairs_.proteins.size()));
    if (fresh) {
      pairs_.proteins.push_back(protein);
    }
    pairs_.molecule.push_back(molecule);
    pairs_.protein.push_back(found->second);
    pairs_.labels.push_back(label);
    return pairs_.size() - 1;
  }
  std::shared_ptr<m2u::Interactions const> take() {
    return std::make_shared<m2u::Interactions const>(std::move(pairs_));
  }

 private:
  m2u::Interactions pairs_;
  std::unordered_map<std::string, int> numbers_;
};

}  // namespace m2umol
