// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecule records into a table with the modalities "2d", "3d", "text" and "bio", in parallel.
#pragma once

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/chem/prepare_record.hpp"
#include "m2u/chem/rejects.hpp"
#include "m2u/data/modality_rows.hpp"

namespace m2u {

/// How far preparing is.
struct PrepareProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::size_t rejected = 0;
};

struct PreparedMolecules {
  /// Columns line (i32), id, smiles (canonical), name, description, targets, categories and the
  /// extras (bytes), then those of the modalities. Rows are in the order of the records, without
  /// the rejected ones.
  Table table;
  Rejects rejects;        ///< records that are not in the table
  Rejects no_conformers;  ///< rows of the table that lack "3d" although one was wanted
  Vocabulary targets;
  Vocabulary categories;
};

namespace detail {

/// The table that is being made.
class PreparedTable {
 public:
  explicit PreparedTable(RecordPreparation const& source)
      : source_(source), options_(source.options()) {
    graph_ = {"2d",
              {atom_vocabularies.begin(), atom_vocabularies.end()},
              {bond_vocabularies.begin(), bond_vocabularies.end()},
              options_.features.encoding_steps};
    text_ = {"text", {options_.text.buckets}};
    // A vocabulary without terms still needs a column, which no row uses.
    bio_ = {"bio", {std::max(1, source.targets().size()), std::max(1, source.categories().size())}};
    builder_.add_column<int>("line");
    for (auto const* const name :
         {"id", "smiles", "name", "description", "targets", "categories"}) {
      builder_.add_column<char>(name);
    }
    for (auto const& name : options_.extras) {
      builder_.add_column<char>(name);
    }
    for (ModalitySpec const& spec : specs()) {
      add_columns(builder_, spec);
    }
  }

  /// Writes a row into the table or the list of rejects; called in the order of the records.
  void take(PreparedRow const& row) {
    auto const& record = source_.records()[row.record];
    if (!row.reject.empty()) {
      result_.rejects.add(record.line, input_of(record), row.reject);
      return;
    }
    int const line = static_cast<int>(record.line);
    builder_.set<int>("line", std::span<int const>(&line, 1));
    builder_.set_text("id", row.id);
    builder_.set_text("smiles", row.smiles);
    builder_.set_text("name", record.name);
    builder_.set_text("description", record.description);
    builder_.set_text("targets", record.targets);
    builder_.set_text("categories", record.categories);
    for (std::size_t i = 0; i < options_.extras.size(); ++i) {
      builder_.set_text(options_.extras[i], record.extras.at(i));
    }
    append(builder_, graph_, row.graph.view());
    if (row.conformer) {
      append(builder_, conformer_, row.conformer.conformer.view());
      ++conformers_;
    } else if (!row.conformer.reason.empty()) {
      result_.no_conformers.add(record.line, row.id, row.conformer.reason);
    }
    if (!row.text.columns.empty()) {
      append(builder_, text_, row.text.view());
      ++texts_;
    }
    if (!row.targets.empty() || !row.categories.empty()) {
      SparseRowView const rows[] = {{row.targets, {}}, {row.categories, {}}};
      append(builder_, bio_, rows);
      ++bios_;
    }
    builder_.end_row();
  }

  PreparedMolecules finish() {
    auto const rows = builder_.rows();
    nlohmann::json json;
    json["vocabularies"] = {{"targets", source_.targets().terms()},
                            {"categories", source_.categories().terms()}};
    json["text"] = {{"texts", source_.text_weights().texts()},
                    {"texts_with", source_.text_weights().texts_with()}};
    json["options"] = {{"encoding_steps", options_.features.encoding_steps},
                       {"max_atoms", options_.max_atoms},
                       {"compute_conformers", options_.compute_conformers},
                       {"conformer_seed", options_.conformers.seed},
                       {"conformer_max_atoms", options_.conformers.max_atoms},
                       {"mmff", options_.conformers.mmff},
                       {"cutoff", options_.conformers.radius_graph.cutoff},
                       {"neighbours", options_.conformers.radius_graph.neighbours},
                       {"text_buckets", options_.text.buckets},
                       {"text_longest", options_.text.longest},
                       {"text_min_count", options_.text_min_count},
                       {"min_count", options_.min_count},
                       {"drop_categories", options_.drop_categories}};
    json["counts"] = {{"records", source_.records().size()},
                      {"rows", rows},
                      {"rejects", rejected()},
                      {"3d", conformers_},
                      {"no_conformer", result_.no_conformers.size()},
                      {"text", texts_},
                      {"bio", bios_}};
    // Terms may hold bytes that are not UTF-8; JSON can't.
    auto const metadata = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    result_.table = builder_.finish(with_modalities(specs(), metadata));
    result_.targets = source_.targets();
    result_.categories = source_.categories();
    return std::move(result_);
  }

  std::size_t rejected() const { return result_.rejects.size(); }

 private:
  std::vector<ModalitySpec> specs() const { return {graph_, conformer_, text_, bio_}; }

  RecordPreparation const& source_;
  PrepareOptions const& options_;
  GraphModality graph_;
  ConformerModality conformer_{"3d"};
  SparseModality text_;
  SparseModality bio_;
  TableBuilder builder_;
  PreparedMolecules result_;
  int conformers_ = 0;
  int texts_ = 0;
  int bios_ = 0;
};

/// Calls the user's function a few times a second and at the end.
class ProgressReport {
 public:
  ProgressReport(std::function<void(PrepareProgress const&)> const& call, std::size_t total)
      : call_(call), total_(total) {}
  void operator()(std::size_t done, std::size_t rejected) {
    auto const now = std::chrono::steady_clock::now();
    if (call_ && (done == total_ || now - last_ >= std::chrono::milliseconds(200))) {
      last_ = now;
      call_({done, total_, rejected});
    }
  }

 private:
  std::function<void(PrepareProgress const&)> const& call_;
  std::size_t total_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace detail

/// Parses and featurises molecules, computes their conformers and puts everything into a table.
/// RDKit's molecules live only while they are worked on. Every molecule in the table has "2d"; it
/// has "3d" if a conformer was given or computed, "text" if its description has words, and "bio" if
/// it has a target or a category of the vocabularies. The metadata holds "modalities",
/// "vocabularies", "text" (what TfIdf counted), "options" and "counts".
/// @param progress called a few times a second, by one thread at a time, not always the same.
/// @throws Error only for wrong options; bad molecules are in `rejects`.
inline PreparedMolecules prepare_molecules(
    std::span<MoleculeRecord const> records, PrepareOptions const& options = {},
    std::function<void(PrepareProgress const&)> const& progress = {}) {
  namespace tbb = oneapi::tbb;
  expects(options.max_atoms > 0, "prepare_molecules: max_atoms is ", options.max_atoms);
  for (auto const& record : records) {
    expects(record.extras.size() == options.extras.size(), "prepare_molecules: the record \"",
            record.id, "\" has ", record.extras.size(), " extras, but the options name ",
            options.extras.size());
  }
  detail::RecordPreparation const preparation(records, options);
  detail::PreparedTable table(preparation);
  detail::ProgressReport report(progress, records.size());
  int const threads = options.threads > 0 ? options.threads : tbb::info::default_concurrency();
  constexpr std::size_t batch = 16;
  std::size_t next = 0;
  std::size_t done = 0;
  using Rows = std::vector<detail::PreparedRow>;
  auto const read = tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order,
                                                        [&](tbb::flow_control& control) {
                                                          auto const first = next;
                                                          if (first >= records.size()) {
                                                            control.stop();
                                                          }
                                                          next += batch;
                                                          return first;
                                                        });
  auto const work =
      tbb::make_filter<std::size_t, Rows>(tbb::filter_mode::parallel, [&](std::size_t first) {
        Rows rows;
        for (auto i = first; i < std::min(first + batch, records.size()); ++i) {
          rows.push_back(preparation.prepare(i));
        }
        return rows;
      });
  auto const write =
      tbb::make_filter<Rows, void>(tbb::filter_mode::serial_in_order, [&](Rows const& rows) {
        for (auto const& row : rows) {
          table.take(row);
        }
        done += rows.size();
        report(done, table.rejected());
      });
  tbb::task_arena arena(threads);
  arena.execute(
      [&] { tbb::parallel_pipeline(static_cast<std::size_t>(threads) * 8, read & work & write); });
  return table.finish();
}

}  // namespace m2u
