// SPDX-License-Identifier: Apache-2.0
/// @file
/// The names of RDKit's types in m2u's interfaces. A program that links m2u::compiled includes
/// RDKit's own headers where it looks into molecules; header-only, the definitions bring them.
#pragma once

namespace RDKit {
class Atom;
class Bond;
class ROMol;
class RWMol;
}  // namespace RDKit
