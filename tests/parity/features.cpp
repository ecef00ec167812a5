// SPDX-License-Identifier: Apache-2.0
// Features of the manifest's SMILES by our own chemistry, if it is part of the build.
#include <map>
#include <utility>

#ifdef M2U_PARITY_CHEM
#include <GraphMol/RWMol.h>

#include "m2u/chem/features.hpp"
#include "m2u/chem/molecule.hpp"
#endif
#include "parity/golden.hpp"

namespace m2u::parity {

#ifdef M2U_PARITY_CHEM

namespace {

/// Molecules one after another, atoms numbered through.
struct Features {
  std::vector<int> molecule_of;
  std::vector<int> source;
  std::vector<int> target;
  std::vector<float> atoms;
  std::vector<float> bonds;
};

Features featurise_all(std::vector<std::string> const& smiles, FeatureOptions const& options) {
  Features result;
  for (std::size_t m = 0; m < smiles.size(); ++m) {
    auto const parsed = parse_smiles(smiles[m]);
    expects(static_cast<bool>(parsed), "the manifest's SMILES ", smiles[m], ": ", parsed.reason);
    auto const graph = featurise(*parsed.mol, options);
    auto const first = static_cast<int>(result.molecule_of.size());
    result.molecule_of.insert(result.molecule_of.end(), static_cast<std::size_t>(graph.nodes),
                              static_cast<int>(m));
    for (std::size_t e = 0; e < graph.source.size(); ++e) {
      result.source.push_back(first + graph.source[e]);
      result.target.push_back(first + graph.target[e]);
    }
    auto const append = [](std::vector<float>& all, auto const& some) {
      for (auto const x : some) {
        all.push_back(static_cast<float>(x));
      }
    };
    append(result.atoms, graph.node_features);
    append(result.atoms, graph.node_values);
    append(result.bonds, graph.edge_features);
    append(result.bonds, graph.edge_values);
  }
  return result;
}

/// Our edges in the recorded order; edges that are not recorded come last.
std::vector<std::size_t> recorded_edge_order(Features const& ours, std::vector<int> const& index) {
  std::multimap<std::pair<int, int>, std::size_t> places;
  for (std::size_t e = 0; e < ours.source.size(); ++e) {
    places.emplace(std::pair(ours.source[e], ours.target[e]), e);
  }
  std::vector<std::size_t> order;
  auto const edges = index.size() / 2;
  for (std::size_t e = 0; e < edges; ++e) {
    auto const found = places.find({index[e], index[edges + e]});
    if (found != places.end()) {
      order.push_back(found->second);
      places.erase(found);
    }
  }
  for (auto const& [ends, place] : places) {
    order.push_back(place);
  }
  return order;
}

void compare_kind(Features const& ours, char const* atoms, char const* bonds, Recorded& recorded) {
  recorded.compare(atoms, ours.atoms, Kind::exact);
  auto const order = recorded_edge_order(ours, recorded.feed_integers("in.edge_index"));
  auto const width = order.empty() ? 0 : ours.bonds.size() / order.size();
  std::vector<float> sorted;
  for (auto const edge : order) {
    auto const from = ours.bonds.begin() + static_cast<std::ptrdiff_t>(edge * width);
    sorted.insert(sorted.end(), from, from + static_cast<std::ptrdiff_t>(width));
  }
  recorded.compare(bonds, sorted, Kind::exact);
}

void compare_graph(Features const& ours, Recorded& recorded) {
  recorded.compare("in.batch", std::vector<float>(ours.molecule_of.begin(), ours.molecule_of.end()),
                   Kind::exact);
  auto const order = recorded_edge_order(ours, recorded.feed_integers("in.edge_index"));
  std::vector<float> index;
  for (auto const* const ends : {&ours.source, &ours.target}) {
    for (auto const edge : order) {
      index.push_back(static_cast<float>((*ends)[edge]));
    }
  }
  recorded.compare("in.edge_index", index, Kind::exact);
}

}  // namespace

void compare_features(Dims const&, Folder::Batch const& batch, Recorded& recorded) {
  auto const ogb = featurise_all(batch.smiles, {.encoding_steps = 0});
  compare_kind(ogb, "in.x", "in.edge_attr", recorded);
  auto const one_hot =
      featurise_all(batch.smiles, {.encoding_steps = 0, .atoms = AtomInputs::one_hot});
  compare_kind(one_hot, "in.x_onehot", "in.edge_onehot", recorded);
  compare_graph(ogb, recorded);
}

#else

void compare_features(Dims const&, Folder::Batch const&, Recorded& recorded) {
  for (auto const* const name : {"in.x", "in.edge_attr", "in.x_onehot", "in.edge_onehot"}) {
    recorded.skip(name, "fed to our model: this build has no RDKit to make it from the SMILES");
  }
}

#endif

}  // namespace m2u::parity
