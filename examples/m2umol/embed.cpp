// SPDX-License-Identifier: Apache-2.0
// m2umol embed: molecules of a file into vectors, one row per input record.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/data/npy.hpp"
#include "m2u/parameters/safetensors.hpp"
#include "m2u/train/batch_source.hpp"

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

struct EmbedArguments {
  std::string model;
  std::string in;
  std::string out;
  std::string rejects;
  bool generated = false;
  bool fused = false;
  m2u::MoleculeReaderOptions columns;
};

/// One kind of vector: "2d", a generated modality or "fused".
struct Part {
  std::string name;
  int width = 0;
};

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
  CsvOutput(fs::path const& path, std::vector<Part> const& parts) : file_(path) {
    std::string header = "line,id";
    for (auto const& part : parts) {
      for (int j = 0; j < part.width; ++j) {
        header += "," + part.name + "_" + std::to_string(j);
      }
    }
    file_.write(header + "\n");
  }
  void add(m2u::MoleculeRecord const& record, std::span<float const> row) override {
    std::string line = std::to_string(record.line) + "," + quoted(record.id);
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
  static std::string quoted(std::string const& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
      return text;
    }
    std::string result = "\"";
    for (char const c : text) {
      result += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return result + "\"";
  }
  m2u::AtomicFile file_;
};

class SafetensorsOutput : public Output {
 public:
  SafetensorsOutput(fs::path path, std::vector<Part> const& parts) : path_(std::move(path)) {
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
                                    std::vector<Part> const& parts) {
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

m2u::HostRows const& rows_of(m2u::Embeddings const& vectors, std::string const& part) {
  return part == "2d"      ? vectors.hub
         : part == "fused" ? vectors.fused
                           : vectors.modality(part).generated;
}

/// Embeds a chunk and appends a row for each of its records.
void embed_chunk(Engine const& engine, Chunk const& chunk, std::vector<Part> const& parts,
                 int threads, m2u::Rejects& rejects, Output& output) {
  std::vector<m2u::MoleculeRecord> usable;
  for (std::size_t i = 0; i < chunk.records.size(); ++i) {
    if (chunk.readable[i]) {
      usable.push_back(chunk.records[i]);
      usable.back().title_as_id = true;  // ids may repeat here: records are known by their line
      usable.back().description.clear();
      usable.back().targets.clear();
      usable.back().enzymes.clear();
      usable.back().categories.clear();
    }
  }
  auto const prepared = m2u::prepare_molecules(usable, graph_only(engine.configuration(), threads));
  for (auto const& reject : prepared.rejects.list()) {
    rejects.add(reject);
  }
  m2u::Embeddings vectors;
  int const rows = prepared.table.size();
  if (rows > 0) {
    vectors = engine.embed(prepared.table, m2u::all_ids(rows),
                           {.generated = parts.size() > 1, .real = false}, threads);
  }
  // The table's rows are the records in their order, without those that could not be used.
  auto const lines = prepared.table.column<int>("line");
  int row = 0;
  std::vector<float> line;
  for (std::size_t i = 0; i < chunk.records.size(); ++i) {
    line.clear();
    bool const used = row < rows && lines[row][0] == static_cast<int>(chunk.records[i].line);
    for (auto const& part : parts) {
      auto const width = static_cast<std::ptrdiff_t>(part.width);
      if (!used) {
        line.insert(line.end(), static_cast<std::size_t>(width),
                    std::numeric_limits<float>::quiet_NaN());
        continue;
      }
      auto const begin = rows_of(vectors, part.name).values.begin() + row * width;
      line.insert(line.end(), begin, begin + width);
    }
    row += used ? 1 : 0;
    output.add(chunk.records[i], line);
  }
}

/// @throws m2u::Error unless the input can be read twice and nothing is written over anything else.
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

void run_embed(EmbedArguments const& arguments, Common const& common) {
  fs::path const out = arguments.out;
  auto const end = out.extension();
  m2u::expects(end == ".npy" || end == ".csv" || end == ".safetensors", "--out ", out.string(),
               ": the ending must be .npy, .csv or .safetensors");
  fs::path const reject_file = arguments.rejects.empty() ? fs::path(out.string() + ".rejects.tsv")
                                                         : fs::path(arguments.rejects);
  check_paths(arguments.in, out, reject_file);
  auto const engine = Engine::load(arguments.model);
  std::vector<Part> parts{{"2d", engine.configuration().width}};
  if (arguments.generated) {
    for (auto const* const name : {"3d", "text", "bio"}) {
      parts.push_back({name, engine.configuration().width});
    }
  }
  if (arguments.fused) {
    m2u::expects(engine.configuration().form == "package", arguments.model,
                 " has no fusion head: --fused takes a model in the form of the authors' package");
    parts.push_back({"fused", engine.configuration().width});
  }
  int total = 0;
  {
    // The number of rows stands first in .npy, and shows how far it is.
    m2u::MoleculeReader reader(arguments.in, arguments.columns);
    m2u::MoleculeRecord record;
    for (std::string problem; reader.next(record, problem);) {
      ++total;
    }
  }
  m2u::expects(total > 0, arguments.in, " holds no molecule");
  expect_writable(out);
  expect_writable(reject_file);
  auto const output = make_output(out, total, parts);
  m2u::MoleculeReader reader(arguments.in, arguments.columns);
  m2u::Rejects rejects;
  Chunk chunk;
  PrepareBar bar;
  std::size_t done = 0;
  auto const flush = [&] {
    embed_chunk(engine, chunk, parts, common.threads, rejects, *output);
    done += chunk.records.size();
    bar({done, static_cast<std::size_t>(total), rejects.size()});
    chunk = {};
  };
  m2u::MoleculeRecord record;
  for (std::string problem; reader.next(record, problem);) {
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
  m2u::expects(done == static_cast<std::size_t>(total), arguments.in, " changed while it was read");
  if (!rejects.empty() || !arguments.rejects.empty()) {
    rejects.write(reject_file);  // first: rows of NaN never stand without their reasons
  } else {
    fs::remove(reject_file);  // of an earlier run
  }
  output->commit();
  std::cout << "wrote " << total << " rows to " << out.string() << '\n';
  if (!rejects.empty()) {
    std::cerr << "m2umol: warning: " << rejects.size() << " of " << total
              << " records could not be used; their rows are NaN, see " << reject_file.string()
              << '\n';
  }
}

}  // namespace

void add_embed(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "embed", "Turn the molecules of a file into vectors: one row per record, in order");
  auto const arguments = std::make_shared<EmbedArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--in", a.in, "Molecules: .smi, .csv, .tsv or .sdf, also gzipped")
      ->required()
      ->check(not_empty());
  command->add_option("--out", a.out, "Vectors: .npy, .csv or .safetensors")
      ->required()
      ->check(not_empty());
  command->add_flag(
      "--generated", a.generated,
      "Also the generated 3D, text and bio vectors (in .npy and .csv as further columns)");
  command->add_flag("--fused", a.fused,
                    "Also the 2D vector fused with the generated ones, if the model has that head");
  command->add_option("--smiles", a.columns.smiles, "Name of the SMILES column")
      ->capture_default_str();
  command->add_option("--id", a.columns.id, "Name of the id column")->capture_default_str();
  command->add_option("--rejects", a.rejects,
                      "Where unusable records are listed (default: OUT.rejects.tsv)");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_embed(*arguments, common); };
  });
}

}  // namespace m2umol
