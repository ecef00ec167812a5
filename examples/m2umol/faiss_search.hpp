// SPDX-License-Identifier: Apache-2.0
// Approximate search by FAISS, where it was found when the program was built.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "m2u/data/vector_index.hpp"

namespace m2umol {

/// @param how "hnsw" or "ivf", any number of them
/// @throws m2u::Error if there are some and the program was built without FAISS.
void expect_faiss(std::vector<std::string> const& how);

/// Removes what write_faiss put into an index' folder.
void remove_faiss(std::filesystem::path const& folder);

/// Builds FAISS' structure over every space and writes it beside the index.
void write_faiss(m2u::VectorIndex const& index, std::filesystem::path const& folder,
                 std::string const& how, std::string const& metric);

/// Rows that FAISS takes for the nearest, with exact scores and in their order.
/// @param query [1, width]
/// @throws m2u::Error if the folder has no such structure, or it is another index'.
std::vector<m2u::Neighbour> search_faiss(m2u::VectorIndex const& index,
                                         std::filesystem::path const& folder,
                                         std::string const& space, std::string const& how,
                                         m2u::Metric metric,
                                         m2u::Matrix<float, m2u::Host> const& query, int top);

}  // namespace m2umol
