// SPDX-License-Identifier: Apache-2.0
/// @file
/// Morgan fingerprints (Rogers and Hahn, J. Chem. Inf. Model. 2010).
#pragma once

#include <cstdint>
#include <vector>

#include "m2u/chem/rdkit_types.hpp"
#include "m2u/core/config.hpp"

namespace m2u {

struct MorganOptions {
  int radius = 2;
  int bits = 2048;
  bool chirality = false;  ///< whether mirror images differ
};

/// Positions of the bits that are set, ascending, each in [0, bits).
/// @throws Error if the radius is negative or there are no bits.
std::vector<int> morgan_fingerprint(RDKit::ROMol const& mol, MorganOptions const& options = {});

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <DataStructs/ExplicitBitVect.h>
#include <GraphMol/Fingerprints/MorganGenerator.h>
#include <GraphMol/ROMol.h>
#include <memory>

#include "m2u/core/error.hpp"

namespace m2u {

M2U_INLINE std::vector<int> morgan_fingerprint(RDKit::ROMol const& mol,
                                               MorganOptions const& options) {
  expects(options.radius >= 0 && options.bits > 0, "morgan_fingerprint: radius ", options.radius,
          " and ", options.bits, " bits; the radius is at least 0, bits are at least 1");
  std::unique_ptr<RDKit::FingerprintGenerator<std::uint64_t>> const generator(
      RDKit::MorganFingerprint::getMorganGenerator<std::uint64_t>(
          static_cast<unsigned>(options.radius), false, options.chirality, true, false, false,
          nullptr, nullptr, static_cast<std::uint32_t>(options.bits)));
  std::unique_ptr<ExplicitBitVect> const bits(generator->getFingerprint(mol));
  std::vector<int> positions;
  bits->getOnBits(positions);
  return positions;
}

}  // namespace m2u

#endif
