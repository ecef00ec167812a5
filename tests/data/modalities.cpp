// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/modalities.hpp"

#include <limits>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "sample_dataset.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace m2u::test;

}  // namespace

TEST_CASE("modalities come back from the metadata", "[modalities]") {
  auto const metadata = m2u::with_modalities(sample_modalities(), R"({"name":"sample"})");
  CHECK(m2u::read_modalities(metadata) == sample_modalities());
  CHECK(nlohmann::json::parse(metadata)["name"] == "sample");
  CHECK(m2u::read_modalities("{}").empty());
  CHECK(m2u::with_modalities({}) == R"({"modalities":[]})");
  // The form in which other programs write them.
  auto const specs = m2u::read_modalities(R"({"modalities":[
      {"name":"2d","kind":"graph","node_vocabularies":[119,5],"edge_vocabularies":[],"encoding":20},
      {"name":"3d","kind":"conformer"}, {"name":"text","kind":"sparse","widths":[32768]},
      {"name":"x","kind":"dense","width":768}]})");
  CHECK(specs == std::vector<m2u::ModalitySpec>{
                     m2u::GraphModality{"2d", {119, 5}, {}, 20}, m2u::ConformerModality{"3d"},
                     m2u::SparseModality{"text", {32768}}, m2u::DenseModality{"x", 768}});
}

TEST_CASE("a conformer's geometry is part of its description", "[modalities]") {
  using m2u::ConformerModality;
  using m2u::EdgeGeometry;
  std::vector<m2u::ModalitySpec> const specs{ConformerModality{"a", EdgeGeometry::smooth},
                                             ConformerModality{"b", EdgeGeometry::published},
                                             ConformerModality{"c"}};
  auto const metadata = m2u::with_modalities(specs);
  CHECK(m2u::read_modalities(metadata) == specs);
  auto const json = nlohmann::json::parse(metadata)["modalities"];
  CHECK(json[0]["geometry"] == "smooth");
  CHECK_FALSE(json[2].contains("geometry"));  // as tables were written before there was any
  CHECK_THROWS_WITH(
      m2u::read_modalities(
          R"({"modalities":[{"name":"a","kind":"conformer","geometry":"rough"}]})"),
      ContainsSubstring("the metadata, modalities[0]: there is no edge geometry \"rough\""));

  auto const& modality = std::get<ConformerModality>(specs[0]);
  m2u::TableBuilder builder;
  m2u::add_columns(builder, modality);
  auto conformer = sample_conformer(2);
  CHECK_THROWS_WITH(m2u::append(builder, modality, conformer.view()),
                    ContainsSubstring("6 edges, but 0 numbers of geometry") &&
                        ContainsSubstring("the geometry \"smooth\""));
  m2u::add_radius_graph(conformer, {.geometry = EdgeGeometry::smooth});
  conformer.geometry[7] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(m2u::append(builder, modality, conformer.view()),
                    ContainsSubstring("a number of the geometry is not finite"));
}

TEST_CASE("wrong descriptions of modalities are refused", "[modalities]") {
  auto const refuses = [](std::string const& entry, std::string const& message) {
    CHECK_THROWS_WITH(
        m2u::read_modalities(R"({"modalities":[{"name":"a","kind":"conformer"},)" + entry + "]}"),
        ContainsSubstring("the metadata, modalities[1]") && ContainsSubstring(message));
  };
  refuses("7", "is not a JSON object");
  refuses("{}", "lacks the field \"name\"");
  refuses(R"({"name":"a","kind":"conformer"})", "the name \"a\" is used twice");
  refuses(R"({"name":"","kind":"conformer"})", "empty name");
  refuses(R"({"name":"b","kind":"picture"})", "no kind of modality \"picture\"");
  refuses(R"({"name":"b","kind":"graph"})", "lacks the field \"node_vocabularies\"");
  refuses(
      R"({"name":"b","kind":"graph","node_vocabularies":[],"edge_vocabularies":[],"encoding":0})",
      "\"node_vocabularies\" is empty");
  refuses(
      R"({"name":"b","kind":"graph","node_vocabularies":[1],"edge_vocabularies":[],"encoding":-1})",
      "\"encoding\" is not an integer in 0");
  refuses(
      R"({"name":"b","kind":"graph","node_vocabularies":[0],"edge_vocabularies":[],"encoding":1})",
      "an element of \"node_vocabularies\" is not an integer in 1");
  refuses(R"({"name":"b","kind":"sparse","widths":[]})", "\"widths\" is empty");
  refuses(R"({"name":"b","kind":"sparse","widths":7})", "\"widths\" is not an array");
  refuses(R"({"name":"b","kind":"sparse","widths":[4294967297]})", "\"widths\" is not an integer");
  refuses(R"({"name":"b","kind":"dense","width":3.5})", "\"width\" is not an integer");
  refuses(R"({"name":"b","kind":"dense","width":0})", "\"width\" is not an integer");
  CHECK_THROWS_WITH(m2u::read_modalities("{\"modalities\":"), ContainsSubstring("not valid JSON"));
  CHECK_THROWS_WITH(m2u::read_modalities("[]"), ContainsSubstring("not a JSON object"));
  CHECK_THROWS_WITH(m2u::with_modalities({}, "[]"), ContainsSubstring("not a JSON object"));
  CHECK_THROWS_WITH(
      m2u::with_modalities(std::vector<m2u::ModalitySpec>{m2u::ConformerModality{"\xff"}}),
      ContainsSubstring("cannot be written as JSON"));
  m2u::TableBuilder builder;
  CHECK_THROWS_WITH(m2u::add_columns(builder, m2u::GraphModality{"b", {}, {}, 0}),
                    ContainsSubstring("\"node_vocabularies\" is empty"));
}

TEST_CASE("malformed samples are refused before anything is written", "[modalities]") {
  auto builder = sample_builder();
  auto const refuses = [&](auto const& modality, auto const& value, std::string const& message) {
    CHECK_THROWS_WITH(
        m2u::append(builder, modality, value),
        ContainsSubstring("row 0, modality \"" + modality.name) && ContainsSubstring(message));
  };
  auto graph = sample_graph(3);
  graph.node_features[2] = 10;
  refuses(graph_2d, graph.view(), "column 0 of node 1 is 10, outside 0 … 9");
  graph = sample_graph(3);
  graph.node_features[1] = -1;
  refuses(graph_2d, graph.view(), "column 1 of node 0 is -1");
  graph = sample_graph(3);
  graph.edge_features[4] = 3;
  refuses(graph_2d, graph.view(), "column 0 of edge 4 is 3");
  graph = sample_graph(3);
  graph.target[0] = 4;
  refuses(graph_2d, graph.view(), "but the graph has 4 nodes");
  graph = sample_graph(3);
  graph.encoding.pop_back();
  refuses(graph_2d, graph.view(), "encoding holds 7 values");

  auto conformer = sample_conformer(2);
  conformer.positions[4] = std::numeric_limits<float>::quiet_NaN();
  refuses(conformer_3d, conformer.view(), "a coordinate is not finite");
  conformer = sample_conformer(2);
  conformer.positions.pop_back();
  refuses(conformer_3d, conformer.view(), "3 atoms, but 8 coordinates");
  conformer = sample_conformer(2);
  conformer.source[0] = 3;
  refuses(conformer_3d, conformer.view(), "but the graph has 3 nodes");
  conformer = sample_conformer(2);
  conformer.atomic_numbers[0] = -6;
  refuses(conformer_3d, conformer.view(), "atomic number -6");

  std::vector<int> const hot{6};
  std::vector<int> const two{0, 1};
  std::vector<float> const one{1.0F};
  std::vector<float> const infinite{std::numeric_limits<float>::infinity(), 0.0F};
  using Rows = std::vector<m2u::SparseRowView>;
  refuses(sparse_bio, Rows{{hot, {}}, {}}, "column 6 of vocabulary 0 is outside 0 … 5");
  refuses(sparse_bio, Rows{{}, {two, one}}, "vocabulary 1 has 2 columns, but 1 weights");
  refuses(sparse_bio, Rows{{}, {two, infinite}}, "a weight of vocabulary 1 is not finite");
  refuses(sparse_bio, Rows{{}}, "1 sparse rows, but 2 vocabularies");
  refuses(dense_text, std::vector{1.0F}, "1 values, but the width is 3");
  refuses(dense_text, std::vector{1.0F, 2.0F, std::numeric_limits<float>::quiet_NaN()},
          "not finite");

  m2u::append(builder, graph_2d, sample_graph(0).view());  // nothing was set before
  builder.end_row();
  CHECK(builder.rows() == 1);
}
