// SPDX-License-Identifier: Apache-2.0
/// @file
/// What is known of a data set's samples, and of pairs of them.
#pragma once

#include <string>
#include <vector>

namespace m2u {

/// Labels of all samples of a data set.
struct Labels {
  int tasks = 0;
  std::vector<float> values;   ///< [samples, tasks], NaN where there is no label
  std::vector<float> weights;  ///< [samples, tasks] of the labels' losses, or empty for ones

  int samples() const { return tasks == 0 ? 0 : static_cast<int>(values.size()) / tasks; }
};

/// Pairs of samples, and what holds between them.
struct Pairs {
  std::vector<int> first;    ///< [pairs] samples on the left
  std::vector<int> second;   ///< [pairs] samples on the right
  std::vector<int> classes;  ///< [pairs]

  int size() const { return static_cast<int>(first.size()); }
};

/// Molecules and proteins, and whether they interact.
struct Interactions {
  std::vector<std::string> proteins;  ///< letters of amino acids
  std::vector<int> molecule;          ///< [pairs] samples of the data set
  std::vector<int> protein;           ///< [pairs]
  std::vector<float> labels;          ///< [pairs] 0 or 1
  int longest = 1200;                 ///< residues of a protein that are used

  int size() const { return static_cast<int>(molecule.size()); }
};

}  // namespace m2u
