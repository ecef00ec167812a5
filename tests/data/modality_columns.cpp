// SPDX-License-Identifier: Apache-2.0
// Real-valued features of graphs in tables, and the hub's input for other modalities' rows.
#include "m2u/data/modality_columns.hpp"

#include <limits>
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

/// Real-valued features alone, and beside integer ones.
m2u::GraphModality const real_graph{"real", {}, {}, 0, 2, 1};
m2u::GraphModality const mixed_graph{"mixed", {10, 4}, {3}, 2, 2, 1};

m2u::GraphRecord with_values(m2u::GraphRecord graph, int row) {
  for (int node = 0; node < graph.nodes; ++node) {
    graph.node_values.insert(graph.node_values.end(),
                             {static_cast<float>(row) + 0.5F, static_cast<float>(-node)});
  }
  for (std::size_t edge = 0; edge < graph.source.size(); ++edge) {
    graph.edge_values.push_back(10.0F * static_cast<float>(graph.source[edge]) +
                                static_cast<float>(graph.target[edge]));
  }
  return graph;
}
m2u::GraphRecord real_of(int row) {
  auto graph = with_values(sample_graph(row), row);
  graph.node_features.clear();
  graph.edge_features.clear();
  graph.encoding.clear();
  return graph;
}

template <class View>
std::vector<typename View::non_const_value_type> values(View const& view) {
  return m2u::to_host(Host{}, view);
}

}  // namespace

TEST_CASE("real-valued features go through shards into batches", "[modality_columns]") {
  std::vector<m2u::ModalitySpec> const specs{real_graph, mixed_graph};
  auto const metadata = m2u::with_modalities(specs);
  CHECK(m2u::read_modalities(metadata) == specs);
  m2u::TableBuilder builder;
  for (auto const& spec : specs) {
    m2u::add_columns(builder, spec);
  }
  for (int row = 0; row < 6; ++row) {
    m2u::append(builder, real_graph, real_of(row).view());
    m2u::append(builder, mixed_graph, with_values(sample_graph(row), row).view());
    builder.end_row();
  }
  TemporaryFolder const folder;
  m2u::write_shards(folder.path(), builder.finish(metadata), 2);
  TableDataset const dataset(m2u::open_shards(folder.path()));
  auto const batch = dataset.collate<Host>(std::vector{3, 2}).to_space(Host{});
  for (std::string const name : {"real", "mixed"}) {
    auto const& graphs = batch.get<m2u::GraphBatch<Host>>(name);
    CHECK(values(graphs.nodes.offsets) == std::vector{0, 4, 7});
    CHECK(values(graphs.node_values) == std::vector{3.5F, 0.0F, 3.5F, -1.0F, 3.5F, -2.0F, 3.5F,
                                                    -3.0F, 2.5F, 0.0F, 2.5F, -1.0F, 2.5F, -2.0F});
    // Sorted by target: 1 → 0, then 0 → 1 and 2 → 1, and so on; numbers within the graph.
    CHECK(values(graphs.edge_values) ==
          std::vector{10.0F, 1.0F, 21.0F, 12.0F, 32.0F, 23.0F, 10.0F, 1.0F, 21.0F, 12.0F});
    CHECK(graphs.node_features.extent(1) == (name == "real" ? 0U : 2U));
  }
  CHECK(values(batch.get<m2u::GraphBatch<Host>>("mixed").edge_features) ==
        std::vector{0, 0, 0, 0, 0, 0, 2, 2, 2, 2});
}

TEST_CASE("real-valued features are checked", "[modality_columns]") {
  // Metadata without the keys, as it was before there were any.
  CHECK(m2u::read_modalities(R"({"modalities":[{"name":"2d","kind":"graph",
      "node_vocabularies":[7],"edge_vocabularies":[],"encoding":1}]})") ==
        std::vector<m2u::ModalitySpec>{m2u::GraphModality{"2d", {7}, {}, 1, 0, 0}});
  CHECK_THROWS_WITH(m2u::read_modalities(R"({"modalities":[{"name":"2d","kind":"graph",
      "node_vocabularies":[],"edge_vocabularies":[],"encoding":1,"node_values":-1}]})"),
                    ContainsSubstring("\"node_values\" is not an integer in 0"));
  m2u::TableBuilder builder;
  m2u::add_columns(builder, real_graph);
  auto graph = real_of(3);
  graph.node_values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(m2u::append(builder, real_graph, graph.view()),
                    ContainsSubstring("row 0, modality \"real\"") &&
                        ContainsSubstring("column 1 of the values of node 2 is not finite"));
  graph = real_of(3);
  graph.edge_values.pop_back();
  CHECK_THROWS_WITH(m2u::append(builder, real_graph, graph.view()),
                    ContainsSubstring("edge_values holds 5 values"));
  CHECK_THROWS_WITH(m2u::append(builder, real_graph, sample_graph(3).view()),
                    ContainsSubstring("node_features holds 8 values"));
}

TEST_CASE("a data set gives the hub's input for the rows of each modality", "[modality_columns]") {
  auto const table = sample_modality_table(9);
  TableDataset const dataset(table, {"2d", "3d", "bio"}, {.hub_parts = "2d"});
  std::vector<int> const ids{5, 4, 3, 6};
  auto const batch = dataset.collate<Host>(ids).to_space(Host{});
  CHECK(batch.modalities().size() == 5);
  CHECK(batch.find("2d/2d") == nullptr);
  auto const check = [&](std::string const& modality, std::vector<int> const& positions) {
    auto const& part = batch.get<m2u::GraphBatch<Host>>("2d/" + modality);
    CHECK(values(batch.find("2d/" + modality)->rows.rows) == positions);
    CHECK(values(batch.find(modality)->rows.rows) == positions);
    std::vector<int> rows;
    for (int const position : positions) {
      rows.push_back(ids[static_cast<std::size_t>(position)]);
    }
    auto const alone = TableDataset(table, {"2d"}).collate<Host>(rows).to_space(Host{});
    auto const& expected = alone.get<m2u::GraphBatch<Host>>("2d");
    CHECK(values(part.nodes.offsets) == values(expected.nodes.offsets));
    CHECK(values(part.node_features) == values(expected.node_features));
    CHECK(values(part.source.rows) == values(expected.source.rows));
  };
  check("3d", {1, 3});
  check("bio", {2, 3});
  CHECK(dataset.collate<Host>(std::vector{5, 7}).to_space(Host{}).modalities().size() == 1);
  CHECK_THROWS_WITH(TableDataset(table, {"3d"}, {.hub_parts = "2d"}),
                    ContainsSubstring("no modality \"2d\" in use"));
  TableDataset const odd(table, {"bio", "3d"}, {.hub_parts = "3d"});
  CHECK_THROWS_WITH(odd.collate<Host>(std::vector{3}),
                    ContainsSubstring("row 3 has the modality \"bio\", but not the hub's, \"3d\""));
}
