// SPDX-License-Identifier: Apache-2.0
/// @file
/// A molecule as read from a file, still text, and how it becomes an RDKit molecule.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"

namespace m2u {

/// One record of a file. Fields that the file lacks are empty; lists are separated by semicolons.
struct MoleculeRecord {
  std::size_t line = 0;  ///< where the record starts, from 1
  std::string id;        ///< never empty: "line 7" where the file gives none
  std::string smiles;
  std::string name;
  std::string description;
  std::string targets;
  std::string enzymes;
  std::string categories;
  std::string mol_block;     ///< an SDF record's part up to "M  END"; then smiles is empty
  bool title_as_id = false;  ///< the id is a title or name, which may be that of other records too
  std::vector<std::string> extras;  ///< the further columns that were asked for
};

/// A sanitised molecule without explicit hydrogens, or the reason why there is none.
struct ParsedMolecule {
  std::unique_ptr<RDKit::RWMol> mol;
  std::unique_ptr<RDKit::RWMol>
      mol_3d;          ///< with all its atoms and 3D coordinates, if it came with them
  std::string reason;  ///< empty if there is a molecule
  explicit operator bool() const { return mol != nullptr; }
};

/// Parses SMILES; blanks around it do not matter. Throws nothing that RDKit throws.
ParsedMolecule parse_smiles(std::string_view smiles);

/// Parses an MDL mol block (V2000 or V3000). Stereochemistry comes from the coordinates if they are
/// 3D.
ParsedMolecule parse_mol_block(std::string const& block);

ParsedMolecule parse_molecule(MoleculeRecord const& record);

/// What names the record in a list of rejects.
inline std::string const& input_of(MoleculeRecord const& record) {
  return record.smiles.empty() ? record.id : record.smiles;
}

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/Conformer.h>
#include <GraphMol/FileParsers/FileParsers.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/RWMol.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <exception>
#include <utility>

#include "m2u/chem/rdkit_log.hpp"

namespace m2u {

namespace detail {

/// Runs a parser; what RDKit throws or logs becomes the reason, which is empty where it does
/// neither.
template <class Parse>
ParsedMolecule parse_once(Parse const& parse) {
  RdkitLog const log;
  ParsedMolecule result;
  try {
    parse(result);
    if (result.mol == nullptr) {
      result.reason = log.reason("");
    } else if (result.mol->getNumAtoms() == 0) {
      result.reason = "the molecule has no atoms";
    }
  } catch (std::exception const& error) {
    result.reason = log.reason(error.what());
  }
  if (!result.reason.empty()) {
    result.mol.reset();
    result.mol_3d.reset();
  }
  return result;
}

/// `parse_once`, again where the reason is lost because another thread or the program had disabled
/// RDKit's log.
template <class Parse>
ParsedMolecule parse_by(Parse const& parse) {
  constexpr int most_tries = 16;
  auto result = parse_once(parse);
  for (int i = 0; i < most_tries && result.mol == nullptr && result.reason.empty(); ++i) {
    EnabledErrorLog const enabled;
    result = parse_once(parse);
  }
  if (result.mol == nullptr && result.reason.empty()) {
    result.reason = "RDKit cannot read it";
  }
  return result;
}

/// Whether RDKit's clean-up of metals' bonds can find nothing to do among this element's bonds.
inline bool is_plain_nonmetal(int number) {
  switch (number) {
    case 1:   // H
    case 5:   // B
    case 6:   // C
    case 7:   // N
    case 8:   // O
    case 9:   // F
    case 15:  // P
    case 16:  // S
    case 17:  // Cl
    case 35:  // Br
    case 53:  // I
      return true;
    default:
      return false;
  }
}

/// MolFromSmiles in its own steps, without those that change no molecule of this kind: folding in
/// hydrogens where none is explicit, the clean-up of metals' bonds where there is no metal, and
/// marking where stereochemistry could have been given but was not. What is left is the same, but
/// for properties that only that marking computes. A quarter faster.
inline std::unique_ptr<RDKit::RWMol> mol_from_smiles(std::string const& smiles) {
  namespace parse = RDKit::v2::SmilesParse;
  namespace ops = RDKit::MolOps;
  if (smiles.find_first_of(" \t|") != std::string::npos) {
    return parse::MolFromSmiles(smiles);  // a name or ChemAxon's extensions, which have more steps
  }
  parse::SmilesParserParams raw;
  raw.sanitize = false;
  raw.removeHs = false;
  auto mol = parse::MolFromSmiles(smiles, raw);
  if (mol == nullptr) {
    return mol;
  }
  bool hydrogens = false;
  bool plain = true;
  for (auto const* const atom : mol->atoms()) {
    hydrogens = hydrogens || atom->getAtomicNum() == 1;
    plain = plain && is_plain_nonmetal(atom->getAtomicNum());
  }
  if (hydrogens) {
    ops::RemoveHsParameters parameters;
    parameters.updateExplicitCount = true;
    ops::removeHs(*mol, parameters, false);
  }
  unsigned failed = 0;
  unsigned const all = ops::SANITIZE_ALL;
  unsigned const metals = ops::SANITIZE_CLEANUP_ORGANOMETALLICS;
  ops::sanitizeMol(*mol, failed, plain ? all & ~metals : all);
  ops::assignStereochemistry(*mol, true);
  return mol;
}

}  // namespace detail

M2U_INLINE ParsedMolecule parse_smiles(std::string_view smiles) {
  constexpr std::size_t longest = 20000;  // RDKit's time grows faster than the text
  auto const first = smiles.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return {nullptr, nullptr, "the SMILES is empty"};
  }
  smiles = smiles.substr(first, smiles.find_last_not_of(" \t\r\n") - first + 1);
  if (smiles.size() > longest) {
    return {nullptr, nullptr,
            "the SMILES is longer than " + std::to_string(longest) + " characters"};
  }
  if (smiles.find('\0') != std::string_view::npos) {
    return {nullptr, nullptr, "the SMILES holds a zero byte"};  // where RDKit would stop reading
  }
  return detail::parse_by(
      [&](ParsedMolecule& result) { result.mol = detail::mol_from_smiles(std::string(smiles)); });
}

M2U_INLINE ParsedMolecule parse_mol_block(std::string const& block) {
  return detail::parse_by([&](ParsedMolecule& result) {
    RDKit::v2::FileParsers::MolFileParserParams parameters;
    parameters.removeHs = false;
    auto full = RDKit::v2::FileParsers::MolFromMolBlock(block, parameters);
    if (full == nullptr) {
      return;
    }
    result.mol = std::make_unique<RDKit::RWMol>(*full);
    RDKit::MolOps::removeHs(*result.mol);
    result.mol->clearConformers();
    if (full->getNumConformers() > 0 && full->getConformer().is3D()) {
      result.mol_3d = std::move(full);
    }
  });
}

M2U_INLINE ParsedMolecule parse_molecule(MoleculeRecord const& record) {
  return record.mol_block.empty() ? parse_smiles(record.smiles) : parse_mol_block(record.mol_block);
}

}  // namespace m2u

#endif
