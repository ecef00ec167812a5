// SPDX-License-Identifier: Apache-2.0
/// @file
/// How many real-valued features of one_hot.hpp atoms and bonds have, for models that take them and
/// are built without RDKit.
#pragma once

namespace m2u {

/// Columns of an atom: element (71, other), degree without implicit hydrogens (0 … 10), implicit
/// valence (0 … 6), formal charge, radical electrons, hybridisation (SP, SP2, SP3, SP3D, SP3D2),
/// aromatic, hydrogens (0 … 4). Of implicit valence, hybridisation and hydrogens the last column is
/// also that of all other values.
inline constexpr int one_hot_atom_columns = 103;

/// Columns of a bond: single, double, triple, aromatic, conjugated, in a ring.
inline constexpr int one_hot_bond_columns = 6;

}  // namespace m2u
