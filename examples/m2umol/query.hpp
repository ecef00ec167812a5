// SPDX-License-Identifier: Apache-2.0
// What retrieve asks for, as a vector of the model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "m2umol/engine.hpp"

namespace m2umol {

/// A molecule's 2D vector, or the generated vector of a modality. [1, width]
/// @param by "2d", "3d", "text" or "bio" @throws m2u::Error if the SMILES can't be used.
m2u::HostRows molecule_vector(Engine const& engine, std::string const& smiles,
                              std::string const& by);

/// A text's vector by the model's encoder of texts. [1, width]
/// @param projection what makes texts into vectors, of the folder that was prepared or indexed
/// @param model the model's name in messages
/// @throws m2u::Error if the model has no such encoder, the projection is missing or another one,
/// or no word of the text is known.
m2u::HostRows text_vector(Engine const& engine, std::string const& model, std::string const& text,
                          std::filesystem::path const& projection);

/// The vector of something with these targets, by the model's encoder of bio features. [1, width]
/// @throws m2u::Error if the model has no such encoder, or does not know a target; it then tells
/// names near to it.
m2u::HostRows targets_vector(Engine const& engine, std::string const& model,
                             std::string const& targets);

/// Names that resemble one, for messages: " (near it: A, B)"; empty if none does.
std::string near_names(std::string_view wanted, std::vector<std::string_view> const& names);

/// The row of a table with an id.
/// @throws m2u::Error naming the folder and ids near to it if there is none.
int row_of_id(m2u::Table const& table, std::string const& folder, std::string const& id);

}  // namespace m2umol
