// SPDX-License-Identifier: Apache-2.0
// m2umol demo: the whole job on bundled molecules, with a report page.
#include <cstdlib>
#include <iostream>
#include <memory>

#include "m2u/chem/prepare.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/core/version.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/library.hpp"
#include "m2umol/molecule_view.hpp"
#include "m2umol/program.hpp"
#include "m2umol/recipe.hpp"
#include "m2umol/run_report.hpp"

namespace m2umol {

namespace fs = std::filesystem;

namespace {

struct DemoArguments {
  std::string out = "m2umol-demo";
  std::string drugs = M2UMOL_DATA_DIR "/drugs.tsv";
  std::string extra;
  int molecules = 1500;
  double holdout = 0.15;
  PretrainOptions options;
};

/// RDKit's data package has the first molecules of the NCI's open database: no text, no bio.
fs::path find_nci() {
  std::vector<fs::path> places;
  if (char const* const base = std::getenv("RDBASE")) {
    places.emplace_back(fs::path(base) / "Data/NCI/first_5K.smi");
  }
  places.emplace_back("/usr/share/RDKit/Data/NCI/first_5K.smi");
  for (auto const& place : places) {
    if (fs::exists(place)) {
      return place;
    }
  }
  m2u::fail(
      "the demo needs NCI/first_5K.smi of RDKit's data package (Debian: rdkit-data); looked at ",
      places.back().string(), "; set RDBASE to RDKit's folder, or give a file with --extra");
}

std::vector<m2u::MoleculeRecord> demo_records(DemoArguments const& arguments,
                                              m2u::Rejects& rejects) {
  auto records = m2u::read_molecules(arguments.drugs, rejects);
  auto const drugs = records.size();
  fs::path const extra = arguments.extra.empty() ? find_nci() : fs::path(arguments.extra);
  // Spread over the file, not its first part, which is one family after another.
  auto all = m2u::read_molecules(extra, rejects);
  auto const wanted =
      static_cast<std::size_t>(std::max(0, arguments.molecules - static_cast<int>(drugs)));
  auto const step = std::max<std::size_t>(1, all.size() / std::max<std::size_t>(1, wanted));
  for (std::size_t i = 0; i < all.size() && records.size() < drugs + wanted; i += step) {
    all[i].id = "NSC" + all[i].id;
    all[i].name = all[i].id;
    records.push_back(std::move(all[i]));
  }
  std::cout << "read " << drugs << " drugs with text, targets and categories, and "
            << records.size() - drugs << " molecules of the NCI's open database without\n";
  return records;
}

std::vector<RetrievalRow> report_rows(std::vector<HeldOut> const& rows) {
  std::vector<RetrievalRow> result;
  for (auto const& row : rows) {
    auto const add = [&](std::string direction, m2u::RetrievalMetrics const& m) {
      result.push_back({row.modality, std::move(direction), m.recall_at_1, m.recall_at_5,
                        m.recall_at_10, m.mean_reciprocal_rank, m.median_rank, m.pool});
    };
    add("2d → " + row.modality, row.from_2d);
    add(row.modality + " → 2d", row.to_2d);
  }
  return result;
}

void write_report(fs::path const& path, m2u::Table const& table, PretrainOptions const& options,
                  PretrainResult const& result, double seconds) {
  auto const engine = Engine::load(options.run / "model.safetensors");
  auto const spaces = comparable_spaces(engine, table, "the demo's library", "the demo's model");
  ViewLibrary const library{
      table, index_in_memory(engine, table, spaces, options.threads, "the demo's library")};
  RunReport report;
  report.title = "m2umol demo";
  report.program_version = std::string(m2u::version) + " (" + git_revision() + ")";
  report.configuration = engine.configuration();
  for (auto& vocabulary : report.configuration["bio"]) {
    vocabulary.erase("terms");  // hundreds of them
  }
  report.log = read_training_log((options.run / "log.jsonl").string());
  report.before = report_rows(result.before);
  report.after = report_rows(result.after);
  for (char const* const name : {"ibuprofen", "atorvastatin", "diazepam"}) {
    for (int const row : m2u::all_ids(table.size())) {
      if (table.text("name", row) == name) {
        report.examples.push_back(
            view_molecule(engine, library, std::string(table.text("smiles", row)), row, {}, 4));
      }
    }
  }
  double rate = 0.0;
  for (auto const& epoch : result.fit.history) {
    rate = std::max(rate, epoch.samples_per_second);
  }
  report.facts = {{"molecules", std::to_string(table.size())},
                  {"epochs", std::to_string(result.fit.epochs)},
                  {"parameters", std::to_string(engine.parameters())},
                  {"training speed", std::to_string(static_cast<int>(rate)) + " molecules/s"},
                  {"whole demo", std::to_string(static_cast<int>(seconds)) + " s"}};
  report.command = "./dev demo";
  m2u::write_file(path, run_report_html(report));
}

void run_demo(DemoArguments arguments, Common const& common) {
  auto const start = std::chrono::steady_clock::now();
  fs::path const out = arguments.out;
  m2u::Rejects rejects;
  auto const records = demo_records(arguments, rejects);
  m2u::PrepareOptions prepare;
  prepare.threads = common.threads;
  prepare.conformers.seed = static_cast<int>(common.seed % 2147483647U);
  prepare.min_count = 2;
  prepare.holdout = arguments.holdout;
  prepare_data(records, rejects, prepare, out / "data", arguments.drugs);

  auto& options = arguments.options;
  options.run = out / "run";
  options.seed = common.seed;
  options.threads = common.threads;
  fs::remove_all(options.run);  // the demo starts anew
  auto const table = m2u::open_shards(out / "data");
  auto configuration = configuration_for(table, (out / "data").string());
  auto recipe = options;
  apply_recipe(options.recipe, configuration, recipe);
  recipe.epochs = options.epochs;
  recipe.batch = options.batch;
  auto const result = run_pretraining(table, configuration, recipe);
  std::cout << '\n'
            << retrieval_table(result.before, result.after)
            << same_formula_line(result.same_formula) << '\n';
  double const seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(out / "report.html", table, options, result, seconds);
  std::cout << "model:  " << (options.run / "model.safetensors").string()
            << "\nlog:    " << (options.run / "log.jsonl").string()
            << "\nreport: " << (out / "report.html").string()
            << "\ntime:   " << static_cast<int>(seconds) << " s\n\nTry: m2umol retrieve --model "
            << (options.run / "model.safetensors").string() << " --library "
            << (out / "data").string() << " --query 'CC(=O)Oc1ccccc1C(=O)O' --by text\n";
}

}  // namespace

void add_demo(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "demo", "The whole job on bundled molecules: prepare, pre-train, evaluate, report");
  auto const arguments = std::make_shared<DemoArguments>();
  auto& a = *arguments;
  a.options.epochs = 40;
  a.options.batch = 128;
  command->add_option("--out", a.out, "Folder for everything that the demo writes")
      ->capture_default_str();
  command->add_option("--drugs", a.drugs, "Table with modalities")->capture_default_str();
  command->add_option("--extra", a.extra, "Further molecules (default: RDKit's NCI/first_5K.smi)");
  command->add_option("--molecules", a.molecules, "Molecules in all")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--epochs", a.options.epochs, "Passes over the data")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--batch", a.options.batch, "Molecules per step")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  command->add_option("--holdout", a.holdout, "Share kept out of training")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_demo(*arguments, common); };
  });
}

}  // namespace m2umol
