// SPDX-License-Identifier: Apache-2.0
#include "m2umol/molecule_rows.hpp"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>

#include "m2u/chem/prepare.hpp"
#include "m2u/data/npy.hpp"
#include "m2u/parameters/safetensors.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

std::string csv_cell(std::string const& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string result = "\"";
  for (char const c : text) {
    result += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return result + "\"";
}

namespace {

constexpr std::size_t chunk_size = 4096;  // molecules in memory at once

/// Where rows go: three formats behind one interface.
class Output {
 public:
  virtual ~Output() = default;
  /// A record's vectors, all parts on one row; NaN for a record that could not be used.
  virtual void add(m2u::MoleculeRecord const& record, std::span<float const> row) = 0;
  virtual void commit() = 0;
};

class NpyOutput : public Output {
 public:
  NpyOutput(fs::path const& path, int rows, int cols) : writer_(path, rows, cols) {}
  void add(m2u::MoleculeRecord const& /*record*/, std::span<float const> row) override {
    writer_.add(row);
  }
  void commit() override { writer_.commit(); }

 private:
  m2u::NpyWriter writer_;
};

class CsvOutput : public Output {
 public:
  CsvOutput(fs::path const& path, std::vector<RowPart> const& parts) : file_(path) {
    std::string header = "line,id";
    for (auto const& part : parts) {
      for (int j = 0; j < part.width; ++j) {
        header +=
            "," + (part.columns.empty() ? part.name + "_" + std::to_string(j)
                                        : csv_cell(part.columns[static_cast<std::size_t>(j)]));
      }
    }
    file_.write(header + "\n");
  }
  void add(m2u::MoleculeRecord const& record, std::span<float const> row) override {
    std::string line = std::to_string(record.line) + "," + csv_cell(record.id);
    char number[32];
    for (float const value : row) {
      std::snprintf(number, sizeof number, std::isnan(value) ? ",nan" : ",%.9g",
                    static_cast<double>(value));
      line += number;
    }
    file_.write(line + "\n");
  }
  void commit() override { file_.commit(); }

 private:
  m2u::AtomicFile file_;
};

class SafetensorsOutput : public Output {
 public:
  SafetensorsOutput(fs::path path, std::vector<RowPart> const& parts) : path_(std::move(path)) {
    for (auto const& part : parts) {
      tensors_.push_back({part.name, {0, part.width}, {}});
    }
  }
  void add(m2u::MoleculeRecord const& /*record*/, std::span<float const> row) override {
    std::size_t first = 0;
    for (auto& tensor : tensors_) {
      auto const values = row.subspan(first, static_cast<std::size_t>(tensor.shape[1]));
      tensor.values.insert(tensor.values.end(), values.begin(), values.end());
      ++tensor.shape[0];
      first += values.size();
    }
  }
  void commit() override {
    m2u::write_safetensors(path_, tensors_, {{"format", "m2umol embeddings"}});
  }

 private:
  fs::path path_;
  std::vector<m2u::NamedTensor> tensors_;
};

std::unique_ptr<Output> make_output(fs::path const& path, int rows,
                                    std::vector<RowPart> const& parts) {
  int width = 0;
  for (auto const& part : parts) {
    width += part.width;
  }
  if (path.extension() == ".npy") {
    return std::make_unique<NpyOutput>(path, rows, width);
  }
  if (path.extension() == ".csv") {
    return std::make_unique<CsvOutput>(path, parts);
  }
  return std::make_unique<SafetensorsOutput>(path, parts);
}

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
               int threads, m2u::Rejects& rejects, Output& output) {
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
  std::ptrdiff_t row = 0;
  std::vector<float> line;
  for (auto const& record : chunk.records) {
    line.clear();
    bool const there = row < std::ssize(used) && used[static_cast<std::size_t>(row)] == &record;
    for (std::size_t p = 0; p < job.parts.size(); ++p) {
      auto const width = static_cast<std::ptrdiff_t>(job.parts[p].width);
      if (!there) {
        line.insert(line.end(), static_cast<std::size_t>(width),
                    std::numeric_limits<float>::quiet_NaN());
        continue;
      }
      auto const begin = computed[p].values.begin() + row * width;
      line.insert(line.end(), begin, begin + width);
    }
    row += there ? 1 : 0;
    output.add(record, line);
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
             m2u::Rejects& rejects, Output& output) {
  m2u::MoleculeReader reader(job.in, job.columns);
  Chunk chunk;
  PrepareBar bar;
  std::size_t done = 0;
  auto const flush = [&] {
    add_chunk(job, chunk, configuration, threads, rejects, output);
    done += chunk.records.size();
    bar({done, static_cast<std::size_t>(total), rejects.size()});
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
  auto const output = make_output(out, total, job.parts);
  m2u::Rejects rejects;
  add_all(job, configuration, threads, total, rejects, *output);
  write_rejects(rejects, reject_file, !job.rejects.empty());
  output->commit();
  tell_of_rows(static_cast<std::size_t>(total), out, rejects, reject_file);
}

}  // namespace m2umol
