// SPDX-License-Identifier: Apache-2.0
#include "m2u/chem/prepare.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "m2u/chem/read.hpp"
#include "m2u/core/random.hpp"

#include "data/temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

m2u::MoleculeRecord record(std::size_t line, std::string id, std::string smiles,
                           std::string description = "", std::string targets = "",
                           std::string categories = "") {
  m2u::MoleculeRecord result;
  result.line = line;
  result.id = std::move(id);
  result.smiles = std::move(smiles);
  result.description = std::move(description);
  result.targets = std::move(targets);
  result.categories = std::move(categories);
  return result;
}

std::vector<m2u::MoleculeRecord> sample() {
  return {record(2, "a", "OCC", "An alcohol.", "ADH1; ADH2;ADH1", "role:solvent;class:alcohol"),
          record(3, "b", "C1CC("),
          record(4, "c", "c1ccccc1", "", "", "role:carcinogen"),
          record(5, "a", "CCC"),
          record(6, "d", "[Na+].[Cl-]", "...", "ADH2"),
          record(7, "e", "CN(C)(C)(C)C"),
          record(8, "f", "CCCCCCCCCCCC"),
          record(9, "g", "C1#CC1", "strained", "", "class:alcohol")};
}

m2u::PrepareOptions small() {
  m2u::PrepareOptions options;
  options.max_atoms = 10;
  options.text_min_count = 1;  // the sample has few descriptions
  options.text_width = 4;
  options.holdout = 0.0;
  return options;
}

/// Up to 42 alcohols and the like, each with a target and words of its own.
std::vector<m2u::MoleculeRecord> chains(std::size_t count) {
  constexpr char const* heads[] = {"O", "N", "F", "Cl", "Br", "I"};
  std::vector<m2u::MoleculeRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    auto const n = std::to_string(i);
    records.push_back(record(i + 2, "m" + n, std::string(i % 7 + 1, 'C') + heads[i / 7],
                             "An alcohol, the one number" + n + ", odd" + std::to_string(i % 2),
                             "T" + n, "C" + std::to_string(i % 3)));
  }
  return records;
}

std::vector<int> held_out(m2u::Table const& table) {
  std::vector<int> rows;
  auto const flags = table.column<char>("held_out");
  for (int row = 0; row < table.size(); ++row) {
    REQUIRE(flags[row].size() == 1);
    REQUIRE((flags[row][0] == 0 || flags[row][0] == 1));
    if (flags[row][0] == 1) {
      rows.push_back(row);
    }
  }
  return rows;
}

std::vector<float> text_vector(m2u::Table const& table, int row) {
  auto const values = table.column<float>("text.values")[row];
  return {values.begin(), values.end()};
}

bool same(m2u::Table const& a, m2u::Table const& b) {
  bool equal = a.size() == b.size() && a.columns() == b.columns() && a.metadata() == b.metadata();
  for (auto const& spec : a.columns()) {
    for (int row = 0; equal && row < a.size(); ++row) {
      auto const compare = [&]<class T>(T) {
        auto const x = a.column<T>(spec.name)[row];
        auto const y = b.column<T>(spec.name)[row];
        equal = std::equal(x.begin(), x.end(), y.begin(), y.end());
      };
      spec.type == m2u::ColumnType::i32   ? compare(int{})
      : spec.type == m2u::ColumnType::f32 ? compare(float{})
                                          : compare(char{});
    }
  }
  return equal;
}

}  // namespace

TEST_CASE("prepare_molecules makes a table with the modalities that there are", "[chem]") {
  auto const records = sample();
  auto const prepared = m2u::prepare_molecules(records, small());
  auto const& table = prepared.table;
  REQUIRE(table.size() == 4);
  CHECK(table.text("id", 0) == "a");
  CHECK(table.text("smiles", 0) == "CCO");
  CHECK(table.text("formula", 0) == "C2H6O");
  CHECK(table.text("formula", 2) == "ClNa");
  CHECK(table.text("description", 0) == "An alcohol.");
  CHECK(table.column<int>("line")[2][0] == 6);
  auto const present = [&](char const* modality, int row) {
    auto const flag = table.column<char>(std::string(modality) + ".present")[row];
    return !flag.empty() && flag[0] == 1;
  };
  CHECK((present("2d", 0) && present("2d", 1) && present("2d", 2) && present("2d", 3)));
  CHECK((present("3d", 0) && present("3d", 1) && present("3d", 2) && !present("3d", 3)));
  CHECK((present("text", 0) && !present("text", 1) && !present("text", 2) && present("text", 3)));
  CHECK((present("bio", 0) && present("bio", 1) && present("bio", 2) && present("bio", 3)));
  CHECK(prepared.targets.terms() == std::vector<std::string>{"ADH1", "ADH2"});
  CHECK(prepared.categories.terms() ==
        std::vector<std::string>{"class:alcohol", "role:carcinogen", "role:solvent"});
  auto const targets = table.column<int>("bio.0.columns")[0];
  CHECK(std::vector<int>(targets.begin(), targets.end()) == std::vector{0, 1});
  auto const categories = table.column<int>("bio.1.columns")[0];
  CHECK(std::vector<int>(categories.begin(), categories.end()) == std::vector{0, 2});
  CHECK(table.column<int>("3d.atomic_numbers")[0].size() == 9);
  CHECK(m2u::read_modalities(table.metadata()).size() == 4);
  auto const json = m2u::parse_json(table.metadata(), "metadata");
  CHECK(json["vocabularies"]["targets"].size() == 2);
  CHECK(json["counts"]["rejects"] == 4);
  CHECK(json["counts"]["3d"] == 3);
  CHECK(json["text"]["projection"] == prepared.fit.latent_text->checksum());
  CHECK(json["text"]["texts"] == 2);
  CHECK_FALSE(json["text"].contains("texts_with"));
  CHECK(text_vector(table, 0) == (*prepared.fit.latent_text)("An alcohol."));
  CHECK(json["options"]["geometry"] == "smooth");
  CHECK(json["options"]["atoms"] == "ogb");
  CHECK(table.column<float>("3d.geometry")[0].size() ==
        5 * table.column<int>("3d.source")[0].size());
}

TEST_CASE("prepare_molecules leaves canonical SMILES and formulas out", "[chem]") {
  auto options = small();
  options.compute_conformers = false;
  auto const records = sample();
  auto const with = m2u::prepare_molecules(records, options).table;
  options.canonical = false;
  auto const without = m2u::prepare_molecules(records, options).table;
  REQUIRE(without.size() == with.size());
  for (int row = 0; row < with.size(); ++row) {
    CHECK(without.text("smiles", row).empty());
    CHECK(without.text("formula", row).empty());
    auto const found = without.column<int>("2d.node_features")[row];
    auto const wanted = with.column<int>("2d.node_features")[row];
    CHECK(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()));
  }
}

TEST_CASE("prepare_molecules holds molecules out and fits on the others", "[chem]") {
  auto const records = chains(40);
  auto options = small();
  options.holdout = 0.25;
  options.text_width = 64;
  options.compute_conformers = false;
  auto const prepared = m2u::prepare_molecules(records, options);
  auto const& table = prepared.table;
  auto const out = held_out(table);
  REQUIRE(out.size() == 10);
  REQUIRE(prepared.targets.size() == 30);
  CHECK(prepared.fit.latent_text->texts() == 30);
  CHECK(prepared.fit.latent_text->rank() == 30);
  for (int row = 0; row < table.size(); ++row) {
    bool const is_out = std::find(out.begin(), out.end(), row) != out.end();
    auto const target = std::vector{std::string(table.text("targets", row))};
    CHECK(prepared.targets.numbers(target).empty() == is_out);
    // Its own number is a word that no other text has.
    CHECK((*prepared.fit.latent_text)("number" + std::to_string(row)).empty() == is_out);
    CHECK(table.column<char>("text.present")[row][0] == 1);  // they share other words
  }
  auto const json = m2u::parse_json(table.metadata(), "metadata");
  CHECK(json["counts"]["held_out"] == 10);
  CHECK(json["options"]["holdout"] == 0.25);
  CHECK(held_out(m2u::prepare_molecules(records, options).table) == out);
  options.holdout_seed = 1;
  auto const others = held_out(m2u::prepare_molecules(records, options).table);
  CHECK(others.size() == 10);
  CHECK(others != out);
  options.holdout = 0.0;
  CHECK(held_out(m2u::prepare_molecules(records, options).table).empty());
  for (double const share : {-0.1, 1.0, std::nan("")}) {
    options.holdout = share;
    CHECK_THROWS_WITH(m2u::prepare_molecules(records, options),
                      ContainsSubstring("held-out share"));
  }
  options.holdout = 0.99;
  CHECK_THROWS_WITH(m2u::prepare_molecules(records, options), ContainsSubstring("none to fit on"));
}

TEST_CASE("prepare_molecules holds the molecules out that the seed says", "[chem]") {
  auto const records = chains(30);
  auto options = small();
  options.holdout = 0.2;
  options.holdout_seed = 7;
  options.compute_conformers = false;
  auto const order = m2u::random_permutation(30, m2u::Seed{7}, m2u::stream_of("m2u::holdout"));
  std::vector<int> expected(order.begin(), order.begin() + 6);
  std::sort(expected.begin(), expected.end());
  CHECK(held_out(m2u::prepare_molecules(records, options).table) == expected);
}

TEST_CASE("prepare_molecules keeps equal structures on one side of the hold-out", "[chem]") {
  std::vector<m2u::MoleculeRecord> records;
  for (std::size_t i = 0; i < 6; ++i) {
    std::string const chain(i + 1, 'C');
    auto const n = std::to_string(i);
    records.push_back(record(4 * i + 2, "a" + n, chain + 'O', "", "T" + n));
    records.push_back(record(4 * i + 3, "b" + n, 'O' + chain, "", "U" + n));
    records.push_back(record(4 * i + 4, "c" + n, "O(" + chain + ')', "", "V" + n));
    records.push_back(record(4 * i + 5, "d" + n, "C1CC("));  // no structure: alone, then rejected
  }
  auto options = small();
  options.compute_conformers = false;
  std::size_t most = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    options.holdout = 0.4;  // of 24: room for three structures, or two and four without one
    options.holdout_seed = seed;
    auto const prepared = m2u::prepare_molecules(records, options);
    REQUIRE(prepared.table.size() == 18);
    auto const out = held_out(prepared.table);
    CHECK(out.size() % 3 == 0);
    for (std::size_t k = 0; k < out.size(); ++k) {
      CHECK(out[k] == out[k / 3 * 3] + static_cast<int>(k % 3));
      CHECK(out[k / 3 * 3] % 3 == 0);
    }
    CHECK(prepared.targets.size() == 18 - static_cast<int>(out.size()));
    most = std::max(most, out.size());
  }
  CHECK(most >= 6);
  // A structure that is larger than the share stays in training.
  records.erase(records.begin() + 3, records.end());
  CHECK(held_out(m2u::prepare_molecules(records, options).table).empty());
}

TEST_CASE("prepare_molecules makes a vocabulary of enzymes where there are any", "[chem]") {
  auto records = sample();
  auto const without = m2u::prepare_molecules(records, small());
  CHECK_FALSE(without.fit.enzymes.has_value());
  CHECK_FALSE(without.table.has("enzymes"));
  CHECK_FALSE(without.table.has("bio.2.columns"));
  CHECK_FALSE(m2u::parse_json(without.table.metadata(), "m")["vocabularies"].contains("enzymes"));
  records[0].enzymes = "CYP3A4; ADH1 ;CYP3A4";
  records[2].enzymes = "CYP2E1";
  auto const with = m2u::prepare_molecules(records, small());
  REQUIRE(with.fit.enzymes.has_value());
  CHECK(with.fit.enzymes->terms() == std::vector<std::string>{"ADH1", "CYP2E1", "CYP3A4"});
  CHECK(with.table.text("enzymes", 1) == "CYP2E1");
  // Targets, enzymes, categories.
  auto const cell = [&](int vocabulary, int row) {
    auto const name = "bio." + std::to_string(vocabulary) + ".columns";
    auto const columns = with.table.column<int>(name)[row];
    return std::vector<int>(columns.begin(), columns.end());
  };
  CHECK(cell(0, 0) == std::vector{0, 1});
  CHECK(cell(1, 0) == std::vector{0, 2});
  CHECK(cell(2, 0) == std::vector{0, 2});
  CHECK(cell(1, 1) == std::vector{1});
  CHECK(cell(1, 2).empty());
  // The fit passes it on, to tables without enzymes too.
  m2u::test::TemporaryFolder const folder;
  m2u::write_prepared(folder.path(), with);
  m2u::PrepareOptions other;
  other.like =
      std::make_shared<m2u::PreparationFit const>(m2u::read_preparation_fit(folder.path()));
  auto const like = m2u::prepare_molecules(sample(), other);
  CHECK(like.fit.enzymes->terms() == with.fit.enzymes->terms());
  CHECK(m2u::read_modalities(like.table.metadata()) == m2u::read_modalities(with.table.metadata()));
  // A molecule that has enzymes alone has the modality; one whose enzymes are too rare has not.
  records[3].id = "h";
  records[3].enzymes = "CYP2E1";
  records[7].enzymes = "CYP1A2";
  auto options = small();
  options.min_count = 2;
  options.drop_categories = {""};
  auto const rare = m2u::prepare_molecules(records, options);
  CHECK(rare.fit.enzymes->terms() == std::vector<std::string>{"CYP2E1"});
  auto const present = rare.table.column<char>("bio.present");
  CHECK(present[1][0] == 1);
  CHECK(present[2][0] == 1);
  CHECK(present[4].empty());
}

TEST_CASE("a table is prepared like another, from memory or its folder", "[chem]") {
  auto options = small();
  options.holdout = 0.2;
  options.features = {.encoding_steps = 7, .atoms = m2u::AtomInputs::one_hot};
  options.conformers.radius_graph = {5.5F, 6, m2u::EdgeGeometry::published};
  options.text = {.buckets = 512, .longest = 1};
  for (int const width : {8, 0}) {
    options.text_width = width;
    auto const first = m2u::prepare_molecules(chains(20), options);
    m2u::test::TemporaryFolder const folder;
    folder.write("text.safetensors", "of an older data set");
    m2u::write_prepared(folder.path(), first);
    CHECK(std::filesystem::exists(folder / "text.safetensors") == (width > 0));
    m2u::PrepareOptions other;
    other.like =
        std::make_shared<m2u::PreparationFit const>(m2u::read_preparation_fit(folder.path()));
    auto const records = sample();
    auto const second = m2u::prepare_molecules(records, other);
    other.like = std::make_shared<m2u::PreparationFit const>(first.fit);
    CHECK(same(m2u::prepare_molecules(records, other).table, second.table));
    CHECK(second.targets.terms() == first.targets.terms());
    CHECK(second.categories.terms() == first.categories.terms());
    CHECK(m2u::read_modalities(second.table.metadata()) ==
          m2u::read_modalities(first.table.metadata()));
    auto json = m2u::parse_json(second.table.metadata(), "metadata");
    CHECK(json["options"]["cutoff"] == 5.5);
    CHECK(json["options"]["neighbours"] == 6);
    CHECK(json["options"]["geometry"] == "published");
    CHECK(json["options"]["atoms"] == "one-hot");
    CHECK(json["options"]["text_min_count"] == 1);
    CHECK(json["text"] == m2u::parse_json(first.table.metadata(), "metadata")["text"]);
    if (width > 0) {
      CHECK(text_vector(second.table, 0) == (*first.fit.latent_text)("An alcohol."));
    } else {
      auto const expected =
          first.fit.text_weights.weigh(m2u::hashed_ngrams("An alcohol.", options.text));
      auto const found = second.table.column<int>("text.0.columns")[0];
      CHECK(std::vector<int>(found.begin(), found.end()) == expected.columns);
    }
  }
}

TEST_CASE("read_preparation_fit refuses other data sets", "[chem]") {
  auto const prepared = m2u::prepare_molecules(chains(12), small());
  m2u::test::TemporaryFolder const folder;
  auto const refused = [&](auto const& change, std::string const& says) {
    auto altered = prepared;
    auto json = m2u::parse_json(prepared.table.metadata(), "metadata");
    change(json);
    altered.table = prepared.table.with_metadata(json.dump());
    m2u::write_prepared(folder.path(), altered);
    INFO(says);
    CHECK_THROWS_WITH(m2u::read_preparation_fit(folder.path()), ContainsSubstring(says));
    CHECK_THROWS_WITH(m2u::read_preparation_fit(folder.path()),
                      ContainsSubstring(folder.path().string()));
  };
  using Json = nlohmann::json;
  refused([](Json& json) { json.erase("options"); }, "lacks the field \"options\"");
  refused([](Json& json) { json["options"].erase("geometry"); }, "\"geometry\"");
  refused([](Json& json) { json["options"]["geometry"] = "rough"; }, "\"rough\"");
  refused([](Json& json) { json["options"]["atoms"] = "few"; }, "\"few\"");
  refused([](Json& json) { json["options"]["cutoff"] = -1; }, "\"cutoff\"");
  refused([](Json& json) { json["options"]["text_width"] = -1; }, "\"text_width\"");
  refused([](Json& json) { json["options"]["text_width"] = 0; }, "\"texts_with\"");
  refused([](Json& json) { json["vocabularies"]["targets"][0] = 1; }, "is not a string");
  refused([](Json& json) { json["vocabularies"]["enzymes"] = "CYP3A4"; }, "is not an array");
  refused([](Json& json) { json["text"]["projection"] = "1"; }, "exchanged");
}

TEST_CASE("prepare_molecules lists what it leaves out, and why", "[chem]") {
  auto const prepared = m2u::prepare_molecules(sample(), small());
  auto const& rejects = prepared.rejects.list();
  REQUIRE(rejects.size() == 4);
  CHECK(rejects[0].line == 3);
  CHECK(rejects[0].input == "C1CC(");
  CHECK_THAT(rejects[0].reason, ContainsSubstring("syntax error"));
  CHECK_THAT(rejects[1].reason, ContainsSubstring("the id \"a\" is that of line 2"));
  CHECK_THAT(rejects[2].reason, ContainsSubstring("valence"));
  CHECK_THAT(rejects[3].reason, ContainsSubstring("12 heavy atoms, more than the limit of 10"));
  REQUIRE(prepared.no_conformers.size() == 1);
  CHECK(prepared.no_conformers.list()[0].input == "g");
}

TEST_CASE("prepare_molecules keeps records whose titles are alike apart", "[chem]") {
  std::vector<m2u::MoleculeRecord> records{record(1, "x", "C", "", "T"),
                                           record(9, "x", "CC", "", "U")};
  for (auto& r : records) {
    r.title_as_id = true;
  }
  auto const prepared = m2u::prepare_molecules(records, small());
  CHECK(prepared.rejects.empty());
  REQUIRE(prepared.table.size() == 2);
  CHECK(prepared.table.text("id", 0) == "x");
  CHECK(prepared.table.text("id", 1) == "x (line 9)");
  CHECK(prepared.targets.size() == 2);
}

TEST_CASE("prepare_molecules gives the same table for any number of threads", "[chem]") {
  std::vector<m2u::MoleculeRecord> records;
  for (std::size_t i = 0; i < 100; ++i) {
    records.push_back(record(i + 2, "m" + std::to_string(i),
                             std::string(i % 7 + 1, 'C') + (i % 10 == 3 ? "(" : "O"),
                             "molecule " + std::to_string(i), "T" + std::to_string(i % 5)));
  }
  auto options = small();
  options.holdout = 0.2;
  options.threads = 1;
  auto const one = m2u::prepare_molecules(records, options);
  options.threads = 4;
  std::vector<m2u::PrepareProgress> calls;
  auto const four = m2u::prepare_molecules(
      records, options, [&](m2u::PrepareProgress const& progress) { calls.push_back(progress); });
  CHECK(one.table.size() == 90);
  CHECK(same(one.table, four.table));
  REQUIRE(!calls.empty());
  CHECK(calls.back().done == 100);
  CHECK(calls.back().total == 100);
  CHECK(calls.back().rejected == 10);
}

TEST_CASE("prepare_molecules takes options for vocabularies, extras and conformers", "[chem]") {
  auto records = sample();
  for (auto& r : records) {
    r.extras = {"label of " + r.id};
  }
  auto options = small();
  options.extras = {"label"};
  options.compute_conformers = false;
  options.min_count = 2;
  options.drop_categories = {"role:"};
  auto const prepared = m2u::prepare_molecules(records, options);
  CHECK(prepared.table.text("label", 1) == "label of c");
  CHECK(prepared.targets.terms() == std::vector<std::string>{"ADH2"});
  CHECK(prepared.categories.terms() == std::vector<std::string>{"class:alcohol"});
  CHECK(prepared.no_conformers.empty());
  for (int row = 0; row < prepared.table.size(); ++row) {
    CHECK(prepared.table.column<int>("3d.atomic_numbers")[row].empty());
  }
  CHECK(prepared.table.column<char>("bio.present")[1].empty());
  records[0].extras.clear();
  CHECK_THROWS_WITH(m2u::prepare_molecules(records, options), ContainsSubstring("extras"));
}

TEST_CASE("prepare_molecules uses given conformers if they fit", "[chem]") {
  auto const block = [](char element) {
    return std::string("x\n  test  3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
                       "    0.0000    0.0000    0.0000 C   0  0\n    1.4000    0.0000    0.5000 ") +
           element + "   0  0\n  1  2  1  0\nM  END\n";
  };
  std::vector<m2u::MoleculeRecord> records{record(2, "a", "CO"), record(3, "b", "CO"),
                                           record(4, "c", "CO"), record(5, "d", "CO")};
  m2u::PrepareOptions options;
  options.compute_conformers = false;
  options.holdout = 0.0;
  options.mol_blocks = {{"a", block('O')}, {"b", block('N')}, {"c", "nonsense"}};
  auto const prepared = m2u::prepare_molecules(records, options);
  REQUIRE(prepared.table.size() == 4);
  auto const positions = prepared.table.column<float>("3d.positions");
  CHECK(positions[0].size() == 18);
  CHECK(positions[0][3] == 1.4F);
  CHECK((positions[1].empty() && positions[2].empty() && positions[3].empty()));
  REQUIRE(prepared.no_conformers.size() == 2);
  CHECK_THAT(prepared.no_conformers.list()[0].reason, ContainsSubstring("heavy atoms differ"));
  options.compute_conformers = true;
  auto const computed = m2u::prepare_molecules(records, options);
  CHECK(computed.no_conformers.empty());
  CHECK(computed.table.column<float>("3d.positions")[1].size() == 18);
}

TEST_CASE("prepare_molecules takes no records, and names that are not UTF-8", "[chem]") {
  auto const none = m2u::prepare_molecules({}, {});
  CHECK(none.table.size() == 0);
  CHECK(m2u::read_modalities(none.table.metadata()).size() == 4);
  std::vector<m2u::MoleculeRecord> const latin{record(2, "a", "C", "", "\xe9t\xe9")};
  auto const prepared = m2u::prepare_molecules(latin, {});
  CHECK(prepared.table.size() == 1);
  CHECK(prepared.targets.size() == 1);
}

TEST_CASE("split_terms trims, sorts and drops repetitions", "[chem]") {
  CHECK(m2u::split_terms(" b ;a;; b;") == std::vector<std::string>{"a", "b"});
  CHECK(m2u::split_terms("").empty());
  CHECK(m2u::split_terms(" ; ").empty());
  m2u::Vocabulary const vocabulary({"a", "c"});
  CHECK(vocabulary.numbers(std::vector<std::string>{"b", "c"}) == std::vector{1});
}
