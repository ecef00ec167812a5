// SPDX-License-Identifier: Apache-2.0
#include "m2umol/molecule_rows.hpp"

#include <iostream>
#include <iterator>
#include <limits>
#include <memory>

#include "m2u/chem/prepare.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

m2u::PrepareOptions graph_only(Configuration const& configuration, int threads) {
  m2u::PrepareOptions options;
  options.features.encoding_steps = configuration.encoding_steps;
  options.features.atoms = m2u::atom_inputs_from_string(configuration.atoms, "the model");
  options.holdout = 0.0;
  options.text_width = 0;  // there is no text
  options.compute_conformers = false;
  options.canonical = false;
  options.threads = threads;
  return options;
}

m2u::Table table_of_molecule(std::string const& smiles, Configuration const& configuration) {
  m2u::MoleculeRecord record;
  record.line = 1;
  record.id = "query";
  record.smiles = smiles;
  auto const prepared = m2u::prepare_molecules(std::span(&record, 1), graph_only(configuration, 1));
  m2u::expects(
      prepared.table.size() == 1, "the molecule \"", smiles, "\" can't be used: ",
      prepared.rejects.empty() ? std::string("unknown reason") : prepared.rejects.list()[0].reason);
  return prepared.table;
}

namespace {

constexpr std::size_t chunk_size = 4096;  // molecules in memory at once

/// Records of a chunk, some of which the reader could not use.
struct Chunk {
  std::vector<m2u::MoleculeRecord> records;
  std::vector<bool> readable;
};

/// The chunk's records that can be featurised, without what rows do not depend on.
std::vector<m2u::MoleculeRecord> usable_of(Chunk const& chunk) {
  std::vector<m2u::MoleculeRecord> usable;
  for (std::size_t i = 0; i < chunk.records.size(); ++i) {
    if (chunk.readable[i]) {
      usable.push_back(chunk.records[i]);
      usable.back().title_as_id = true;  // ids may repeat here: records are known by their line
      usable.back().description.clear();
      usable.back().targets.clear();
      usable.back().enzymes.clear();
      usable.back().categories.clear();
      usable.back().extras.clear();
    }
  }
  return usable;
}

/// Appends a row for each record of a chunk.
void add_chunk(MoleculeRows const& job, Chunk const& chunk, Configuration const& configuration,
               int threads, m2u::Rejects& rejects, RowOutput& output) {
  auto const usable = usable_of(chunk);
  auto const prepared = m2u::prepare_molecules(usable, graph_only(configuration, threads));
  for (auto const& reject : prepared.rejects.list()) {
    rejects.add(reject);
  }
  // The table's rows are the records in their order, without those that could not be used.
  auto const rows = static_cast<std::size_t>(prepared.table.size());
  auto const lines = prepared.table.column<int>("line");
  std::vector<m2u::MoleculeRecord const*> used;
  for (auto const& record : chunk.records) {
    if (used.size() < rows &&
        lines[static_cast<int>(used.size())][0] == static_cast<int>(record.line)) {
      used.push_back(&record);
    }
  }
  auto const computed =
      rows > 0 ? job.compute(prepared.table, used) : std::vector<m2u::HostRows>(job.parts.size());
  auto const width = static_cast<std::size_t>(row_width(job.parts));
  std::vector<float> line;
  int row = 0;
  for (auto const& record : chunk.records) {
    bool const there = row < std::ssize(used) && used[static_cast<std::size_t>(row)] == &record;
    if (there) {
      line.clear();
      append_row(computed, row++, line);
    } else {
      line.assign(width, std::numeric_limits<float>::quiet_NaN());
    }
    output.add(record.line, record.id, line);
  }
}

/// How many records a file has: it stands first in .npy, and shows how far it is.
int count_records(MoleculeRows const& job) {
  int total = 0;
  m2u::MoleculeReader reader(job.in, job.columns);
  m2u::MoleculeRecord record;
  for (std::string problem; reader.next(record, problem);) {
    ++total;
  }
  m2u::expects(total > 0, job.in, " holds no molecule");
  return total;
}

/// Reads all records, chunk by chunk, and gives each its row.
void add_all(MoleculeRows const& job, Configuration const& configuration, int threads, int total,
             m2u::Rejects& rejects, RowOutput& output) {
  m2u::MoleculeReader reader(job.in, job.columns);
  Chunk chunk;
  MoleculeBar bar(job.verb);
  std::size_t done = 0;
  auto const flush = [&] {
    add_chunk(job, chunk, configuration, threads, rejects, output);
    done += chunk.records.size();
    bar(done, static_cast<std::size_t>(total), rejects.size());
    chunk = {};
  };
  m2u::MoleculeRecord record;
  for (std::string problem; reader.next(record, problem);) {
    if (problem.empty() && job.problem_of) {
      problem = job.problem_of(record);
    }
    if (!problem.empty()) {
      rejects.add(record.line, m2u::input_of(record), problem);
    }
    chunk.readable.push_back(problem.empty());
    chunk.records.push_back(std::move(record));
    if (chunk.records.size() == chunk_size) {
      flush();
    }
  }
  if (!chunk.records.empty()) {
    flush();
  }
  bar.done();
  m2u::expects(done == static_cast<std::size_t>(total), job.in, " changed while it was read");
}

}  // namespace

void check_paths(fs::path const& in, fs::path const& out, fs::path const& rejects) {
  m2u::expects(!fs::exists(in) || fs::is_regular_file(in), "cannot read ", in.string(),
               ": it is not a regular file, and it is read twice");
  auto const same = [](fs::path const& a, fs::path const& b) {
    return fs::weakly_canonical(a) == fs::weakly_canonical(b);
  };
  m2u::expects(!same(in, out), "--out ", out.string(), " would replace the file of --in");
  m2u::expects(!same(rejects, in) && !same(rejects, out), "--rejects ", rejects.string(),
               " would replace the file of --in or --out");
}

void write_rejects(m2u::Rejects const& list, fs::path const& file, bool always) {
  if (!list.empty() || always) {
    list.write(file);
  } else {
    fs::remove(file);
  }
}

void tell_of_rows(std::size_t rows, fs::path const& out, m2u::Rejects const& list,
                  fs::path const& rejects) {
  std::cout << "wrote " << rows << " rows to " << out.string() << '\n';
  if (!list.empty()) {
    std::cerr << "m2umol: warning: " << list.size() << " of " << rows
              << " records could not be used; their rows are NaN, see " << rejects.string() << '\n';
  }
}

void write_molecule_rows(MoleculeRows const& job, Configuration const& configuration, int threads) {
  fs::path const out = job.out;
  auto const reject_file = rejects_beside(job.out, job.rejects);
  check_paths(job.in, out, reject_file);
  int const total = count_records(job);
  expect_writable(out);
  expect_writable(reject_file);
  auto const output = make_row_output(out, total, job.parts);
  m2u::Rejects rejects;
  add_all(job, configuration, threads, total, rejects, *output);
  write_rejects(rejects, reject_file, !job.rejects.empty());
  output->commit();
  tell_of_rows(static_cast<std::size_t>(total), out, rejects, reject_file);
}

}  // namespace m2umol
