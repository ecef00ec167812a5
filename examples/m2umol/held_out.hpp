// SPDX-License-Identifier: Apache-2.0
// How well the 2D graph's generated vectors find the real ones of molecules that training never
// saw.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/data/table.hpp"
#include "m2u/retrieve/metrics.hpp"

namespace m2umol {

class Engine;

/// One modality, in both directions.
struct HeldOut {
  std::string modality;
  m2u::RetrievalMetrics from_2d;  ///< generated → real
  m2u::RetrievalMetrics to_2d;    ///< real → generated
};

/// As the log keeps it: one object per modality.
nlohmann::json to_json(std::vector<HeldOut> const& rows);

/// Retrieval among some rows of a prepared table. Modalities that fewer than two have are left out,
/// and those in `without`.
std::vector<HeldOut> evaluate(Engine const& engine, m2u::Table const& table,
                              std::vector<int> const& rows, int threads,
                              std::vector<std::string> const& without = {});

/// Generated 3D vectors of some rows among the real ones of the molecules of the same formula in
/// the whole table, trained-on ones included: there the composition tells nothing.
struct SameFormula {
  m2u::GroupedRetrieval from_2d;
};
nlohmann::json to_json(SameFormula const& result);
/// No queries if none of the rows has a conformer and another molecule of its formula with one.
SameFormula evaluate_same_formula(Engine const& engine, m2u::Table const& table,
                                  std::vector<int> const& rows, int threads);

}  // namespace m2umol
