// SPDX-License-Identifier: Apache-2.0
// The shared data of the project, which a checkout need not have.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>

namespace m2u::test {

/// A file of the shared data: in the folder M2U_SHARED, else in "shared" next to the sources.
inline std::filesystem::path shared_file(char const* name) {
  char const* const wish = std::getenv("M2U_SHARED");
  auto const folder = wish != nullptr
                          ? std::filesystem::path(wish)
                          : std::filesystem::path(M2U_SOURCE_DIR).parent_path() / "shared";
  auto const path = folder / name;
  if (!std::filesystem::exists(path)) {
    SKIP(path.string() << " is not there; set M2U_SHARED to the folder of the shared data");
  }
  return path;
}

}  // namespace m2u::test
