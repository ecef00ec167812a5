// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecules as graphs with integer features: the order and vocabularies of the Open Graph
/// Benchmark (Hu et al., NeurIPS 2020).
#pragma once

#include <GraphMol/MolOps.h>
#include <GraphMol/ROMol.h>
#include <GraphMol/RingInfo.h>

#include <algorithm>
#include <array>
#include <memory>

#include "m2u/graph/from_boost_graph.hpp"
#include "m2u/graph/random_walk.hpp"

namespace m2u {

/// Sizes of the atom features' vocabularies: atomic number (its last entry is "other"), chirality
/// (unspecified, clockwise, counterclockwise, other, none of these), degree with hydrogens (0 … 10,
/// more), formal charge (-5 … 5, other), hydrogens (0 … 8, more), radical electrons (0 … 4, more),
/// hybridisation (SP, SP2, SP3, SP3D, SP3D2, other), aromatic, in a ring.
inline constexpr std::array<int, 9> atom_vocabularies{119, 5, 12, 12, 10, 6, 6, 2, 2};

/// Sizes of the bond features' vocabularies: type (single, double, triple, aromatic, other), stereo
/// (none, Z, E, cis, trans, any or other), conjugated.
inline constexpr std::array<int, 3> bond_vocabularies{5, 6, 2};

struct FeatureOptions {
  int encoding_steps = 20;  ///< columns of the random-walk encoding; 0 for none
};

/// The columns of graphs made by `featurise`.
inline GraphColumns molecule_columns(FeatureOptions const& options = {}) {
  return {static_cast<int>(atom_vocabularies.size()), static_cast<int>(bond_vocabularies.size()),
          options.encoding_steps};
}

/// The features of an atom of a sanitised molecule, each an index into its vocabulary.
inline std::array<int, 9> atom_features(RDKit::Atom const& atom) {
  auto const within = [](int value, int first, int other) {
    return value >= first && value - first < other ? value - first : other;
  };
  auto const hybridisation = [&] {
    switch (atom.getHybridization()) {
      case RDKit::Atom::SP:
        return 0;
      case RDKit::Atom::SP2:
        return 1;
      case RDKit::Atom::SP3:
        return 2;
      case RDKit::Atom::SP3D:
        return 3;
      case RDKit::Atom::SP3D2:
        return 4;
      default:
        return 5;
    }
  };
  return {within(atom.getAtomicNum(), 1, 118),
          within(static_cast<int>(atom.getChiralTag()), 0, 4),
          within(static_cast<int>(atom.getTotalDegree()), 0, 11),
          within(atom.getFormalCharge(), -5, 11),
          within(static_cast<int>(atom.getTotalNumHs()), 0, 9),
          within(static_cast<int>(atom.getNumRadicalElectrons()), 0, 5),
          hybridisation(),
          atom.getIsAromatic() ? 1 : 0,
          atom.getOwningMol().getRingInfo()->numAtomRings(atom.getIdx()) != 0 ? 1 : 0};
}

/// The features of a bond of a sanitised molecule, each an index into its vocabulary.
inline std::array<int, 3> bond_features(RDKit::Bond const& bond) {
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

/// The molecule's graph: atoms in RDKit's order, each bond as two edges, random-walk encodings.
/// Explicit hydrogens that RDKit can fold into their neighbours are left out.
/// @throws Error if the molecule was not sanitised.
inline GraphRecord featurise(RDKit::ROMol const& mol, FeatureOptions const& options = {}) {
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
  GraphRecord record = from_boost_graph(
      graph, [&](auto vertex) { return atom_features(*graph[vertex]); },
      [&](auto const& edge) { return bond_features(*graph[edge]); });
  if (options.encoding_steps > 0) {
    record.encoding = random_walk_encoding(record.view(), options.encoding_steps);
  }
  return record;
}

}  // namespace m2u
