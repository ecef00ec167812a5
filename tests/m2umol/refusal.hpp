// SPDX-License-Identifier: Apache-2.0
// Commands that must fail: never a crash, never half a result.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2umol/sample.hpp"

namespace m2u::test {

/// A folder for one test's input; commands that fail must leave it as it is.
class Bench {
 public:
  TemporaryFolder const folder;
  std::filesystem::path out = folder / "out";  ///< does not exist

  /// Runs a command that must fail with a message that holds all of `says`.
  void refused(Arguments const& arguments, std::vector<std::string> const& says) const {
    auto const before = contents(folder.path());
    auto const outcome = m2umol(arguments);
    std::string command;
    for (auto const& argument : arguments) {
      command += argument + ' ';
    }
    INFO(command << '\n' << outcome);
    CHECK(outcome.code > 0);
    CHECK(outcome.code < 126);
    CHECK(outcome.signal == 0);
    CHECK_FALSE(outcome.timed_out);
    for (auto const& text : says) {
      CHECK_THAT(outcome.error, Catch::Matchers::ContainsSubstring(text));
    }
    CHECK(outcome.error.size() < 6000);
    CHECK(contents(folder.path()) == before);
  }

  /// A copy of the sample's data set or run.
  std::filesystem::path copy(std::filesystem::path const& of, std::string const& name) const {
    std::filesystem::copy(of, folder / name, std::filesystem::copy_options::recursive);
    return folder / name;
  }
};

/// Turns a byte around.
inline void alter(std::filesystem::path const& path, std::size_t at) {
  auto bytes = read_bytes(path);
  bytes.at(at) = static_cast<char>(bytes[at] ^ 0x10);
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Exchanges the value that follows an option.
inline Arguments with(Arguments arguments, std::string const& option, std::string const& value) {
  auto const found = std::find(arguments.begin(), arguments.end(), option);
  if (found == arguments.end()) {
    return arguments + Arguments{option, value};
  }
  *(found + 1) = value;
  return arguments;
}

}  // namespace m2u::test
