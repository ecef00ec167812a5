// SPDX-License-Identifier: Apache-2.0
#include "m2umol/labelled.hpp"

#include <GraphMol/RWMol.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <charconv>
#include <iostream>
#include <sstream>
#include <unordered_set>

#include "m2u/chem/fingerprint.hpp"
#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/chem/scaffold.hpp"
#include "m2u/data/shard.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

/// Names of label columns.
std::vector<std::string> label_columns(LabelSource const& source) {
  m2u::DelimitedReader const header(source.table);
  std::vector<std::string> columns;
  // The reader takes the SMILES column in any case of letters where no name fits exactly.
  auto const smiles = m2u::detail::find_name(header.header(), source.smiles);
  auto const of_smiles = [&](std::string const& name) {
    return smiles < header.header().size() && name == header.header()[smiles];
  };
  if (source.labels.empty() && source.all_columns) {
    for (auto const& name : header.header()) {
      if (!of_smiles(name) && name != source.part) {
        columns.push_back(name);
      }
    }
  }
  for (auto const& text : source.labels) {
    std::istringstream parts(text);
    if (header.has_column(text)) {
      columns.push_back(text);
    } else {
      for (std::string name; std::getline(parts, name, ',');) {
        header.column(name);  // an Error that lists the columns
        columns.push_back(name);
      }
    }
  }
  for (auto name = columns.begin(); name != columns.end(); ++name) {
    m2u::expects(std::find(columns.begin(), name, *name) == name, "--labels names \"", *name,
                 "\" twice");
    m2u::expects(!of_smiles(*name), "--labels names the SMILES column \"", *name, '"');
    m2u::expects(is_utf8(*name), source.table, ": the name of column ", header.column(*name) + 1,
                 " is not UTF-8; models keep the names of labels");
  }
  m2u::expects(!columns.empty(), "--labels names no column");
  return columns;
}

/// A label as a number, NaN if it is missing. @throws m2u::Error saying what is wrong with it.
double label_of(std::string text, std::string const& column, bool regression) {
  std::erase(text, ' ');
  if (text.empty()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double value = 0.0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, value);
  bool const number = parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(value);
  m2u::expects(
      number && (regression || value == 0.0 || value == 1.0), "the label \"", column, "\" is \"",
      text.substr(0, 40), "\"; labels are ",
      regression ? "finite numbers" : "0 or 1 (numbers: --regression, or --task regression)",
      " or empty");
  return value;
}

/// A record's scaffold, fingerprint and labels, or why it can't be used.
struct Described {
  std::string scaffold;
  std::vector<int> bits;
  std::vector<double> labels;
  std::string part;
  std::string reject;
};

/// @param columns the labels': their texts are the record's first extras
Described describe(m2u::MoleculeRecord const& record, std::vector<std::string> const& columns,
                   LabelSource const& source) {
  Described result;
  try {
    bool any = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      result.labels.push_back(label_of(record.extras.at(i), columns[i], source.regression));
      any = any || !std::isnan(result.labels.back());
    }
    if (!source.part.empty()) {
      result.part = record.extras.back();
    }
    m2u::expects(any, "it has no label");
    auto const parsed = m2u::parse_molecule(record);
    m2u::expects(static_cast<bool>(parsed), parsed.reason);
    result.scaffold = m2u::scaffold_smiles(*parsed.mol);
    if (source.fingerprints) {
      result.bits = m2u::morgan_fingerprint(*parsed.mol, {.radius = 2, .bits = morgan_bits});
    }
  } catch (std::exception const& error) {
    result.reject = error.what();
  }
  return result;
}

/// Keeps those records that featurise, with all that is known about them.
void fill(LabelledMolecules& result, std::vector<m2u::MoleculeRecord> const& usable,
          std::vector<Described>& described, Configuration const& configuration, int threads) {
  MoleculeBar bar("prepare");
  auto options = graph_only(configuration, threads);
  options.canonical = true;  // seen_molecules() knows them by it
  auto prepared = m2u::prepare_molecules(usable, options, [&](m2u::PrepareProgress const& at) {
    bar(at.done, at.total, at.rejected);
  });
  bar.done();
  for (auto const& reject : prepared.rejects.list()) {
    result.rejects.push_back(reject);
  }
  auto const lines = prepared.table.column<int>("line");
  // The table's rows are the records in their order, without those that could not be used.
  for (std::size_t i = 0; i < usable.size(); ++i) {
    int const row = result.size();
    if (row == prepared.table.size() || lines[row][0] != static_cast<int>(usable[i].line)) {
      continue;
    }
    result.smiles.emplace_back(prepared.table.text("smiles", row));
    result.lines.push_back(static_cast<std::int64_t>(usable[i].line));
    result.scaffolds.push_back(std::move(described[i].scaffold));
    result.bits.push_back(std::move(described[i].bits));
    result.parts.push_back(std::move(described[i].part));
    for (std::size_t task = 0; task < result.tasks.size(); ++task) {
      result.tasks[task].labels.push_back(described[i].labels[task]);
    }
  }
  result.graphs = std::move(prepared.table);
}

/// How many records were rejected, and why the first was.
std::string reject_note(LabelledMolecules const& molecules) {
  auto const& rejects = molecules.rejects;
  return rejects.empty()
             ? std::string()
             : "; " + std::to_string(rejects.size()) + " of " + std::to_string(molecules.records) +
                   " records were rejected, the first at line " +
                   std::to_string(rejects.front().line) + ": " + rejects.front().reason;
}

/// @throws m2u::Error if there is nothing to predict.
void check_labels(LabelledMolecules const& molecules, LabelSource const& source) {
  m2u::expects(!molecules.smiles.empty(), source.table,
               " holds no molecule with a label that can be used", reject_note(molecules));
  for (auto const& task : molecules.tasks) {
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (double const label : task.labels) {
      least = label < least ? label : least;  // false for NaN
      most = label > most ? label : most;
    }
    m2u::expects(least < most, "the column \"", task.name, "\" of ", source.table,
                 " holds no two different labels, so there is nothing to learn from it",
                 reject_note(molecules));
  }
}

}  // namespace

bool is_utf8(std::string const& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (nlohmann::json::type_error const&) {
    return false;
  }
}

LabelledMolecules read_labelled(LabelSource const& source, Configuration const& configuration,
                                int threads) {
  LabelledMolecules result;
  auto const columns = label_columns(source);
  m2u::MoleculeReaderOptions options;
  options.smiles = source.smiles;
  options.extras = columns;
  if (!source.part.empty()) {
    options.extras.push_back(source.part);
  }
  m2u::Rejects malformed;
  auto const records = m2u::read_molecules(source.table, malformed, options);
  result.rejects = malformed.list();
  result.records = records.size() + malformed.size();
  for (auto const& column : columns) {
    result.tasks.push_back({column, {}});
  }
  std::vector<Described> described(records.size());
  oneapi::tbb::task_arena arena(threads);
  arena.execute([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, records.size(), [&](std::size_t i) {
      described[i] = describe(records[i], columns, source);
    });
  });
  std::vector<m2u::MoleculeRecord> usable;
  std::vector<Described> usable_described;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!described[i].reject.empty()) {
      result.rejects.push_back({records[i].line, m2u::input_of(records[i]), described[i].reject});
      continue;
    }
    m2u::MoleculeRecord plain;
    plain.line = records[i].line;
    plain.id = records[i].id;
    plain.smiles = records[i].smiles;
    plain.title_as_id = true;  // ids may repeat here: records are known by their line
    usable.push_back(std::move(plain));
    usable_described.push_back(std::move(described[i]));
  }
  fill(result, usable, usable_described, configuration, threads);
  std::sort(result.rejects.begin(), result.rejects.end(),
            [](auto const& a, auto const& b) { return a.line < b.line; });
  check_labels(result, source);
  return result;
}

void warn_of_rejects(LabelledMolecules const& molecules, std::string const& table) {
  constexpr std::size_t most = 20;
  if (molecules.rejects.empty()) {
    return;
  }
  std::cerr << "m2umol: warning: " << molecules.rejects.size() << " of " << molecules.records
            << " records of " << table << " can't be used:\n";
  for (std::size_t i = 0; i < std::min(most, molecules.rejects.size()); ++i) {
    auto const& reject = molecules.rejects[i];
    std::cerr << "  line " << reject.line << ": " << reject.input.substr(0, 60) << ": "
              << reject.reason << '\n';
  }
  if (molecules.rejects.size() > most) {
    std::cerr << "  and " << molecules.rejects.size() - most << " more (all are in --out)\n";
  }
}

std::vector<bool> seen_molecules(std::vector<std::string> const& smiles, fs::path const& folder) {
  auto const table = m2u::open_shards(folder);
  m2u::expects(table.has("smiles"), folder.string(), " has no column \"smiles\"");
  auto const held_out =
      table.has("held_out") ? table.column<char>("held_out") : m2u::Column<char>();
  std::unordered_set<std::string> trained;
  for (int row = 0; row < table.size(); ++row) {
    if (!table.has("held_out") || held_out[row].empty() || held_out[row][0] != 1) {
      trained.emplace(table.text("smiles", row));
    }
  }
  std::vector<bool> seen;
  for (auto const& molecule : smiles) {
    seen.push_back(trained.contains(molecule));
  }
  return seen;
}

}  // namespace m2umol
