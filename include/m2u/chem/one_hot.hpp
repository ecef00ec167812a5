// SPDX-License-Identifier: Apache-2.0
/// @file
/// The real-valued features of atoms and bonds that M2UMol's package takes: mostly zeros and ones.
#pragma once

#include <array>
#include <string_view>

#include "m2u/chem/one_hot_columns.hpp"
#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"

namespace m2u {

/// The elements that have a column of their own, in the order of the columns; one more column is
/// for all others.
inline constexpr std::array<std::string_view, 71> one_hot_elements{
    "Ru", "In", "Ac", "Ho", "Pt", "Fe", "Pb", "Ni", "Li", "Ne", "Rb", "La", "Mn", "O",  "I",
    "Sb", "Pd", "Br", "Sn", "Ra", "Xe", "Cl", "F",  "S",  "Si", "Na", "Bi", "Se", "P",  "Ca",
    "Al", "Hg", "Ga", "Lu", "K",  "W",  "Tc", "Tl", "Ti", "Ta", "Mg", "N",  "As", "Sm", "Zr",
    "Co", "Bk", "Cs", "V",  "Zn", "Au", "Ag", "He", "H",  "Cr", "Sr", "B",  "Cd", "Cu", "Re",
    "Nb", "Te", "Mo", "Y",  "Kr", "Gd", "Ba", "Nd", "Ce", "C",  "Be"};

/// 0 … 4 for SP, SP2, SP3, SP3D, SP3D2, else 5.
int hybridisation(RDKit::Atom const& atom);

/// The values of an atom of a sanitised molecule, in the order of one_hot_atom_columns. A degree
/// above 10, which the package refuses, counts as 10.
std::array<float, one_hot_atom_columns> one_hot_atom(RDKit::Atom const& atom);

/// The values of a bond of a sanitised molecule, in the order of one_hot_bond_columns.
std::array<float, one_hot_bond_columns> one_hot_bond(RDKit::Bond const& bond);

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <GraphMol/Atom.h>
#include <GraphMol/Bond.h>
#include <GraphMol/ROMol.h>
#include <GraphMol/RingInfo.h>
#include <algorithm>
#include <cstddef>

namespace m2u {

M2U_INLINE int hybridisation(RDKit::Atom const& atom) {
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
}

M2U_INLINE std::array<float, one_hot_atom_columns> one_hot_atom(RDKit::Atom const& atom) {
  std::array<float, one_hot_atom_columns> values{};
  std::size_t first = 0;
  // One 1 among `count` columns; numbers outside go to the last.
  auto const one_of = [&](std::size_t count, std::size_t number) {
    values[first + std::min(number, count - 1)] = 1.0F;
    first += count;
  };
  auto const value = [&](float number) { values[first++] = number; };
  auto const element =
      std::find(one_hot_elements.begin(), one_hot_elements.end(), atom.getSymbol());
  one_of(one_hot_elements.size() + 1, static_cast<std::size_t>(element - one_hot_elements.begin()));
  one_of(11, atom.getDegree());
  one_of(7, atom.getNumImplicitHs());  // the implicit valence, under a name that all releases have
  value(static_cast<float>(atom.getFormalCharge()));
  value(static_cast<float>(atom.getNumRadicalElectrons()));
  one_of(5, static_cast<std::size_t>(hybridisation(atom)));
  value(atom.getIsAromatic() ? 1.0F : 0.0F);
  one_of(5, atom.getTotalNumHs());
  return values;
}

M2U_INLINE std::array<float, one_hot_bond_columns> one_hot_bond(RDKit::Bond const& bond) {
  auto const type = bond.getBondType();
  auto const flag = [](bool on) { return on ? 1.0F : 0.0F; };
  return {flag(type == RDKit::Bond::SINGLE),
          flag(type == RDKit::Bond::DOUBLE),
          flag(type == RDKit::Bond::TRIPLE),
          flag(type == RDKit::Bond::AROMATIC),
          flag(bond.getIsConjugated()),
          flag(bond.getOwningMol().getRingInfo()->numBondRings(bond.getIdx()) != 0)};
}

}  // namespace m2u

#endif
