// SPDX-License-Identifier: Apache-2.0
// A small data set and a model trained on it, made by the program once for all its tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/temporary_folder.hpp"
#include "m2umol/run_program.hpp"

namespace m2u::test {

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments first, Arguments const& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Every 8th of the bundled drugs, without the header.
std::vector<std::string> drug_rows();
inline constexpr int drugs = 38;

/// A text's lines, without their ends.
std::vector<std::string> lines_of(std::string const& text);

/// The text of a table with these rows and the header of the bundled drugs.
std::string table_text(std::vector<std::string> const& rows);

/// A mol block of ethanol's heavy atoms in 3D, with the end of its SDF record.
std::string ethanol_record(std::string const& title);

struct Sample {
  /// Throws if one of the commands fails.
  Sample();
  TemporaryFolder const folder;
  std::filesystem::path table = folder / "drugs.tsv";
  std::filesystem::path data = folder / "data";  ///< without conformers
  std::filesystem::path run = folder / "run";
  std::filesystem::path model = run / "model.safetensors";
  Outcome prepared;
  Outcome trained;
};

Sample const& sample();

/// Runs a command that must succeed: the test case fails if it does not.
Outcome succeed(Arguments const& arguments);

/// `prepare` without conformers.
Arguments prepare(std::filesystem::path const& table, std::filesystem::path const& out);
/// `pretrain` of a tiny model, without --epochs.
Arguments pretrain(std::filesystem::path const& data, std::filesystem::path const& run);
/// The same, two epochs.
Arguments pretrain_two(std::filesystem::path const& data, std::filesystem::path const& run);
/// `embed` with the sample's model.
Arguments embed(std::filesystem::path const& in, std::filesystem::path const& out);

/// The same for a prepared folder.
Arguments embed_folder(std::filesystem::path const& data, std::filesystem::path const& out);

/// The cells of a line of a CSV file without quotes.
std::vector<std::string> cells_of(std::string const& line);

}  // namespace m2u::test
