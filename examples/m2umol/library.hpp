// SPDX-License-Identifier: Apache-2.0
// The vectors of a library's molecules: made by a model, in memory or on disk.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "m2u/data/vector_index.hpp"

#include "m2umol/engine.hpp"

namespace m2umol {

/// The modalities besides 2d.
inline constexpr char const* modalities[] = {"3d", "text", "bio"};

/// Names of the spaces of an index: "2d", and of each modality m "generated.m" of all molecules and
/// "real.m" of those that have it.
inline std::string generated_space(std::string const& modality) { return "generated." + modality; }
inline std::string real_space(std::string const& modality) { return "real." + modality; }

/// What an index says about itself.
struct IndexFacts {
  std::string model;                            ///< checksum of the model that made it
  std::map<std::string, std::string> left_out;  ///< spaces, and why
  std::string text_projection;  ///< checksum of the one in the index; empty if there is none
};

/// An index with what it says about itself.
struct Index {
  m2u::VectorIndex vectors;
  IndexFacts facts;
};

/// Why a model cannot compare with a library's real vectors of a modality, or with "2d" cannot read
/// it at all; empty if it can. @param folder, model name the two
std::string misfit(m2u::Table const& library, std::string const& folder, Engine const& engine,
                   std::string const& model, std::string const& modality);

/// Molecules so far and in all.
using IndexProgress = std::function<void(std::size_t, std::size_t)>;

/// Embeds a library and hands over the index's table in parts of consecutive rows: the columns id,
/// smiles, name, description, targets and those of the spaces.
void embed_library(Engine const& engine, m2u::Table const& library,
                   std::vector<std::string> const& spaces, int threads,
                   std::function<void(m2u::Table const&)> const& take,
                   IndexProgress const& progress = {});

/// The same as an index in memory. @param name in messages
m2u::VectorIndex index_in_memory(Engine const& engine, m2u::Table const& library,
                                 std::vector<std::string> const& spaces, int threads,
                                 std::string const& name);

/// The metadata of an index.
std::string index_metadata(IndexFacts const& facts);

/// Maps an index that `m2umol index` wrote.
/// @param verify reads all of it and compares its checksums
/// @throws m2u::Error naming the file if it is none, or is damaged.
Index open_index(std::filesystem::path const& folder, bool verify);

}  // namespace m2umol
