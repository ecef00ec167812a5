// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/table_dataset.hpp"

#include <numeric>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/data/shard.hpp"
#include "sample_dataset.hpp"
#include "temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::Host;
using m2u::TableDataset;
using namespace m2u::test;

static_assert(m2u::Dataset<TableDataset>);

template <class View>
std::vector<typename View::non_const_value_type> values(View const& view) {
  return m2u::to_host(Host{}, view);
}

m2u::MultiBatch<Host> collate(TableDataset const& dataset, std::vector<int> const& ids) {
  return dataset.collate<Host>(ids).to_space(Host{});
}

}  // namespace

TEST_CASE("a batch holds the present rows of each modality", "[table_dataset]") {
  TemporaryFolder const folder;
  m2u::write_shards(folder.path(), sample_modality_table(9), 2);
  TableDataset const dataset(m2u::open_shards(folder.path()));
  CHECK(dataset.size() == 9);
  CHECK(dataset.modalities() == sample_modalities());
  CHECK(dataset.present("3d", 4));
  CHECK_FALSE(dataset.present("3d", 5));
  CHECK_FALSE(dataset.present("text", 4));  // neither appended nor marked absent

  std::vector<int> const ids{6, 3, 5, 6};
  auto const batch = collate(dataset, ids);
  CHECK(batch.size() == 4);
  CHECK(batch.ids() == ids);

  auto const& graphs = batch.get<m2u::GraphBatch<Host>>("2d");
  CHECK(values(batch.find("2d")->rows.rows) == std::vector{0, 1, 2, 3});
  std::vector<m2u::GraphRecord> records;
  std::vector<m2u::GraphView> views;
  for (int const id : ids) {
    records.push_back(sample_graph(id));
  }
  for (auto const& record : records) {
    views.push_back(record.view());
  }
  auto const expected = m2u::make_graph_batch(views, graph_2d.columns());
  CHECK(values(graphs.nodes.offsets) == std::vector{0, 3, 7, 9, 12});
  CHECK(values(graphs.node_features) == values(expected.node_features));
  CHECK(values(graphs.encoding) == values(expected.encoding));
  CHECK(values(graphs.source.rows) == values(expected.source.rows));
  CHECK(values(graphs.edge_features) == values(expected.edge_features));

  auto const& conformers = batch.get<m2u::ConformerBatch<Host>>("3d");
  CHECK(values(batch.find("3d")->rows.rows) == std::vector{0, 3});
  CHECK(values(conformers.atomic_numbers) == std::vector{6, 6});

  auto const& bio = batch.get<m2u::SparseBatch<Host>>("bio");
  CHECK(values(batch.find("bio")->rows.rows) == std::vector{0, 1, 3});
  REQUIRE(bio.vocabularies.size() == 2);
  CHECK(values(bio.vocabularies[0].columns) == std::vector{0, 3, 0});
  CHECK(values(bio.vocabularies[0].weights) == std::vector{1.0F, 1.0F, 1.0F});
  CHECK(bio.vocabularies[0].width == 6);
  CHECK(values(bio.vocabularies[1].columns) == std::vector{1, 19, 1, 19, 1, 19});
  CHECK(values(bio.vocabularies[1].weights) == std::vector{0.5F, 6.0F, 0.5F, 3.0F, 0.5F, 6.0F});

  auto const& text = batch.get<m2u::DenseBatch<Host>>("text");
  CHECK(values(batch.find("text")->rows.rows) == std::vector{2});
  CHECK(values(text.values) == std::vector{1.0F, 2.0F, 3.0F});

  auto const alone = collate(dataset, {1});
  CHECK(alone.find("2d") != nullptr);
  CHECK(alone.modalities().size() == 1);
  CHECK(collate(dataset, {}).modalities().empty());
}

TEST_CASE("a data set uses the modalities that were asked for", "[table_dataset]") {
  auto const table = sample_modality_table(6);
  TableDataset const dataset(table, {"text", "2d"});
  CHECK(dataset.modalities() == std::vector<m2u::ModalitySpec>{dense_text, graph_2d});
  CHECK(collate(dataset, {0, 5}).modalities().size() == 2);
  CHECK_THROWS_WITH(dataset.present("3d", 0), ContainsSubstring("no modality \"3d\" in use"));
  CHECK_THROWS_WITH(
      TableDataset(table, {"sound"}),
      ContainsSubstring("no modality \"sound\"; there are \"2d\", \"3d\", \"bio\", \"text\""));
}

TEST_CASE("a batch holds the geometry of conformers that have one", "[table_dataset]") {
  m2u::ConformerModality const modality{"3d", m2u::EdgeGeometry::smooth};
  std::vector<m2u::ModalitySpec> const specs{modality};
  std::vector<m2u::ConformerRecord> records;
  m2u::TableBuilder builder;
  m2u::add_columns(builder, modality);
  for (int row = 0; row < 3; ++row) {  // of 1, 2 and 3 atoms
    records.push_back(sample_conformer(row));
    m2u::add_radius_graph(records.back(), {.geometry = modality.geometry});
    m2u::append(builder, modality, records.back().view());
    builder.end_row();
  }
  auto const table = builder.finish(m2u::with_modalities(specs));
  auto const of = [](m2u::MultiBatch<Host> const& batch) {
    return batch.get<m2u::ConformerBatch<Host>>("3d").geometry;
  };
  TableDataset const dataset(table);
  auto const geometry = of(collate(dataset, {2, 0, 1}));
  CHECK(geometry.extent_int(0) == 8);
  auto expected = records[2].geometry;
  expected.insert(expected.end(), records[1].geometry.begin(), records[1].geometry.end());
  CHECK(values(geometry) == expected);
  CHECK(of(collate(dataset, {0})).extent_int(0) == 0);
  // Described without it, the same columns are read without it.
  std::vector<m2u::ModalitySpec> const plain{m2u::ConformerModality{"3d"}};
  TableDataset const without(table.with_metadata(m2u::with_modalities(plain)));
  CHECK(of(collate(without, {2})).extent_int(1) == 0);
  CHECK_THROWS_WITH(
      TableDataset(sample_modality_table(2).with_metadata(m2u::with_modalities(specs))),
      ContainsSubstring("\"3d.geometry\""));
}

TEST_CASE("tables that do not fit their description are refused", "[table_dataset]") {
  auto const table = sample_modality_table(6);
  auto const described = [&](m2u::ModalitySpec const& spec) {
    return TableDataset(table.with_metadata(m2u::with_modalities(std::vector{spec})));
  };
  CHECK_THROWS_WITH(TableDataset(table.with_metadata("{}")),
                    ContainsSubstring("describes no modalities"));
  CHECK_THROWS_WITH(described(m2u::DenseModality{"other", 3}),
                    ContainsSubstring("no column \"other.present\""));
  CHECK_THROWS_WITH(described(m2u::DenseModality{"text", 4}),
                    ContainsSubstring("\"text.values\" has the width 3, but its modality needs 4"));
  CHECK_THROWS_WITH(described(m2u::GraphModality{"2d", {10, 4, 2}, {3}, 2}),
                    ContainsSubstring("needs 3"));
  CHECK_THROWS_WITH(described(m2u::SparseModality{"bio", {6, 20, 7}}),
                    ContainsSubstring("no column \"bio.2.columns\""));
  // Vocabularies smaller than the features in the table: found when the row is used.
  auto const narrow = described(m2u::GraphModality{"2d", {5, 4}, {3}, 2});
  CHECK_NOTHROW(collate(narrow, {0, 1}));
  CHECK_THROWS_WITH(
      collate(narrow, {0, 5}),
      ContainsSubstring("row 5, modality \"2d\": column 0 of node 0 is 5, outside 0 … 4"));
  CHECK_THROWS_WITH(collate(described(m2u::SparseModality{"bio", {6, 10}}), {3}),
                    ContainsSubstring("row 3, modality \"bio\": column 19 of vocabulary 1"));
  CHECK_THROWS_WITH(collate(described(graph_2d), {6}), ContainsSubstring("there is no row 6"));
  CHECK_THROWS_WITH(collate(described(graph_2d), {-1}), ContainsSubstring("there is no row -1"));

  m2u::TableBuilder builder;
  m2u::add_columns(builder, dense_text);
  builder.set<char>("text.present", std::vector<char>{7});
  builder.end_row();
  TableDataset const odd(
      builder.finish(m2u::with_modalities(std::vector<m2u::ModalitySpec>{dense_text})));
  CHECK_THROWS_WITH(odd.present("text", 0), ContainsSubstring("should hold one byte, 0 or 1"));
}
