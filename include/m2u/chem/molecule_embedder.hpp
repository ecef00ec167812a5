// SPDX-License-Identifier: Apache-2.0
/// @file
/// SMILES into vectors, one molecule at a time.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "m2u/chem/features.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/graph/graph_batch.hpp"
#include "m2u/transfer/embedder.hpp"

namespace m2u {

/// Embeds one molecule after another with a model whose hub takes graphs of `featurise`:
/// `MoleculeEmbedder embedder{space, model, theta}; auto const vector = embedder("CCO");`.
/// For tables of molecules, prepare_molecules and `embed` use all cores.
template <ExecutionSpace S, class Model>
class MoleculeEmbedder {
 public:
  /// The model is copied, the parameters are shared. @param features those that the hub was made
  /// for
  MoleculeEmbedder(S const& space, Model model, Parameters<S> theta,
                   FeatureOptions const& features = {})
      : features_(features), embedder_(space, std::move(model), std::move(theta)) {}

  /// @return the hub's vector, valid until the next call.
  /// @throws Error with RDKit's reason if the molecule can't be read.
  std::span<float const> operator()(std::string_view smiles) {
    auto const parsed = parse_smiles(smiles);
    expects(static_cast<bool>(parsed), "the molecule \"", smiles,
            "\" can't be used: ", parsed.reason);
    return (*this)(*parsed.mol);
  }

  /// The same of a sanitised molecule.
  std::span<float const> operator()(RDKit::ROMol const& mol) {
    auto const record = featurise(mol, features_);
    auto const graph = record.view();
    auto const batch = make_graph_batch(std::span(&graph, 1), molecule_columns(features_));
    return embedder_(to_space(embedder_.space(), batch));
  }

 private:
  FeatureOptions features_;
  Embedder<S, Model> embedder_;
};

}  // namespace m2u
