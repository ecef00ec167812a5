// SPDX-License-Identifier: Apache-2.0
/// @file
/// Conformers: computed by RDKit's ETKDGv3 (Wang et al., J. Chem. Inf. Model. 2020) with MMFF94 or
/// UFF, or taken from a molecule with coordinates.
#pragma once

#include <string>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"
#include "m2u/graph/conformer_batch.hpp"

namespace m2u {

struct ConformerOptions {
  int seed = 42;
  double max_seconds = 10.0;  ///< for the embedding; rounded up to whole seconds
  int max_atoms = 300;        ///< with hydrogens; larger molecules are refused
  int max_element = 94;       ///< atomic number; heavier atoms are refused: encoders lack them
  int attempts = 30;          ///< embeddings tried, then as many from random coordinates
  bool mmff = true;           ///< minimise with MMFF94, or UFF where MMFF94 lacks parameters
  int minimiser_iterations = 200;
  RadiusGraphOptions radius_graph = {};
};

/// A conformer, or the reason why there is none.
struct ConformerResult {
  ConformerRecord conformer;
  std::string reason;       ///< empty if there is a conformer
  std::string force_field;  ///< "MMFF94", "UFF" or empty: what minimised it
  explicit operator bool() const { return conformer.present(); }
};

/// Computes a conformer of a sanitised molecule, hydrogens explicit. The same for the same
/// molecule, seed and version of RDKit, unless time ran out. Molecules of several parts are
/// embedded part by part, so parts may overlap: coincident atoms are left where they are. Launches
/// nothing and throws nothing that RDKit throws: that becomes the reason.
ConformerResult compute_conformer(RDKit::ROMol const& mol, ConformerOptions const& options = {});

/// The conformer that a molecule has. Explicit hydrogens are kept, and those that are only implied
/// are added with coordinates, so that all conformers have them.
ConformerResult conformer_from_mol(RDKit::ROMol const& mol, ConformerOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <ForceField/ForceField.h>
#include <GraphMol/Conformer.h>
#include <GraphMol/DistGeomHelpers/Embedder.h>
#include <GraphMol/ForceFieldHelpers/MMFF/AtomTyper.h>
#include <GraphMol/ForceFieldHelpers/MMFF/Builder.h>
#include <GraphMol/ForceFieldHelpers/UFF/AtomTyper.h>
#include <GraphMol/ForceFieldHelpers/UFF/Builder.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/RWMol.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <sstream>
#include <utility>

#include "m2u/chem/rdkit_log.hpp"

namespace m2u {

namespace detail {

/// Adds missing hydrogens, with coordinates if there are any.
inline void add_hydrogens(RDKit::RWMol& mol, bool coordinates) {
  RDKit::MolOps::AddHsParameters parameters;
  parameters.addCoords = coordinates;
  RDKit::MolOps::addHs(mol, parameters);
}

/// @return false if all attempts failed or time ran out.
inline bool embed(RDKit::RWMol& mol, ConformerOptions const& options) {
  using Clock = std::chrono::steady_clock;
  auto const begin = Clock::now();
  RDKit::DGeomHelpers::EmbedParameters parameters = RDKit::DGeomHelpers::ETKDGv3;
  parameters.randomSeed = options.seed;
  parameters.numThreads = 1;
  parameters.maxIterations = static_cast<unsigned>(std::max(1, options.attempts));
  for (bool const random : {false, true}) {
    double const left =
        options.max_seconds - std::chrono::duration<double>(Clock::now() - begin).count();
    if (random && left <= 0) {
      break;
    }
    parameters.useRandomCoords = random;
    parameters.timeout = static_cast<unsigned>(std::max(1.0, std::ceil(left)));
    if (RDKit::DGeomHelpers::EmbedMolecule(mol, parameters) >= 0) {
      return true;
    }
  }
  return false;
}

inline bool finite(RDKit::Conformer const& conformer) {
  auto const& positions = conformer.getPositions();
  return std::all_of(positions.begin(), positions.end(), [](RDGeom::Point3D const& p) {
    return std::isfinite(p.x) && std::isfinite(p.y) && std::isfinite(p.z);
  });
}

/// Relaxes the conformer; on any failure it stays as it was. @return the force field's name or "".
inline std::string minimise(RDKit::RWMol& mol, int iterations) {
  std::string name;
  RDKit::Conformer const before = mol.getConformer();
  try {
    std::unique_ptr<ForceFields::ForceField> field;
    RDKit::MMFF::MMFFMolProperties properties(mol, "MMFF94");
    if (properties.isValid()) {
      field.reset(RDKit::MMFF::constructForceField(mol, &properties));
      name = "MMFF94";
    } else if (auto const [types, found] = RDKit::UFF::getAtomTypes(mol); found) {
      field.reset(RDKit::UFF::constructForceField(mol, types));
      name = "UFF";
    }
    if (field != nullptr) {
      field->initialize();
      field->minimize(static_cast<unsigned>(std::max(0, iterations)));
    }
  } catch (std::exception const&) {
    name.clear();
  }
  if (name.empty() || !finite(mol.getConformer())) {
    mol.getConformer() = before;
    name.clear();
  }
  return name;
}

template <class... Parts>
std::string sentence(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

inline ConformerResult no_conformer(std::string reason) { return {{}, std::move(reason), {}}; }

/// Copies atomic numbers and positions; adds the radius graph.
inline ConformerResult conformer_result(RDKit::ROMol const& mol, int max_element,
                                        RadiusGraphOptions const& options) {
  auto const& conformer = mol.getConformer();
  if (!finite(conformer)) {
    return no_conformer("a coordinate is not finite");
  }
  ConformerResult result;
  for (auto const* const atom : mol.atoms()) {
    if (atom->getAtomicNum() > max_element) {
      return no_conformer(sentence("the atomic number ", atom->getAtomicNum(),
                                   " is above the limit of ", max_element));
    }
    auto const& p = conformer.getAtomPos(atom->getIdx());
    result.conformer.atomic_numbers.push_back(atom->getAtomicNum());
    for (double const x : {p.x, p.y, p.z}) {
      result.conformer.positions.push_back(static_cast<float>(x));
    }
  }
  add_radius_graph(result.conformer, options);
  return result;
}

}  // namespace detail

M2U_INLINE ConformerResult compute_conformer(RDKit::ROMol const& mol,
                                             ConformerOptions const& options) {
  RdkitLog const log;
  try {
    if (mol.getNumAtoms() == 0) {
      return detail::no_conformer("the molecule has no atoms");
    }
    RDKit::RWMol full(mol);
    full.clearConformers();
    detail::add_hydrogens(full, false);
    auto const atoms = static_cast<int>(full.getNumAtoms());
    if (atoms > options.max_atoms) {
      return detail::no_conformer(detail::sentence("the molecule has ", atoms,
                                                   " atoms with hydrogens, more than the limit of ",
                                                   options.max_atoms));
    }
    if (!detail::embed(full, options)) {
      return detail::no_conformer(log.reason(
          detail::sentence("no embedding within ", options.attempts,
                           " attempts from each start and ", options.max_seconds, " s")));
    }
    auto const force_field =
        options.mmff ? detail::minimise(full, options.minimiser_iterations) : std::string();
    auto result = detail::conformer_result(full, options.max_element, options.radius_graph);
    result.force_field = force_field;
    return result;
  } catch (std::exception const& error) {
    return detail::no_conformer(detail::sentence("RDKit: ", error.what()));
  }
}

M2U_INLINE ConformerResult conformer_from_mol(RDKit::ROMol const& mol,
                                              ConformerOptions const& options) {
  RdkitLog const log;
  try {
    if (mol.getNumAtoms() == 0) {
      return detail::no_conformer("the molecule has no atoms");
    }
    if (mol.getNumConformers() == 0 || !mol.getConformer().is3D()) {
      return detail::no_conformer("the molecule has no 3D coordinates");
    }
    RDKit::RWMol full(mol);
    detail::add_hydrogens(full, true);
    auto const atoms = static_cast<int>(full.getNumAtoms());
    if (atoms > options.max_atoms) {
      return detail::no_conformer(detail::sentence("the molecule has ", atoms,
                                                   " atoms with hydrogens, more than the limit of ",
                                                   options.max_atoms));
    }
    return detail::conformer_result(full, options.max_element, options.radius_graph);
  } catch (std::exception const& error) {
    return detail::no_conformer(detail::sentence("RDKit: ", error.what()));
  }
}

}  // namespace m2u

#endif
