// SPDX-License-Identifier: Apache-2.0
/// @file
/// Parts of molecules that chemists have names for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"

namespace m2u {

/// Where a group comes from.
enum class GroupKind {
  hierarchy,  ///< RDKit's hierarchy of functional groups
  ring,       ///< ring systems: rings that share atoms
  brics       ///< fragments of Degen et al. (ChemMedChem 2008), which partition the molecule
};

/// "hierarchy", "ring" or "brics".
inline std::string_view to_string(GroupKind kind) {
  switch (kind) {
    case GroupKind::ring:
      return "ring";
    case GroupKind::brics:
      return "brics";
    case GroupKind::hierarchy:
      break;
  }
  return "hierarchy";
}

/// Some atoms of a molecule under a name.
struct AtomGroup {
  std::string name;  ///< of the hierarchy, for example "Nitro.Aromatic"; else SMILES of the atoms
  GroupKind kind = GroupKind::hierarchy;
  std::vector<int> atoms;  ///< rising
  friend bool operator==(AtomGroup const&, AtomGroup const&) = default;
};

/// Matches of RDKit's hierarchy of functional groups, which comes compiled into its library: acid
/// chlorides and carboxylic acids, sulfonyl chlorides, amines, boronic acids, isocyanates,
/// alcohols, aldehydes, halogens, azides, nitro groups and terminal alkynes. Where a general name
/// and a more special one match the same atoms, the most special one is given; equally special ones
/// by the alphabet.
std::vector<AtomGroup> hierarchy_groups(RDKit::ROMol const& mol);

/// Ring systems: the smallest rings, those that share an atom joined.
/// @throws Error if the molecule was not sanitised.
std::vector<AtomGroup> ring_systems(RDKit::ROMol const& mol);

/// What is left of the molecule when RDKit has cut all BRICS bonds. Each atom is in one fragment.
std::vector<AtomGroup> brics_fragments(RDKit::ROMol const& mol);

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/ChemTransforms/MolFragmenter.h>
#include <GraphMol/FilterCatalog/FunctionalGroupHierarchy.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/ROMol.h>
#include <GraphMol/RingInfo.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <GraphMol/Substruct/SubstructMatch.h>
#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include "m2u/chem/rdkit_log.hpp"
#include "m2u/core/error.hpp"

namespace m2u {

namespace detail {

inline std::string smiles_of_atoms(RDKit::ROMol const& mol, std::vector<int> const& atoms) {
  return RDKit::MolFragmentToSmiles(mol, atoms);
}

/// How far a name of the hierarchy is from the top.
inline std::ptrdiff_t depth(std::string const& name) {
  return std::count(name.begin(), name.end(), '.');
}

}  // namespace detail

M2U_INLINE std::vector<AtomGroup> hierarchy_groups(RDKit::ROMol const& mol) {
  RdkitLog const log;
  std::map<std::vector<int>, std::string> names;
  for (auto const& [name, pattern] : RDKit::GetFlattenedFunctionalGroupHierarchy()) {
    std::vector<RDKit::MatchVectType> matches;
    RDKit::SubstructMatch(mol, *pattern, matches);
    for (auto const& match : matches) {
      std::vector<int> atoms;
      for (auto const& [query, atom] : match) {
        atoms.push_back(atom);
      }
      std::sort(atoms.begin(), atoms.end());
      auto const [found, fresh] = names.emplace(std::move(atoms), name);
      if (!fresh && detail::depth(name) > detail::depth(found->second)) {
        found->second = name;
      }
    }
  }
  std::vector<AtomGroup> groups;
  for (auto const& [atoms, name] : names) {
    groups.push_back({name, GroupKind::hierarchy, atoms});
  }
  return groups;
}

M2U_INLINE std::vector<AtomGroup> ring_systems(RDKit::ROMol const& mol) {
  expects(mol.getRingInfo()->isInitialized(),
          "ring_systems: the molecule was not sanitised; call RDKit::MolOps::sanitizeMol first");
  RdkitLog const log;
  std::vector<std::vector<int>> systems;
  for (auto const& ring : mol.getRingInfo()->atomRings()) {
    std::vector<int> joined(ring.begin(), ring.end());
    std::vector<std::vector<int>> others;
    for (auto& system : systems) {
      bool const shared = std::any_of(ring.begin(), ring.end(), [&](int atom) {
        return std::find(system.begin(), system.end(), atom) != system.end();
      });
      if (shared) {
        joined.insert(joined.end(), system.begin(), system.end());
      } else {
        others.push_back(std::move(system));
      }
    }
    std::sort(joined.begin(), joined.end());
    joined.erase(std::unique(joined.begin(), joined.end()), joined.end());
    others.push_back(std::move(joined));
    systems = std::move(others);
  }
  std::sort(systems.begin(), systems.end());
  std::vector<AtomGroup> groups;
  for (auto& atoms : systems) {
    auto name = detail::smiles_of_atoms(mol, atoms);
    groups.push_back({std::move(name), GroupKind::ring, std::move(atoms)});
  }
  return groups;
}

M2U_INLINE std::vector<AtomGroup> brics_fragments(RDKit::ROMol const& mol) {
  RdkitLog const log;
  std::unique_ptr<RDKit::ROMol> const cut(RDKit::MolFragmenter::fragmentOnBRICSBonds(mol));
  std::vector<std::vector<int>> fragments;
  RDKit::MolOps::getMolFrags(*cut, fragments);
  std::vector<AtomGroup> groups;
  for (auto& atoms : fragments) {
    // The ends of cut bonds are further atoms, numbered after those of the molecule.
    std::erase_if(atoms, [&](int atom) { return atom >= static_cast<int>(mol.getNumAtoms()); });
    std::sort(atoms.begin(), atoms.end());
    if (!atoms.empty()) {
      auto name = detail::smiles_of_atoms(mol, atoms);
      groups.push_back({std::move(name), GroupKind::brics, std::move(atoms)});
    }
  }
  return groups;
}

}  // namespace m2u

#endif
