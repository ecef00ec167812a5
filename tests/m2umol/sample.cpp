// SPDX-License-Identifier: Apache-2.0
#include "m2umol/sample.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

namespace m2u::test {

namespace fs = std::filesystem;

std::vector<std::string> drug_rows() {
  std::ifstream file(M2U_SOURCE_DIR "/examples/data/drugs.tsv");
  std::vector<std::string> rows;
  std::string line;
  std::getline(file, line);
  for (int i = 0; std::getline(file, line); ++i) {
    if (i % 8 == 0) {
      rows.push_back(line);
    }
  }
  return rows;
}

std::vector<std::string> lines_of(std::string const& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string table_text(std::vector<std::string> const& rows) {
  std::string text = "id\tsmiles\tname\tdescription\ttargets\tcategories\n";
  for (auto const& row : rows) {
    text += row + '\n';
  }
  return text;
}

std::string ethanol_record(std::string const& title) {
  return title + "\n     m2u            3D\n\n"
                 "  3  2  0  0  0  0  0  0  0  0999 V2000\n"
                 "   -0.8870    0.1750    0.1000 C   0  0\n"
                 "    0.4600   -0.5160   -0.2000 C   0  0\n"
                 "    1.4430    0.3070    0.3000 O   0  0\n"
                 "  1  2  1  0\n  2  3  1  0\nM  END\n$$$$\n";
}

Arguments prepare(fs::path const& table, fs::path const& out) {
  return {"prepare",   "--table", table.string(), "--out", out.string(), "--no-conformers",
          "--holdout", "0.25",    "--text-width", "12",    "--threads",  "1"};
}

Arguments pretrain(fs::path const& data, fs::path const& run) {
  return {"pretrain",
          "--data",
          data.string(),
          "--out",
          run.string(),
          "--width",
          "16",
          "--layers",
          "1",
          "--heads",
          "2",
          "--conformer-width",
          "8",
          "--conformer-middle",
          "4",
          "--conformer-blocks",
          "1",
          "--batch",
          "8",
          "--threads",
          "1"};
}

Arguments pretrain_two(fs::path const& data, fs::path const& run) {
  return pretrain(data, run) + Arguments{"--epochs", "2"};
}

Arguments embed(fs::path const& in, fs::path const& out) {
  return {"embed",      "--model",   sample().model.string(),
          "--in",       in.string(), "--out",
          out.string(), "--threads", "1"};
}

Arguments embed_folder(fs::path const& data, fs::path const& out) {
  return {"embed",      "--model",     sample().model.string(),
          "--data",     data.string(), "--out",
          out.string(), "--threads",   "1"};
}

Sample::Sample() {
  folder.write("drugs.tsv", table_text(drug_rows()));
  prepared = m2umol(prepare(table, data));
  trained = m2umol(pretrain_two(data, run));
  if (prepared.code != 0 || trained.code != 0) {
    std::ostringstream text;
    text << "the sample can't be made: " << prepared << trained;
    throw std::runtime_error(text.str());
  }
}

Outcome succeed(Arguments const& arguments) {
  auto const outcome = m2umol(arguments);
  INFO(outcome);
  REQUIRE(outcome.code == 0);
  return outcome;
}

Sample const& sample() {
  static Sample const made;
  return made;
}

std::vector<std::string> cells_of(std::string const& line) {
  std::istringstream stream(line);
  std::vector<std::string> cells;
  for (std::string cell; std::getline(stream, cell, ',');) {
    cells.push_back(cell);
  }
  return cells;
}

}  // namespace m2u::test
