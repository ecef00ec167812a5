// SPDX-License-Identifier: Apache-2.0
// The program's four commands one after another, and the demo.
#include <algorithm>
#include <cmath>
#include <sstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2u/data/npy.hpp"
#include "m2u/parameters/safetensors.hpp"

#include "m2umol/sample.hpp"

using namespace m2u::test;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// The cells of a CSV file, without quotes.
std::vector<std::vector<std::string>> csv_of(fs::path const& path) {
  std::vector<std::vector<std::string>> rows;
  for (auto const& line : lines_of(read_bytes(path))) {
    std::istringstream stream(line);
    rows.emplace_back();
    for (std::string cell; std::getline(stream, cell, ',');) {
      rows.back().push_back(cell);
    }
  }
  return rows;
}

bool all_nan(std::vector<float> const& values, int row, int cols) {
  auto const first = values.begin() + row * cols;
  return std::all_of(first, first + cols, [](float x) { return std::isnan(x); });
}
bool all_finite(std::vector<float> const& values, int row, int cols) {
  auto const first = values.begin() + row * cols;
  return std::all_of(first, first + cols, [](float x) { return std::isfinite(x); });
}

}  // namespace

TEST_CASE("m2umol tells its version and the options of every command") {
  CHECK_THAT(succeed({"--version"}).out,
             ContainsSubstring("m2umol 0.") && ContainsSubstring("Kokkos"));
  auto const help = succeed({"--help"}).out;
  for (std::string const command :
       {"prepare", "pretrain", "embed", "retrieve", "explain", "demo"}) {
    INFO(command);
    CHECK_THAT(help, ContainsSubstring(command));
    CHECK_THAT(succeed({command, "--help"}).out,
               ContainsSubstring("--threads") && ContainsSubstring("--seed"));
  }
}

TEST_CASE("m2umol prepare counts modalities and lists rejects") {
  REQUIRE(drug_rows().size() == drugs);
  CHECK_THAT(sample().prepared.out, ContainsSubstring("prepared 38 molecules: 0 with conformers") &&
                                        ContainsSubstring("0 rejected"));
  TemporaryFolder const folder;
  auto const table = folder.write("t.tsv", "id\tsmiles\tname\ttargets\n"
                                           "a\tCCO\tethanol\tADH\n"
                                           "b\tC1CC\tring\t\n"
                                           "a\tCC\tagain\t\n"
                                           "c\t[Na+].[Cl-]\tsalt\tADH;SCN\n"
                                           "d\tCC\n"
                                           "e\t\tnothing\t\n"
                                           "f\t[He]\tsingle atom\t\n"
                                           "CCO\n");
  auto const outcome = succeed(prepare(table, folder / "d"));
  CHECK_THAT(outcome.out,
             ContainsSubstring("prepared 3 molecules: 0 with conformers, 0 with text, "
                               "2 with targets or categories, 0 held out; 5 rejected"));
  auto const rejects = read_bytes(folder / "d/rejects.tsv");
  for (std::string const reason :
       {"3\tC1CC\t", "4\tCC\tthe id \"a\" is that of line 2", "6\tCC\tthe row has 2",
        "7\te\tthe SMILES is empty", "9\tCCO\tthe row has 1"}) {
    CHECK_THAT(rejects, ContainsSubstring(reason));
  }
  CHECK(lines_of(rejects).size() == 6);
  succeed(prepare(table, folder / "d") + Arguments{"--force"});
}

TEST_CASE("m2umol pretrain logs every epoch and writes a model that describes itself") {
  auto const lines = lines_of(read_bytes(sample().run / "log.jsonl"));
  REQUIRE(lines.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    auto const line = nlohmann::json::parse(lines[i]);
    CHECK(line["epoch"] == i + 1);
    CHECK(line["loss"] > 0.0);
    CHECK(line["samples"] == 28);
    CHECK(line["samples_per_second"] > 0.0);
    CHECK(line["terms"]["text"]["loss"] > 0.0);
    CHECK(line["terms"]["bio"]["loss"] > 0.0);
    CHECK(line["terms"]["joint"]["loss"] > 0.0);
    CHECK(line["terms"]["3d"]["skipped"] == 4);
    for (std::string const modality : {"text", "bio"}) {
      auto const& retrieval = line["extra"]["retrieval"][modality];
      CHECK(retrieval["pool"] >= 5);
      CHECK(retrieval["recall_at_10"] >= retrieval["recall_at_1"]);
      CHECK(retrieval["reverse"]["mrr"] > 0.0);
    }
  }
  CHECK_THAT(sample().trained.out, ContainsSubstring("2d to text") &&
                                       ContainsSubstring("bio to 2d") &&
                                       ContainsSubstring(sample().model.string()));
  m2u::SafetensorsFile const model(sample().model);
  auto const configuration = nlohmann::json::parse(model.metadata().at("configuration"));
  CHECK(configuration["width"] == 16);
  CHECK(configuration["bio"][0]["name"] == "targets");
  CHECK(configuration["bio"][0]["terms"].size() > 10);
  auto const training = nlohmann::json::parse(model.metadata().at("training"));
  CHECK(training["epochs"] == 2);
  CHECK(training["after"]["text"]["pool"] == training["before"]["text"]["pool"]);
  CHECK(nlohmann::json::parse(read_bytes(sample().run / "held_out.json")).size() == 10);
}

TEST_CASE("m2umol embed writes one row per record in three formats that agree") {
  TemporaryFolder const folder;
  auto const& table = sample().table;
  succeed(embed(table, folder / "v.npy"));
  succeed(embed(table, folder / "all.npy") + Arguments{"--generated"});
  succeed(embed(table, folder / "v.csv"));
  succeed(embed(table, folder / "all.csv") + Arguments{"--generated"});
  succeed(embed(table, folder / "v.safetensors"));
  succeed(embed(table, folder / "all.safetensors") + Arguments{"--generated"});
  auto const all = m2u::read_npy(folder / "all.npy");
  auto const hub = m2u::read_npy(folder / "v.npy");
  REQUIRE(all.rows == drugs);
  REQUIRE(all.cols == 4 * 16);
  REQUIRE(hub.rows == drugs);
  REQUIRE(hub.cols == 16);
  m2u::SafetensorsFile const tensors(folder / "all.safetensors");
  CHECK(tensors.names() == std::vector<std::string>{"2d", "3d", "bio", "text"});
  CHECK(m2u::SafetensorsFile(folder / "v.safetensors").names() == std::vector<std::string>{"2d"});
  auto const csv = csv_of(folder / "all.csv");
  REQUIRE(csv.size() == drugs + 1);
  CHECK(csv[0][1] == "id");
  CHECK(csv[0][2] == "2d_0");
  CHECK(csv[0].back() == "bio_15");
  CHECK(csv_of(folder / "v.csv")[0].size() == 18);
  auto const rows = drug_rows();
  char const* const parts[] = {"2d", "3d", "text", "bio"};
  bool same = true;
  for (std::size_t part = 0; part < 4; ++part) {
    auto const tensor = tensors.tensor(parts[part]);
    REQUIRE(tensor.shape == std::vector<std::int64_t>{drugs, 16});
    for (std::size_t row = 0; row < drugs; ++row) {
      for (std::size_t col = 0; col < 16; ++col) {
        float const value = all.values[row * 64 + part * 16 + col];
        same = same && std::isfinite(value) && value == tensor.values[row * 16 + col] &&
               value == std::stof(csv[row + 1][2 + part * 16 + col]) &&
               (part > 0 || value == hub.values[row * 16 + col]);
      }
    }
  }
  CHECK(same);
  for (std::size_t row = 0; row < drugs; ++row) {
    CHECK(csv[row + 1][0] == std::to_string(row + 2));
    CHECK(rows[row].starts_with(csv[row + 1][1] + "\t"));
  }
  CHECK_FALSE(fs::exists(folder / "v.npy.rejects.tsv"));
}

TEST_CASE("m2umol embed gives a prepared folder the vectors of its table") {
  TemporaryFolder const folder;
  // A record that prepare rejects has no row; ids and lines tell whose the others are.
  auto rows = drug_rows();
  rows.insert(rows.begin() + 3, "bad\tnope\tNope\t\t\t\t");
  auto const table = folder.write("drugs.tsv", table_text(rows));
  succeed(prepare(table, folder / "data"));
  for (std::string const end : {"csv", "npy", "safetensors"}) {
    for (bool const generated : {false, true}) {
      auto const more = generated ? Arguments{"--generated"} : Arguments{};
      auto const from_table = folder / ("table." + end);
      auto const from_folder = folder / ("folder." + end);
      succeed(embed(sample().table, from_table) + more);
      auto const outcome = succeed(embed_folder(folder / "data", from_folder) + more);
      CHECK_THAT(outcome.out, ContainsSubstring("wrote 38 rows"));
      if (end != "csv") {
        CHECK(read_bytes(from_table) == read_bytes(from_folder));
        continue;
      }
      auto const wanted = csv_of(from_table);
      auto const got = csv_of(from_folder);
      REQUIRE(got.size() == wanted.size());
      CHECK(got[0] == wanted[0]);
      for (std::size_t row = 1; row < got.size(); ++row) {
        CHECK(got[row][0] == std::to_string(row > 3 ? row + 2 : row + 1));
        CHECK(std::equal(got[row].begin() + 1, got[row].end(), wanted[row].begin() + 1,
                         wanted[row].end()));
      }
    }
  }
}

TEST_CASE("m2umol embed gives bad lines rows of NaN and says why") {
  TemporaryFolder const folder;
  auto const in =
      folder.write("q.smi", "CCO a\nnope b\n\n  blank\nCC\nCCO a\n[Na+].[Cl-] salt\nC\n");
  auto const outcome = succeed(embed(in, folder / "q.npy") + Arguments{"--generated"});
  CHECK_THAT(outcome.error, ContainsSubstring("warning: 2 of 7 records could not be used"));
  auto const matrix = m2u::read_npy(folder / "q.npy");
  REQUIRE(matrix.rows == 7);
  for (int const row : {1, 2}) {
    CHECK(all_nan(matrix.values, row, matrix.cols));
  }
  for (int const row : {0, 3, 4, 5, 6}) {
    CHECK(all_finite(matrix.values, row, matrix.cols));
  }
  auto const rejects = lines_of(read_bytes(folder / "q.npy.rejects.tsv"));
  REQUIRE(rejects.size() == 3);
  CHECK_THAT(rejects[1], ContainsSubstring("2\tnope\t"));
  CHECK_THAT(rejects[2], ContainsSubstring("4\tblank\t"));
  // Repeated molecules and names are no problem.
  CHECK(std::equal(matrix.values.begin(), matrix.values.begin() + matrix.cols,
                   matrix.values.begin() + 4 * matrix.cols));

  SECTION("without bad lines the list of an earlier run goes") {
    folder.write("q.smi", "CCO a\n");
    succeed(embed(in, folder / "q.npy"));
    CHECK_FALSE(fs::exists(folder / "q.npy.rejects.tsv"));
    CHECK(m2u::read_npy(folder / "q.npy").rows == 1);
  }
  SECTION("all lines bad, to a file of one's choice") {
    folder.write("q.smi", "nope a\nC1 b\n");
    succeed(embed(in, folder / "q.csv") + Arguments{"--rejects", (folder / "why.tsv").string()});
    CHECK(lines_of(read_bytes(folder / "why.tsv")).size() == 3);
    CHECK(csv_of(folder / "q.csv")[2][17] == "nan");
    CHECK_FALSE(fs::exists(folder / "q.csv.rejects.tsv"));
  }
  SECTION("rows of CSV files with too many fields, quotes and line ends") {
    auto const csv = folder.write("q.csv", "id,smiles\n\"x,1\",CCO\ny,CCO,z\nw,\"CC\n\"\n");
    succeed(embed(csv, folder / "r.csv"));
    auto const text = read_bytes(folder / "r.csv");
    CHECK_THAT(text, ContainsSubstring("\n2,\"x,1\",") && ContainsSubstring("\n3,y,nan,") &&
                         ContainsSubstring("\n4,w,") && !ContainsSubstring("\n4,w,nan"));
  }
  SECTION("records of SD files") {
    auto const sdf =
        folder.write("q.sdf", ethanol_record("one") + "two\nx\n\n$$$$\n" + ethanol_record(""));
    succeed(embed(sdf, folder / "s.npy") + Arguments{"--generated"});
    auto const rows = m2u::read_npy(folder / "s.npy");
    REQUIRE(rows.rows == 3);
    CHECK(all_nan(rows.values, 1, rows.cols));
    for (int i = 0; i < rows.cols; ++i) {  // from mol block or SMILES: the same molecule
      CHECK(std::abs(rows.values[static_cast<std::size_t>(i)] -
                     m2u::read_npy(folder / "q.npy").values[static_cast<std::size_t>(i)]) < 1e-5F);
    }
  }
}

TEST_CASE("m2umol embed gives a molecule the same vector alone and among others") {
  TemporaryFolder const folder;
  succeed(embed(sample().table, folder / "all.npy") + Arguments{"--generated"});
  auto const all = m2u::read_npy(folder / "all.npy");
  auto const rows = drug_rows();
  for (std::size_t const row : {0U, 7U, 21U, 37U}) {
    auto const one = folder.write("one.tsv", table_text({rows[row]}));
    succeed(embed(one, folder / "one.npy") + Arguments{"--generated"});
    auto const alone = m2u::read_npy(folder / "one.npy");
    REQUIRE(alone.rows == 1);
    float worst = 0.0F;
    for (std::size_t i = 0; i < 64; ++i) {
      worst = std::max(worst, std::abs(alone.values[i] - all.values[row * 64 + i]));
    }
    CHECK(worst < 1e-5F);
  }
}

TEST_CASE("m2umol retrieve lists ids, names and similarities") {
  auto const row = drug_rows()[5];
  std::istringstream fields(row);
  std::string id, smiles, name;
  std::getline(fields, id, '\t');
  std::getline(fields, smiles, '\t');
  std::getline(fields, name, '\t');
  for (std::string const by : {"2d", "text", "bio"}) {
    auto const out = succeed({"retrieve", "--model", sample().model.string(), "--library",
                              sample().data.string(), "--query", smiles, "--by", by, "--top", "4",
                              "--threads", "1"})
                         .out;
    auto const lines = lines_of(out);
    INFO(out);
    REQUIRE(lines.size() == 6);
    CHECK_THAT(lines[0], ContainsSubstring(smiles));
    CHECK_THAT(lines[2], ContainsSubstring("m2u"));
    if (by == "2d") {
      CHECK_THAT(lines[2],
                 ContainsSubstring("1.0000") && ContainsSubstring(id) && ContainsSubstring(name));
    }
    double last = 2.0;
    for (std::size_t i = 2; i < lines.size(); ++i) {
      std::istringstream line(lines[i]);
      int rank = 0;
      double similarity = 0.0;
      line >> rank >> similarity;
      CHECK(rank == static_cast<int>(i) - 1);
      CHECK(similarity <= last);
      last = similarity;
    }
  }
}

TEST_CASE("m2umol computes conformers, learns from them and retrieves by them") {
  TemporaryFolder const folder;
  auto const table =
      folder.write("t.tsv", "id\tsmiles\n1\tCCO\n2\tCCCN\n3\tc1ccccc1\n4\tCC(=O)O\n5\tCCCl\n"
                            "6\tCOC\n");
  auto const data = folder / "d";
  auto const prepared =
      succeed({"prepare", "--table", table.string(), "--out", data.string(), "--threads", "2"});
  CHECK_THAT(prepared.out, ContainsSubstring("6 with conformers"));
  succeed(pretrain_two(data, folder / "r"));
  auto const log = lines_of(read_bytes(folder / "r/log.jsonl"));
  CHECK(nlohmann::json::parse(log.at(1))["terms"]["3d"]["loss"] > 0.0);
  auto const found =
      succeed({"retrieve", "--model", (folder / "r/model.safetensors").string(), "--library",
               data.string(), "--query", "CCN", "--by", "3d", "--top", "99"});
  CHECK(lines_of(found.out).size() == 2 + 6);
}

TEST_CASE("m2umol prepare takes conformers from an SD file by title") {
  TemporaryFolder const folder;
  auto const table = folder.write("t.tsv", "id\tsmiles\na\tCCO\nb\tOCC\nc\tCCO\nd\tCCN\n");
  auto const sdf =
      folder.write("c.sdf", ethanol_record("a") + ethanol_record("b") + ethanol_record("d") +
                                ethanol_record("of no row") + "e\nx\n\nrubbish\nM  END\n$$$$\n");
  auto const outcome =
      succeed(prepare(table, folder / "d") + Arguments{"--conformers", sdf.string()});
  CHECK_THAT(outcome.out,
             ContainsSubstring("3 of 4 molecules have a conformer in " + sdf.string()) &&
                 ContainsSubstring("prepared 4 molecules: 2 with conformers"));
  CHECK_THAT(read_bytes(folder / "d/no_conformers.tsv"),
             ContainsSubstring("d\tthe given conformer is of another"));
}

TEST_CASE("m2umol takes ids and texts that are not UTF-8") {
  TemporaryFolder const folder;
  std::string text = "id\tsmiles\tname\tdescription\ttargets\n";
  for (int i = 0; i < 12; ++i) {
    text += "caf\xE9" + std::to_string(i) + "\tC" + std::string(static_cast<std::size_t>(i), 'C') +
            "\tcaf\xE9\tna\xEFve text\tT\xE9\n";
  }
  auto const table = folder.write("t.tsv", text);
  succeed(prepare(table, folder / "d"));
  succeed(pretrain_two(folder / "d", folder / "r"));
  CHECK(nlohmann::json::parse(read_bytes(folder / "r/held_out.json")).size() == 3);
}

TEST_CASE("m2umol demo does the whole job") {
  TemporaryFolder const folder;
  auto rows = drug_rows();
  rows.resize(10);
  auto const drug_table = folder.write("drugs.tsv", table_text(rows));
  auto const extra = folder.write("extra.smi", "CCO 1\nCCC 2\nCCN 3\nnope 4\nCCCl 5\n");
  auto const outcome = succeed({"demo", "--drugs", drug_table.string(), "--extra", extra.string(),
                                "--out", (folder / "demo").string(), "--epochs", "1", "--molecules",
                                "14", "--batch", "8", "--holdout", "0.3", "--threads", "1"});
  CHECK_THAT(outcome.out, ContainsSubstring("read 10 drugs") && ContainsSubstring("2d to 3d") &&
                              ContainsSubstring("report.html"));
  CHECK_THAT(read_bytes(folder / "demo/report.html"), ContainsSubstring("</html>"));
  CHECK(fs::exists(folder / "demo/run/model.safetensors"));
}
