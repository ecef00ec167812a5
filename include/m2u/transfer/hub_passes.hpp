// SPDX-License-Identifier: Apache-2.0
/// @file
/// How often a step encodes the hub, and where its input for some of the samples is.
#pragma once

#include <string>
#include <string_view>

namespace m2u {

/// How often the hub is encoded for the losses of a batch.
enum class HubPasses {
  once,  ///< all samples together; each match gathers its rows
  each,  ///< for each match anew, on the samples that have its modality: M2UMol's published step,
         ///< whose batch-norm statistics are those of the subset
};

/// A part of a model: the choice of one of these.
struct Passes {
  HubPasses hub_passes = HubPasses::once;
};

/// How often the hub is encoded; without this part, once.
inline Passes passes(HubPasses hub_passes) { return {hub_passes}; }

/// The name of a batch's modality that holds the hub's input for just the samples that have another
/// modality: what HubPasses::each encodes, for example "2d/text".
inline std::string hub_part_name(std::string_view hub, std::string_view modality) {
  return std::string(hub) + '/' + std::string(modality);
}

}  // namespace m2u
