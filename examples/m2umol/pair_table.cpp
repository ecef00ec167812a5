// SPDX-License-Identifier: Apache-2.0
#include "m2umol/pair_table.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"

#include "m2umol/molecule_rows.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

PairMolecules read_pair_molecules(PairSource const& source, std::string const& smiles,
                                  Configuration const& configuration, int threads) {
  m2u::MoleculeReaderOptions options;
  options.id = source.id;
  options.smiles = smiles;
  PairMolecules result;
  result.file = source.molecules;
  std::vector<m2u::MoleculeRecord> records;
  auto const reject = [&](std::size_t line, std::string const& id, std::string const& reason) {
    result.rejected.emplace(id, reason);
    std::cerr << "m2umol: warning: " << source.molecules << ", line " << line << ": " << reason
              << '\n';
  };
  m2u::MoleculeReader reader(source.molecules, options);
  m2u::MoleculeRecord next;
  for (std::string problem; reader.next(next, problem);) {
    if (problem.empty()) {
      records.push_back(next);
    } else {
      reject(next.line, next.id, problem);
    }
  }
  auto prepared = m2u::prepare_molecules(records, graph_only(configuration, threads));
  result.graphs = std::move(prepared.table);
  for (int row = 0; row < result.graphs.size(); ++row) {
    result.rows.emplace(std::string(result.graphs.text("id", row)), row);
  }
  std::map<std::size_t, std::string> ids;
  for (auto const& record : records) {
    ids.emplace(record.line, record.id);
  }
  for (auto const& bad : prepared.rejects.list()) {
    reject(bad.line, ids.at(bad.line), bad.reason);
  }
  m2u::expects(!result.rows.empty(), source.molecules, " holds no molecule that can be used");
  return result;
}

PairReader::PairReader(std::string const& path, PairSource const& source,
                       PairMolecules const& molecules, bool typed)
    : reader_(path),
      molecules_(molecules),
      columns_{reader_.column(source.first), reader_.column(source.second)} {
  if (typed) {
    columns_.push_back(reader_.column(source.type));
  }
}

bool PairReader::next(PairLine& line) {
  line = {};
  m2u::DelimitedRow row;
  if (!reader_.next(row, line.problem)) {
    return false;
  }
  line.line = row.line;
  if (!line.problem.empty()) {
    return true;
  }
  std::string* const cells[] = {&line.ids[0], &line.ids[1], &line.type};
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto const column = static_cast<std::size_t>(columns_[i]);
    *cells[i] = row.fields.at(column);
    if (cells[i]->empty() && line.problem.empty()) {
      line.problem = "the column \"" + reader_.header()[column] + "\" is empty";
    }
  }
  for (int i = 0; i < 2 && line.problem.empty(); ++i) {
    auto const& id = line.ids[i];
    if (auto const found = molecules_.rows.find(id); found != molecules_.rows.end()) {
      line.rows[i] = found->second;
    } else if (auto const bad = molecules_.rejected.find(id); bad != molecules_.rejected.end()) {
      line.problem = "the molecule \"" + id + "\" can't be used: " + bad->second;
      line.bad_molecule = true;
    } else {
      line.problem = "there is no molecule \"" + id + "\" in " + molecules_.file;
    }
  }
  return true;
}

ClassTable::ClassTable(std::filesystem::path const& path, PairSource const& source,
                       std::vector<std::string> const& classes, bool all)
    : file_(path), classes_(classes), all_(all) {
  auto header = "line," + csv_cell(source.first) + ',' + csv_cell(source.second) + ",class,chance";
  for (auto const& name : classes) {
    header += all ? ',' + csv_cell(column_of(name)) : std::string();
  }
  file_.write(header + '\n');
}

void ClassTable::add(std::size_t line, std::string const& first, std::string const& second,
                     std::span<float const> chances) {
  auto text = std::to_string(line) + ',' + csv_cell(first) + ',' + csv_cell(second);
  auto const add_number = [&](float value) {
    char number[32];
    std::snprintf(number, sizeof number, ",%.9g", static_cast<double>(value));
    text += number;
  };
  if (chances.empty()) {
    text += ",nan,nan";
  } else {
    auto const best = std::max_element(chances.begin(), chances.end());
    text += ',' + csv_cell(classes_[static_cast<std::size_t>(best - chances.begin())]);
    add_number(*best);
  }
  for (std::size_t c = 0; all_ && c < classes_.size(); ++c) {
    if (chances.empty()) {
      text += ",nan";
    } else {
      add_number(chances[c]);
    }
  }
  file_.write(text + '\n');
}

}  // namespace m2umol
