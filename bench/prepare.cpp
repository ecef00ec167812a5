// SPDX-License-Identifier: Apache-2.0
// bench_prepare: molecules from SMILES to features, conformers, and shards to batches. All but the
// last run in one thread.
#include "m2u/chem/prepare.hpp"

#include "support/google.hpp"
#include "support/molecules.hpp"

namespace {

using bench::Space;

std::vector<m2u::MoleculeRecord> records_of(m2u::Table const& table) {
  std::vector<m2u::MoleculeRecord> records;
  for (int row = 0; row < table.size(); ++row) {
    auto& record = records.emplace_back();
    record.line = static_cast<std::size_t>(row) + 1;
    record.id = std::to_string(row);
    record.smiles = table.text("smiles", row);
  }
  return records;
}

m2u::ParsedMolecule parsed(m2u::MoleculeRecord const& record) {
  auto result = m2u::parse_molecule(record);
  m2u::expects(static_cast<bool>(result), record.smiles, ": ", result.reason);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_benchmarks(argc, argv, [](Space const& space, std::string const& data) {
    auto const table = m2u::open_shards(data);
    auto const records = std::make_shared<std::vector<m2u::MoleculeRecord>>(records_of(table));
    auto const count = static_cast<std::int64_t>(records->size());
    auto const add = [&](std::string const& name, std::int64_t items, bench::Step const& step) {
      bench::add_benchmark(name, [=] { return step; }, 0.0, items);
    };
    add("SMILES to RDKit molecule", count, [=](std::uint64_t) {
      for (auto const& record : *records) {
        benchmark::DoNotOptimize(parsed(record).mol.get());
      }
    });
    add("SMILES to features with random-walk encodings", count, [=](std::uint64_t) {
      for (auto const& record : *records) {
        benchmark::DoNotOptimize(m2u::featurise(*parsed(record).mol).nodes);
      }
    });
    add("SMILES to table", count, [=](std::uint64_t) {
      m2u::PrepareOptions options;
      options.compute_conformers = false;
      options.text_width = 0;
      options.threads = 1;
      benchmark::DoNotOptimize(m2u::prepare_molecules(*records, options).table.size());
    });
    add("conformers (ETKDGv3, MMFF)", 1, [=](std::uint64_t number) {
      auto const& record = (*records)[number * 37 % records->size()];
      benchmark::DoNotOptimize(m2u::compute_conformer(*parsed(record).mol).conformer.source.size());
    });
    add("open shards", count,
        [=](std::uint64_t) { benchmark::DoNotOptimize(m2u::open_shards(data).size()); });
    int const batch = std::min(256, table.size());
    auto const batches = bench::full_batches(table.size(), batch, 1);
    for (auto const& [name, use] : {std::pair<std::string, std::vector<std::string>>{"2d", {"2d"}},
                                    {"2d and 3d", {"2d", "3d"}}}) {
      m2u::TableDataset const dataset(table, use);
      add("shards to batches of " + name, batch, [=](std::uint64_t number) {
        dataset.collate<Space>(batches[number % batches.size()]).to_space(space);
      });
    }
    return records;
  });
}
