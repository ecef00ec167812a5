// SPDX-License-Identifier: Apache-2.0
/// @file
/// A table with modalities as the data set of a training run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/data/modalities.hpp"
#include "m2u/data/modality_columns.hpp"
#include "m2u/data/table.hpp"
#include "m2u/transfer/hub_passes.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

struct TableDatasetOptions {
  /// The hub's modality, for models with HubPasses::each: a batch then also has, for every other
  /// modality m in use, "hub/m": the hub's input for just the rows that have m. Empty for none.
  std::string hub_parts = {};
};

/// A data set whose samples are the rows of a table (in memory or mapped) with the modalities that
/// its metadata describes: see modalities.hpp. Cheap to copy: copies share the table.
class TableDataset {
 public:
  /// @param use the modalities' names to use, in this order; none given: all that there are.
  /// @throws Error if one is unknown, or the table lacks a column or has it with another type or
  /// width.
  explicit TableDataset(Table table, std::vector<std::string> const& use = {},
                        TableDatasetOptions const& options = {});

  int size() const { return table_.size(); }
  Table const& table() const { return table_; }

  /// The modalities in use.
  std::vector<ModalitySpec> const& modalities() const { return specs_; }

  /// Whether a row has a modality. @throws Error if the modality is not in use or there is no such
  /// row.
  bool present(std::string_view modality, int row) const {
    return present(parts_[number_of(modality)], row);
  }

  /// Joins rows into a batch; a modality that none of them has is left out. Launches nothing, so
  /// that several threads may call it at once.
  /// @throws Error naming row and modality if a cell is malformed.
  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const;

 private:
  struct Part {
    Column<char> present;
    std::variant<detail::GraphColumnsOfTable, detail::ConformerColumns, detail::SparseColumns,
                 detail::DenseColumns>
        columns;
  };

  void add(ModalitySpec const& spec);

  /// @throws Error if the modality is not in use.
  std::size_t number_of(std::string_view modality) const;

  /// Adds the rows' items of part `i` to a batch under a name.
  template <ExecutionSpace S>
  void add(HostBatch<S>& batch, std::string const& name, std::size_t i,
           std::span<int const> positions, std::span<int const> rows) const;

  static bool present(Part const& part, int row) {
    auto const flags = part.present[row];
    expects(flags.size() <= 1 && (flags.empty() || flags[0] == 0 || flags[0] == 1), "row ", row,
            ": the column \"", part.present.name(), "\" should hold one byte, 0 or 1");
    return !flags.empty() && flags[0] == 1;
  }

  static std::string listing(std::vector<ModalitySpec> const& specs);

  Table table_;
  std::vector<ModalitySpec> specs_;
  std::vector<Part> parts_;
  std::optional<std::size_t> hub_;  ///< the part whose items for other parts' rows are added
};

template <ExecutionSpace S>
HostBatch<S> TableDataset::collate(std::span<int const> ids) const {
  HostBatch<S> result(std::vector<int>(ids.begin(), ids.end()));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    std::vector<int> positions;
    std::vector<int> rows;
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (present(parts_[i], ids[k])) {
        positions.push_back(static_cast<int>(k));
        rows.push_back(ids[k]);
      }
    }
    if (rows.empty()) {
      continue;
    }
    auto const& name = name_of(specs_[i]);
    add(result, name, i, positions, rows);
    if (hub_ && *hub_ != i) {
      for (int const row : rows) {
        expects(present(parts_[*hub_], row), "TableDataset: row ", row, " has the modality \"",
                name, "\", but not the hub's, \"", name_of(specs_[*hub_]), '"');
      }
      add(result, hub_part_name(name_of(specs_[*hub_]), name), *hub_, positions, rows);
    }
  }
  return result;
}

template <ExecutionSpace S>
void TableDataset::add(HostBatch<S>& batch, std::string const& name, std::size_t i,
                       std::span<int const> positions, std::span<int const> rows) const {
  auto const what = [&](int row) {
    return "row " + std::to_string(row) + ", modality \"" + name_of(specs_[i]) + "\"";
  };
  std::visit([&](auto const& columns) { batch.add(name, positions, columns.batch(rows, what)); },
             parts_[i].columns);
}

}  // namespace m2u

#if M2U_DEFINES_CORE

namespace m2u {

M2U_INLINE TableDataset::TableDataset(Table table, std::vector<std::string> const& use,
                                      TableDatasetOptions const& options)
    : table_(std::move(table)) {
  auto const all = read_modalities(table_.metadata());
  expects(!all.empty(), "TableDataset: the table's metadata describes no modalities");
  if (use.empty()) {
    for (auto const& spec : all) {
      add(spec);
    }
  }
  for (auto const& name : use) {
    auto const found = std::find_if(all.begin(), all.end(),
                                    [&](auto const& spec) { return name_of(spec) == name; });
    expects(found != all.end(), "TableDataset: there is no modality \"", name, "\"; there are ",
            listing(all));
    add(*found);
  }
  if (!options.hub_parts.empty()) {
    hub_ = number_of(options.hub_parts);
  }
}

M2U_INLINE void TableDataset::add(ModalitySpec const& spec) {
  auto present = table_.column<char>(name_of(spec) + ".present");
  if (auto const* const graph = std::get_if<GraphModality>(&spec)) {
    parts_.push_back({std::move(present), detail::GraphColumnsOfTable(table_, *graph)});
  } else if (auto const* const conformer = std::get_if<ConformerModality>(&spec)) {
    parts_.push_back({std::move(present), detail::ConformerColumns(table_, *conformer)});
  } else if (auto const* const sparse = std::get_if<SparseModality>(&spec)) {
    parts_.push_back({std::move(present), detail::SparseColumns(table_, *sparse)});
  } else {
    parts_.push_back(
        {std::move(present), detail::DenseColumns(table_, std::get<DenseModality>(spec))});
  }
  specs_.push_back(spec);
}

M2U_INLINE std::size_t TableDataset::number_of(std::string_view modality) const {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (name_of(specs_[i]) == modality) {
      return i;
    }
  }
  fail("TableDataset: there is no modality \"", modality, "\" in use; there are ", listing(specs_));
}

M2U_INLINE std::string TableDataset::listing(std::vector<ModalitySpec> const& specs) {
  std::string text;
  for (auto const& spec : specs) {
    text += (text.empty() ? "\"" : ", \"") + name_of(spec) + '"';
  }
  return text;
}

}  // namespace m2u

#endif
