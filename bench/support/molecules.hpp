// SPDX-License-Identifier: Apache-2.0
// Batches of prepared molecules with text and bio features in the paper's sizes, and the published
// model for them: the composition of examples/m2umol.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "m2u/data/modality_rows.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/data/table_dataset.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/model.hpp"
#include "support/machine.hpp"
#include "support/published.hpp"

namespace bench {

/// Some rows of a prepared data set as a table in memory: the 2D graphs, the conformers or random
/// vectors in their place, and random text and bio features. Those of the data set itself are not
/// used, so that the cost does not depend on what it happens to have.
/// @throws m2u::Error if the folder is no data set or lacks a modality.
inline m2u::Table molecules_with_drawn_features(std::filesystem::path const& folder,
                                                bool conformers, std::uint64_t seed) {
  auto const prepared = m2u::open_shards(folder);
  std::vector<m2u::ModalitySpec> specs;
  for (auto const& spec : m2u::read_modalities(prepared.metadata())) {
    auto const& name = m2u::name_of(spec);
    if (name == "2d" || (name == "3d" && conformers)) {
      specs.push_back(spec);
    }
  }
  m2u::expects(specs.size() == (conformers ? 2U : 1U), folder.string(),
               " lacks a modality; `m2umol prepare` makes folders with 2d and 3d");
  std::vector<std::string> copied;
  m2u::TableBuilder builder;
  for (auto const& column : prepared.columns()) {
    auto const modality = column.name.substr(0, column.name.find('.'));
    if (std::any_of(specs.begin(), specs.end(),
                    [&](auto const& spec) { return m2u::name_of(spec) == modality; })) {
      copied.push_back(column.name);
      column.type == m2u::ColumnType::i32   ? builder.add_column<int>(column.name, column.width)
      : column.type == m2u::ColumnType::f32 ? builder.add_column<float>(column.name, column.width)
                                            : builder.add_column<char>(column.name, column.width);
    }
  }
  m2u::DenseModality const given{"3d", given_width};
  if (!conformers) {
    m2u::add_columns(builder, given);
    specs.emplace_back(given);
  }
  m2u::DenseModality const text{"text", text_width};
  m2u::SparseModality const bio{"bio", {bio_vocabularies.begin(), bio_vocabularies.end()}};
  m2u::add_columns(builder, text);
  m2u::add_columns(builder, bio);
  specs.emplace_back(text);
  specs.emplace_back(bio);

  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0F, 0.5F);
  for (int row = 0; row < prepared.size(); ++row) {
    for (auto const& name : copied) {
      auto const& columns = prepared.columns();
      auto const type = std::find_if(columns.begin(), columns.end(), [&](auto const& column) {
                          return column.name == name;
                        })->type;
      type == m2u::ColumnType::i32   ? builder.set(name, prepared.column<int>(name)[row])
      : type == m2u::ColumnType::f32 ? builder.set(name, prepared.column<float>(name)[row])
                                     : builder.set(name, prepared.column<char>(name)[row]);
    }
    if (!conformers) {
      std::vector<float> vector(given_width);
      std::generate(vector.begin(), vector.end(), [&] { return normal(random); });
      m2u::append(builder, given, vector);
    }
    std::vector<float> vector(text_width);
    std::generate(vector.begin(), vector.end(), [&] { return normal(random); });
    m2u::append(builder, text, vector);
    std::array<m2u::SparseRow, bio_vocabularies.size()> ones;
    std::array<m2u::SparseRowView, bio_vocabularies.size()> views;
    for (std::size_t v = 0; v < ones.size(); ++v) {
      std::poisson_distribution<int> number(bio_ones_per_column * bio_vocabularies[v]);
      std::uniform_int_distribution<int> column(0, bio_vocabularies[v] - 1);
      ones[v].columns.resize(static_cast<std::size_t>(number(random)));
      std::generate(ones[v].columns.begin(), ones[v].columns.end(), [&] { return column(random); });
      views[v] = ones[v].view();
    }
    m2u::append(builder, bio, views);
    builder.end_row();
  }
  return builder.finish(m2u::with_modalities(specs));
}

/// Full batches of a random permutation of the table's rows (of several where the batch is larger
/// than the table).
inline std::vector<std::vector<int>> full_batches(int rows, int batch, std::uint64_t seed) {
  m2u::expects(rows > 0 && batch > 0, "no molecules for batches of ", batch);
  std::vector<int> order;
  for (std::uint64_t epoch = 0; static_cast<int>(order.size()) < std::max(rows, batch); ++epoch) {
    auto const more = m2u::random_permutation(rows, m2u::Seed{seed}, epoch);
    order.insert(order.end(), more.begin(), more.end());
  }
  std::vector<std::vector<int>> batches(static_cast<std::size_t>(std::max(1, rows / batch)));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    auto const first = order.begin() + static_cast<std::ptrdiff_t>(i) * batch;
    batches[i].assign(first, first + batch);
  }
  return batches;
}

inline BatchShape shape_of(Space const& space, m2u::MultiBatch<Space> const& batch) {
  auto const& graphs = batch.get<m2u::GraphBatch<Space>>("2d");
  BatchShape shape{.molecules = static_cast<double>(batch.size()),
                   .atoms = static_cast<double>(graphs.size()),
                   .edges = static_cast<double>(graphs.edges())};
  auto const offsets = m2u::to_host(space, graphs.nodes.offsets);
  for (std::size_t g = 1; g < offsets.size(); ++g) {
    double const atoms = offsets[g] - offsets[g - 1];
    shape.atoms_squared += atoms * atoms;
  }
  auto const* const modality = batch.find("3d");
  if (modality != nullptr && modality->batch.type() == typeid(m2u::ConformerBatch<Space>)) {
    auto const& conformers = batch.get<m2u::ConformerBatch<Space>>("3d");
    shape.conformers = conformers.atoms.groups;
    shape.conformer_atoms = conformers.atoms.total;
    shape.conformer_edges = conformers.incoming.total;
  }
  return shape;
}

/// The first full batch of a data folder with drawn features.
inline m2u::MultiBatch<Space> first_batch(Space const& space, std::string const& data, int size,
                                          bool conformers) {
  m2u::TableDataset const dataset(molecules_with_drawn_features(data, conformers, 1));
  return dataset.collate<Space>(full_batches(dataset.size(), size, 1).front()).to_space(space);
}

/// A source that goes round and round over batches that are there already, so that a step's time is
/// the step's alone; an epoch has any number of steps.
class CycledBatches {
 public:
  CycledBatches(std::vector<m2u::MultiBatch<Space>> batches, int steps)
      : batches_(std::move(batches)), steps_(steps) {}
  int batches_per_epoch() const { return steps_; }
  int samples_per_epoch() const { return steps_ * batches_.front().size(); }
  void start_epoch(int /*epoch*/, int first = 0) { next_ = first; }
  std::optional<m2u::MultiBatch<Space>> next(Space const& /*space*/) {
    if (next_ == steps_) {
      return std::nullopt;
    }
    return batches_[static_cast<std::size_t>(next_++) % batches_.size()];
  }
  std::vector<m2u::MultiBatch<Space>> const& batches() const { return batches_; }

 private:
  std::vector<m2u::MultiBatch<Space>> batches_;
  int steps_;
  int next_ = 0;
};

}  // namespace bench
