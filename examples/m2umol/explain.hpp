// SPDX-License-Identifier: Apache-2.0
// What matters in one molecule: atoms, bonds and groups by several methods, with drawings. The
// command `explain` prints it; reports show it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2umol/engine.hpp"

namespace m2umol {

struct ExplainOptions {
  std::vector<ExplainMethod> methods{ExplainMethod::attention, ExplainMethod::gradient,
                                     ExplainMethod::masking};
  ExplainTarget target;
  bool hierarchy = true;  ///< RDKit's functional groups and the ring systems
  bool brics = true;      ///< BRICS fragments
  int width = 480;        ///< pixels of the drawings
  int height = 360;
};

/// A part of the molecule with its score.
struct ScoredGroup {
  std::string name;
  std::string kind;        ///< "hierarchy", "ring" or "brics"
  std::vector<int> atoms;  ///< from 0, in the order of the SMILES
  double score = 0.0;
};

/// One method's view of the molecule.
struct MethodExplanation {
  ExplainMethod method = ExplainMethod::attention;
  /// What 1 stands for below: the largest magnitude among atoms and bonds; of attention, whose
  /// atoms and bonds are scaled each for themselves, that among the atoms.
  double scale = 0.0;
  std::vector<double> atoms;              ///< [atoms] in [-1, 1]
  std::vector<double> bonds;              ///< [bonds] in [-1, 1]
  std::vector<std::pair<int, int>> ends;  ///< [bonds] atoms
  std::vector<ScoredGroup> groups;        ///< from the highest score to the lowest
  std::string svg;                        ///< a drawing with colour bar, title and description
};

struct Explanation {
  std::string smiles;                ///< as given
  std::vector<std::string> symbols;  ///< of the atoms
  std::string target;                ///< in words
  double value = 0.0;                ///< the number that gradient and masking explain
  std::vector<MethodExplanation> methods;
};

/// "attention", "gradient" or "masking".
char const* to_string(ExplainMethod method);

/// @throws m2u::Error with RDKit's reason if the SMILES can't be used, or if the model has no such
/// vector or task.
Explanation explain_molecule(Engine const& engine, std::string const& smiles,
                             ExplainOptions const& options = {});

/// All numbers of an explanation, without the drawings.
nlohmann::json to_json(Explanation const& explanation);

}  // namespace m2umol
