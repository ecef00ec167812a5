// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecules as graphs, with integer features in the order and vocabularies of the Open Graph
/// Benchmark (Hu et al., NeurIPS 2020) or with the real-valued ones of one_hot.hpp.
#pragma once

#include <array>
#include <string_view>

#include "m2u/chem/one_hot.hpp"
#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"
#include "m2u/graph/graph_record.hpp"

namespace m2u {

/// Sizes of the atom features' vocabularies: atomic number (its last entry is "other"), chirality
/// (unspecified, clockwise, counterclockwise, other, none of these), degree with hydrogens (0 … 10,
/// more), formal charge (-5 … 5, other), hydrogens (0 … 8, more), radical electrons (0 … 4, more),
/// hybridisation (SP, SP2, SP3, SP3D, SP3D2, other), aromatic, in a ring.
inline constexpr std::array<int, 9> atom_vocabularies{119, 5, 12, 12, 10, 6, 6, 2, 2};

/// Sizes of the bond features' vocabularies: type (single, double, triple, aromatic, other), stereo
/// (none, Z, E, cis, trans, any or other), conjugated.
inline constexpr std::array<int, 3> bond_vocabularies{5, 6, 2};

/// Which features atoms and bonds get.
enum class AtomInputs {
  ogb,      ///< integers: atom_vocabularies and bond_vocabularies
  one_hot,  ///< real values: one_hot_atom and one_hot_bond, as M2UMol's package takes
};

/// "ogb" or "one-hot".
inline std::string_view to_string(AtomInputs atoms) {
  return atoms == AtomInputs::one_hot ? "one-hot" : "ogb";
}

/// The reverse. @param what begins the message. @throws Error if there is none of this name.
inline AtomInputs atom_inputs_from_string(std::string_view name,
                                          std::string_view what = "atom_inputs_from_string") {
  for (auto const atoms : {AtomInputs::ogb, AtomInputs::one_hot}) {
    if (name == to_string(atoms)) {
      return atoms;
    }
  }
  fail(what, ": there are no atom inputs \"", name, "\"; there are \"ogb\" and \"one-hot\"");
}

struct FeatureOptions {
  int encoding_steps = 20;  ///< columns of the random-walk encoding; 0 for none
  AtomInputs atoms = AtomInputs::ogb;
};

/// The columns of graphs made by `featurise`.
inline GraphColumns molecule_columns(FeatureOptions const& options = {}) {
  if (options.atoms == AtomInputs::one_hot) {
    return {0, 0, options.encoding_steps, one_hot_atom_columns, one_hot_bond_columns};
  }
  return {static_cast<int>(atom_vocabularies.size()), static_cast<int>(bond_vocabularies.size()),
          options.encoding_steps};
}

/// The features of an atom of a sanitised molecule, each an index into its vocabulary.
std::array<int, 9> atom_features(RDKit::Atom const& atom);

/// The features of a bond of a sanitised molecule, each an index into its vocabulary.
std::array<int, 3> bond_features(RDKit::Bond const& bond);

/// The molecule's graph: atoms in RDKit's order, each bond as two edges, random-walk encodings.
/// Explicit hydrogens that RDKit can fold into their neighbours are left out.
/// @throws Error if the molecule was not sanitised.
GraphRecord featurise(RDKit::ROMol const& mol, FeatureOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/MolOps.h>
#include <GraphMol/ROMol.h>
#include <GraphMol/RingInfo.h>
#include <algorithm>
#include <cstddef>
#include <memory>

#include "m2u/graph/from_boost_graph.hpp"
#include "m2u/graph/random_walk.hpp"

namespace m2u {

M2U_INLINE std::array<int, 9> atom_features(RDKit::Atom const& atom) {
  auto const within = [](int value, int first, int other) {
    return value >= first && value - first < other ? value - first : other;
  };
  return {within(atom.getAtomicNum(), 1, 118),
          within(static_cast<int>(atom.getChiralTag()), 0, 4),
          within(static_cast<int>(atom.getTotalDegree()), 0, 11),
          within(atom.getFormalCharge(), -5, 11),
          within(static_cast<int>(atom.getTotalNumHs()), 0, 9),
          within(static_cast<int>(atom.getNumRadicalElectrons()), 0, 5),
          hybridisation(atom),
          atom.getIsAromatic() ? 1 : 0,
          atom.getOwningMol().getRingInfo()->numAtomRings(atom.getIdx()) != 0 ? 1 : 0};
}

M2U_INLINE std::array<int, 3> bond_features(RDKit::Bond const& bond) {
  auto const type = [&] {
    switch (bond.getBondType()) {
      case RDKit::Bond::SINGLE:
        return 0;
      case RDKit::Bond::DOUBLE:
        return 1;
      case RDKit::Bond::TRIPLE:
        return 2;
      case RDKit::Bond::AROMATIC:
        return 3;
      default:
        return 4;
    }
  };
  auto const stereo = [&] {
    switch (bond.getStereo()) {
      case RDKit::Bond::STEREONONE:
        return 0;
      case RDKit::Bond::STEREOZ:
        return 1;
      case RDKit::Bond::STEREOE:
        return 2;
      case RDKit::Bond::STEREOCIS:
        return 3;
      case RDKit::Bond::STEREOTRANS:
        return 4;
      default:
        return 5;
    }
  };
  return {type(), stereo(), bond.getIsConjugated() ? 1 : 0};
}

namespace detail {

/// Fills in the real-valued features of a graph whose nodes and edges are the molecule's.
inline void add_one_hot_values(RDKit::ROMol const& mol, GraphRecord& record) {
  for (auto const* const atom : mol.atoms()) {
    auto const values = one_hot_atom(*atom);
    record.node_values.insert(record.node_values.end(), values.begin(), values.end());
  }
  for (std::size_t edge = 0; edge < record.source.size(); ++edge) {
    auto const values = one_hot_bond(*mol.getBondBetweenAtoms(
        static_cast<unsigned>(record.source[edge]), static_cast<unsigned>(record.target[edge])));
    record.edge_values.insert(record.edge_values.end(), values.begin(), values.end());
  }
}

}  // namespace detail

M2U_INLINE GraphRecord featurise(RDKit::ROMol const& mol, FeatureOptions const& options) {
  expects(mol.getRingInfo()->isInitialized(),
          "featurise: the molecule was not sanitised; call RDKit::MolOps::sanitizeMol first");
  auto atoms = mol.atoms();
  if (std::any_of(atoms.begin(), atoms.end(),
                  [](RDKit::Atom const* atom) { return atom->getAtomicNum() == 1; })) {
    std::unique_ptr<RDKit::ROMol> const heavy(RDKit::MolOps::removeHs(mol));
    if (heavy->getNumAtoms() < mol.getNumAtoms()) {
      return featurise(*heavy, options);
    }
  }
  auto const& graph = mol.getTopology();
  GraphRecord record;
  if (options.atoms == AtomInputs::one_hot) {
    auto const none = [](auto const&) { return std::array<int, 0>{}; };
    record = from_boost_graph(graph, none, none);
    detail::add_one_hot_values(mol, record);
  } else {
    record = from_boost_graph(
        graph, [&](auto vertex) { return atom_features(*graph[vertex]); },
        [&](auto const& edge) { return bond_features(*graph[edge]); });
  }
  if (options.encoding_steps > 0) {
    record.encoding = random_walk_encoding(record.view(), options.encoding_steps);
  }
  return record;
}

}  // namespace m2u

#endif
