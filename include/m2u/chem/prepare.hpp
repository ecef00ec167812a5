// SPDX-License-Identifier: Apache-2.0
/// @file
/// Molecule records into a table with the modalities "2d", "3d", "text" and "bio", in parallel.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "m2u/chem/molecule.hpp"
#include "m2u/chem/prepare_options.hpp"
#include "m2u/chem/rejects.hpp"
#include "m2u/core/config.hpp"
#include "m2u/data/table.hpp"

namespace m2u {

/// How far preparing is.
struct PrepareProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::size_t rejected = 0;
};

struct PreparedMolecules {
  /// Columns line (i32), held_out (one byte, 0 or 1), id, smiles (canonical), formula (both empty
  /// without PrepareOptions::canonical), name, description, targets, categories, enzymes if the fit
  /// has them, and the extras (bytes), then those of the modalities. Rows are in the order of the
  /// records, without the rejected ones.
  Table table;
  Rejects rejects;        ///< records that are not in the table
  Rejects no_conformers;  ///< rows of the table that lack "3d" although one was wanted
  Vocabulary targets;
  Vocabulary categories;
  PreparationFit fit;  ///< for PrepareOptions::like
};

/// Parses and featurises molecules, computes their conformers and puts everything into a table.
/// RDKit's molecules live only while they are worked on. Every molecule in the table has "2d"; it
/// has "3d" if a conformer was given or computed, "text" if its description has words that are in
/// use, and "bio" if it has a target, an enzyme or a category of the vocabularies; there is a
/// vocabulary of enzymes if one of the records that the fit is made on has any. A random share of
/// the rows is held out, equal structures (canonical SMILES) together: vocabularies and the texts'
/// projection are fitted on the others, unless PrepareOptions::like gives them. The metadata holds
/// "modalities", "vocabularies", "text", "options" and "counts"; write_prepared keeps the texts'
/// projection in a file of its own.
/// @param progress called a few times a second, by one thread at a time, not always the same.
/// @throws Error only for wrong options; bad molecules are in `rejects`.
PreparedMolecules prepare_molecules(
    std::span<MoleculeRecord const> records, PrepareOptions const& options = {},
    std::function<void(PrepareProgress const&)> const& progress = {});

/// Writes the table as shards and the texts' projection beside them. dataset.json comes last: a
/// folder without it is not a data set. An older data set in the folder is replaced.
/// @throws Error naming the file that can't be written.
void write_prepared(std::filesystem::path const& folder, PreparedMolecules const& prepared);

}  // namespace m2u

#if M2U_DEFINES_CHEM

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "m2u/chem/prepare_record.hpp"
#include "m2u/data/modality_rows.hpp"

namespace m2u {

namespace detail {

/// The table that is being made.
class PreparedTable {
 public:
  explicit PreparedTable(RecordPreparation const& source)
      : source_(source), options_(source.options()) {
    auto const& fit = source_.fit();
    auto const columns = molecule_columns(fit.features);
    graph_ = {"2d", {}, {}, columns.encoding, columns.node_values, columns.edge_values};
    if (columns.node_features > 0) {
      graph_.node_vocabularies = {atom_vocabularies.begin(), atom_vocabularies.end()};
      graph_.edge_vocabularies = {bond_vocabularies.begin(), bond_vocabularies.end()};
    }
    conformer_.geometry = fit.radius_graph.geometry;
    sparse_text_ = {"text", {fit.text.buckets}};
    dense_text_ = {"text", fit.text_width()};
    // A vocabulary without terms still needs a column, which no row uses.
    auto const width = [](Vocabulary const& terms) { return std::max(1, terms.size()); };
    bio_ = {"bio", {width(fit.targets), width(fit.categories)}};
    if (fit.enzymes) {  // in the published order
      bio_.widths.insert(bio_.widths.begin() + 1, width(*fit.enzymes));
    }
    builder_.add_column<int>("line");
    for (auto const* const name :
         {"held_out", "id", "smiles", "formula", "name", "description", "targets", "categories"}) {
      builder_.add_column<char>(name);
    }
    if (fit.enzymes) {
      builder_.add_column<char>("enzymes");
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
    char const held_out = source_.held_out(row.record) ? 1 : 0;
    builder_.set<char>("held_out", std::span<char const>(&held_out, 1));
    held_out_ += held_out;
    builder_.set_text("id", row.id);
    builder_.set_text("smiles", row.smiles);
    builder_.set_text("formula", row.formula);
    builder_.set_text("name", record.name);
    builder_.set_text("description", record.description);
    builder_.set_text("targets", record.targets);
    builder_.set_text("categories", record.categories);
    bool const enzymes = source_.fit().enzymes.has_value();
    if (enzymes) {
      builder_.set_text("enzymes", record.enzymes);
    }
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
    if (!row.latent_text.empty()) {
      append(builder_, dense_text_, row.latent_text);
      ++texts_;
    } else if (!row.text.columns.empty()) {
      append(builder_, sparse_text_, row.text.view());
      ++texts_;
    }
    if (!row.targets.empty() || !row.enzymes.empty() || !row.categories.empty()) {
      std::vector<SparseRowView> rows{{row.targets, {}}, {row.categories, {}}};
      if (enzymes) {
        rows.insert(rows.begin() + 1, {row.enzymes, {}});
      }
      append(builder_, bio_, rows);
      ++bios_;
    }
    builder_.end_row();
  }

  PreparedMolecules finish() {
    auto const rows = builder_.rows();
    nlohmann::json json;
    json["options"] = {{"max_atoms", options_.max_atoms},
                       {"compute_conformers", options_.compute_conformers},
                       {"conformer_seed", options_.conformers.seed},
                       {"conformer_max_atoms", options_.conformers.max_atoms},
                       {"mmff", options_.conformers.mmff},
                       {"holdout", options_.holdout},
                       {"holdout_seed", options_.holdout_seed},
                       {"like", options_.like != nullptr},
                       {"drop_categories", options_.drop_categories}};
    if (options_.like == nullptr) {
      json["options"]["min_count"] = options_.min_count;
    }
    fit_to_json(source_.fit(), json);
    json["counts"] = {{"records", source_.records().size()},
                      {"rows", rows},
                      {"held_out", held_out_},
                      {"rejects", rejected()},
                      {"3d", conformers_},
                      {"no_conformer", result_.no_conformers.size()},
                      {"text", texts_},
                      {"bio", bios_}};
    // Terms may hold bytes that are not UTF-8; JSON can't.
    auto const metadata = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    result_.table = builder_.finish(with_modalities(specs(), metadata));
    result_.fit = source_.fit();
    result_.targets = result_.fit.targets;
    result_.categories = result_.fit.categories;
    return std::move(result_);
  }

  std::size_t rejected() const { return result_.rejects.size(); }

 private:
  std::vector<ModalitySpec> specs() const {
    ModalitySpec text = sparse_text_;
    if (dense_text_.width > 0) {
      text = dense_text_;
    }
    return {graph_, conformer_, text, bio_};
  }

  RecordPreparation const& source_;
  PrepareOptions const& options_;
  GraphModality graph_;
  ConformerModality conformer_{"3d"};
  SparseModality sparse_text_;
  DenseModality dense_text_;  // in use if its width is not 0
  SparseModality bio_;
  TableBuilder builder_;
  PreparedMolecules result_;
  int held_out_ = 0;
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

M2U_INLINE PreparedMolecules
prepare_molecules(std::span<MoleculeRecord const> records, PrepareOptions const& options,
                  std::function<void(PrepareProgress const&)> const& progress) {
  namespace tbb = oneapi::tbb;
  expects(options.max_atoms > 0, "prepare_molecules: max_atoms is ", options.max_atoms);
  expects(options.holdout >= 0.0 && options.holdout < 1.0,
          "prepare_molecules: the held-out share must be at least 0 and below 1, but is ",
          options.holdout);
  expects(options.text_width >= 0, "prepare_molecules: text_width is ", options.text_width);
  for (auto const& record : records) {
    expects(record.extras.size() == options.extras.size(), "prepare_molecules: the record \"",
            record.id, "\" has ", record.extras.size(), " extras, but the options name ",
            options.extras.size());
  }
  detail::RecordPreparation const preparation(records, options);
  detail::PreparedTable table(preparation);
  detail::ProgressReport report(progress, records.size());
  int const threads = options.threads > 0 ? options.threads : tbb::info::default_concurrency();
  // Conformers take from milliseconds to seconds: small shares, so that no core is left alone with
  // the last one. Else enough work for what sharing costs.
  std::size_t const batch = options.compute_conformers ? 2 : 16;
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

M2U_INLINE void write_prepared(std::filesystem::path const& folder,
                               PreparedMolecules const& prepared) {
  static_cast<void>(ShardWriter{folder});  // makes the folder, removes an older dataset.json
  auto const path = text_projection_path(folder);
  if (prepared.fit.latent_text != nullptr) {
    prepared.fit.latent_text->save(path);
  } else {
    std::error_code code;
    std::filesystem::remove(path, code);
    expects(!code, "cannot remove ", path.string(), ": ", code.message());
  }
  write_shards(folder, prepared.table);
}

}  // namespace m2u

#endif
