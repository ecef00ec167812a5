// SPDX-License-Identifier: Apache-2.0
// m2umol predict for models of pairs of molecules.
#include <numeric>

#include "m2umol/pair_table.hpp"
#include "m2umol/predict.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t chunk_size = 65536;  // pairs in memory at once

/// Writes a row for each pair of a chunk.
void add_chunk(Engine const& engine, PairMolecules const& molecules,
               std::vector<PairLine> const& chunk, int threads, ClassTable& table) {
  m2u::Pairs pairs;
  for (auto const& line : chunk) {
    if (line.problem.empty()) {
      pairs.first.push_back(line.rows[0]);
      pairs.second.push_back(line.rows[1]);
      pairs.classes.push_back(0);  // nobody looks at it
    }
  }
  std::vector<int> which(pairs.first.size());
  std::iota(which.begin(), which.end(), 0);
  m2u::HostRows chances;
  if (!which.empty()) {
    chances = engine.predict_pairs(
        molecules.graphs, std::make_shared<m2u::Pairs const>(std::move(pairs)), which, threads);
  }
  auto const width = static_cast<std::size_t>(chances.cols);
  std::size_t row = 0;
  for (auto const& line : chunk) {
    bool const there = line.problem.empty();
    table.add(line.line, line.ids[0], line.ids[1],
              there ? std::span<float const>(chances.values).subspan(row * width, width)
                    : std::span<float const>());
    row += there ? 1 : 0;
  }
}

}  // namespace

void predict_pairs(PredictArguments const& arguments, Engine const& engine, int threads) {
  auto source = arguments.pairs;
  source.id = arguments.columns.id;
  fs::path const out = arguments.out;
  auto const reject_file = rejects_beside(arguments.out, arguments.rejects);
  check_paths(arguments.in, out, reject_file);
  check_paths(source.molecules, out, reject_file);
  m2u::expects(out.extension() == ".csv", "--out ", arguments.out,
               ": predictions of pairs have texts, so the ending must be .csv");
  auto const molecules =
      read_pair_molecules(source, arguments.columns.smiles, engine.configuration(), threads);
  PairReader reader(arguments.in, source, molecules, false);
  expect_writable(out);
  expect_writable(reject_file);
  ClassTable table(out, source, engine.configuration().prediction.labels, arguments.all_classes);
  m2u::Rejects rejects;
  std::vector<PairLine> chunk;
  std::size_t total = 0;
  auto const flush = [&] {
    add_chunk(engine, molecules, chunk, threads, table);
    total += chunk.size();
    chunk.clear();
  };
  for (PairLine line; reader.next(line);) {
    if (!line.problem.empty()) {
      rejects.add(line.line, line.ids[0] + ' ' + line.ids[1], line.problem);
    }
    chunk.push_back(std::move(line));
    if (chunk.size() == chunk_size) {
      flush();
    }
  }
  flush();
  m2u::expects(total > 0, arguments.in, " holds no pair");
  write_rejects(rejects, reject_file, !arguments.rejects.empty());
  table.commit();
  tell_of_rows(total, out, rejects, reject_file);
}

}  // namespace m2umol
