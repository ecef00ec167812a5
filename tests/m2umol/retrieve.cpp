// SPDX-License-Identifier: Apache-2.0
// Indexes, queries of every kind, and what evaluate says.
#include <sstream>

#include <nlohmann/json.hpp>

#include "m2u/data/shard.hpp"
#include "m2u/data/vector_index.hpp"
#include "m2u/parameters/safetensors.hpp"

#include "m2umol/refusal.hpp"

using namespace m2u::test;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// Fields of one of the sample's molecules: id, smiles, name, description, targets, categories.
std::vector<std::string> fields_of(std::size_t row) {
  std::istringstream stream(drug_rows().at(row));
  std::vector<std::string> fields;
  for (std::string field; std::getline(stream, field, '\t');) {
    fields.push_back(field);
  }
  fields.resize(6);
  return fields;
}

Arguments index_command(fs::path const& out) {
  return {"index",
          "--model",
          sample().model.string(),
          "--library",
          sample().data.string(),
          "--out",
          out.string(),
          "--threads",
          "1"};
}

Arguments retrieve(std::string const& from, fs::path const& folder) {
  return {"retrieve", "--model", sample().model.string(), from, folder.string(), "--threads", "1"};
}

/// An index of the sample's molecules, made once.
fs::path sample_index() {
  static TemporaryFolder const folder;
  static bool const made = [] {
    succeed(index_command(folder / "index"));
    return true;
  }();
  REQUIRE(made);
  return folder / "index";
}

nlohmann::json json_of(Arguments const& arguments) {
  TemporaryFolder const folder;
  succeed(arguments + Arguments{"--json", (folder / "hits.json").string()});
  return nlohmann::json::parse(read_bytes(folder / "hits.json"));
}

}  // namespace

TEST_CASE("m2umol index holds the vectors that embed writes, and opens by memory map") {
  auto const table = m2u::open_shards(sample_index());
  m2u::VectorIndex const index(table, "index");
  CHECK(index.spaces() == std::vector<std::string>{"2d", "generated.3d", "generated.text",
                                                   "generated.bio", "real.text", "real.bio"});
  CHECK(index.table().size() == drugs);
  CHECK(index.size("2d") == drugs);
  CHECK(index.size("generated.3d") == drugs);
  CHECK(index.size("real.text") > 10);
  CHECK(index.width("2d") == 16);
  CHECK(index.table().text("id", 5) == fields_of(5)[0]);
  CHECK(index.table().text("targets", 5) == fields_of(5)[4]);
  auto const metadata = nlohmann::json::parse(table.metadata());
  CHECK_THAT(metadata["left_out"]["real.3d"].get<std::string>(),
             ContainsSubstring("no molecule of the library has the modality \"3d\""));
  TemporaryFolder const folder;
  auto const again = succeed(index_command(folder / "i"));
  CHECK_THAT(again.out, ContainsSubstring("wrote an index of 38 molecules") &&
                            ContainsSubstring("2d 38") && ContainsSubstring("without real.3d"));
  CHECK(contents(folder / "i") == contents(sample_index()));
  succeed(index_command(folder / "i") + Arguments{"--force"});
}

TEST_CASE("m2umol retrieve finds the same in an index as in its library") {
  auto const smiles = fields_of(5)[1];
  for (std::string const by : {"2d", "text", "bio"}) {
    Arguments const query{"--query", smiles, "--by", by, "--top", "7"};
    CHECK(succeed(retrieve("--index", sample_index()) + query).out ==
          succeed(retrieve("--library", sample().data) + query).out);
  }
  for (std::string const by : {"2d", "3d", "text"}) {
    Arguments const query{"--query-id", fields_of(9)[0], "--by", by, "--against", "generated"};
    auto const without =
        by == "2d" ? Arguments(query.begin(), query.end() - 2) : query;  // there is but one
    auto const out = succeed(retrieve("--index", sample_index()) + without).out;
    CHECK(out == succeed(retrieve("--library", sample().data) + without).out);
    auto const first = lines_of(out).at(2);  // the molecule itself
    CHECK_THAT(first, ContainsSubstring("1.0000") && ContainsSubstring(fields_of(9)[0]));
  }
  auto const real = json_of(retrieve("--index", sample_index()) +
                            Arguments{"--query-id", fields_of(9)[0], "--by", "text"});
  CHECK(real["vectors"] == "real.text");
  CHECK(real["hits"].size() == 5);
}

TEST_CASE("m2umol retrieve takes more than there are, distances and --verify") {
  auto const result =
      json_of(retrieve("--index", sample_index()) +
              Arguments{"--query", "CCO", "--metric", "euclidean", "--top", "1000", "--verify"});
  CHECK(result["metric"] == "euclidean");
  CHECK(result["searched"] == drugs);
  REQUIRE(result["hits"].size() == drugs);
  double last = 0.0;
  for (auto const& hit : result["hits"]) {
    CHECK(hit["score"].get<double>() >= last);
    last = hit["score"];
  }
  CHECK_THAT(succeed(retrieve("--index", sample_index()) +
                     Arguments{"--query", "CCO", "--metric", "euclidean"})
                 .out,
             ContainsSubstring("(Euclidean distance)"));
}

TEST_CASE("m2umol retrieve finds a description among the real vectors of texts") {
  auto const fields = fields_of(3);
  for (auto const& from :
       {retrieve("--index", sample_index()), retrieve("--library", sample().data)}) {
    auto const result =
        json_of(from + Arguments{"--query-text", fields[3], "--against", "real", "--top", "3"});
    auto const& first = result["hits"][0];
    CHECK(first["id"] == fields[0]);
    CHECK(first["description"] == fields[3]);
    CHECK(first["score"].get<double>() > 0.99999);
    auto const usual = json_of(from + Arguments{"--query-text", fields[3]});
    CHECK(usual["vectors"] == "generated.text");
    CHECK(usual["searched"] == drugs);
  }
}

TEST_CASE("m2umol retrieve finds a list of targets among the real vectors of bio features") {
  TemporaryFolder const folder;
  std::string text = "id\tsmiles\ttargets\n";
  for (int i = 0; i < 12; ++i) {
    text += "m" + std::to_string(i) + "\tC" + std::string(static_cast<std::size_t>(i), 'C') +
            "\tADH" + std::to_string(i % 6) + ";SCN" + std::to_string(i % 4) + "\n";
  }
  auto const data = folder / "data";
  succeed(with(prepare(folder.write("t.tsv", text), data), "--holdout", "0"));
  succeed(pretrain_two(data, folder / "run"));
  Arguments const command{
      "retrieve",  "--model",        (folder / "run/model.safetensors").string(),
      "--library", data.string(),    "--against",
      "real",      "--query-targets"};
  for (std::string const list : {"ADH3,SCN3", " SCN3 ; ADH3"}) {
    auto const hits = json_of(command + Arguments{list})["hits"];
    CHECK(hits[0]["id"] == "m3");
    CHECK(hits[0]["score"].get<double>() > 0.99999);
  }
  CHECK_THAT(m2umol(command + Arguments{"ADH3,adh"}).error,
             ContainsSubstring("knows no target \"adh\" (near it: ADH0, ADH1"));
  CHECK_THAT(m2umol(command + Arguments{" , "}).error, ContainsSubstring("holds no name"));
  // No description anywhere: there is no word that the model could know.
  CHECK_THAT(
      m2umol(with(Arguments(command.begin(), command.end() - 1), "--query-text", "pain")).error,
      ContainsSubstring("no word of \"pain\""));
}

TEST_CASE("m2umol evaluate-retrieval measures both directions and says how ties count") {
  TemporaryFolder const folder;
  auto const file = folder / "e.json";
  Arguments const command{"evaluate-retrieval",
                          "--model",
                          sample().model.string(),
                          "--data",
                          sample().data.string(),
                          "--threads",
                          "1",
                          "--json",
                          file.string()};
  auto const out = succeed(command).out;
  CHECK_THAT(out, ContainsSubstring("10 held-out molecules") && ContainsSubstring("2d to text") &&
                      ContainsSubstring("bio to 2d") && ContainsSubstring("R@20") &&
                      ContainsSubstring("Equal similarities count as their mean rank"));
  auto const held_out = nlohmann::json::parse(read_bytes(file));
  m2u::SafetensorsFile const model(sample().model);
  auto const training = nlohmann::json::parse(model.metadata().at("training"));
  CHECK(held_out["retrieval"] == training["after"]);
  for (std::string const measure : {"recall_at_1", "recall_at_5", "recall_at_10", "recall_at_20",
                                    "mrr", "median_rank", "pool"}) {
    CHECK(held_out["retrieval"]["text"]["reverse"].contains(measure));
  }
  CHECK_THAT(succeed(command + Arguments{"--rows", "all"}).out, ContainsSubstring("38 molecules"));
  CHECK(nlohmann::json::parse(read_bytes(file))["retrieval"]["text"]["pool"] > 20);
}

TEST_CASE("m2umol evaluate-retrieval leaves out what the model can't compare") {
  Bench const bench;
  auto const data = bench.folder / "other";
  REQUIRE(m2umol(prepare(sample().table, data) + Arguments{"--text-buckets", "1024"}).code == 0);
  Arguments const command{
      "evaluate-retrieval", "--model", sample().model.string(), "--data", data.string(),
      "--threads",          "1"};
  auto const out = succeed(command).out;
  CHECK_THAT(out, ContainsSubstring("without text: ") && ContainsSubstring("2d to bio") &&
                      !ContainsSubstring("2d to text"));
  auto const none = bench.folder / "none";
  REQUIRE(m2umol(with(prepare(sample().table, none), "--holdout", "0")).code == 0);
  bench.refused(with(command, "--data", none.string()), {"holds out 0", "--rows all"});
  bench.refused(with(command, "--data", (bench.folder / "missing").string()), {"no dataset.json"});
  bench.refused(with(command, "--rows", "some"), {"--rows", "some"});
}

TEST_CASE("m2umol index refuses wrong folders") {
  Bench const bench;
  bench.refused(with(index_command(bench.out), "--out", sample().data.string()),
                {"would replace the library"});
  auto const data = bench.copy(sample().data, "data");
  auto const onto = with(index_command(bench.out), "--out", data.string());
  bench.refused(onto, {data.string(), "--force"});
  bench.refused(onto + Arguments{"--force"}, {data.string(), "is not an index"});
  bench.refused(with(index_command(bench.out), "--library", sample_index().string()),
                {sample_index().string(), "prepare did not make"});
  bench.refused(with(index_command(bench.out), "--model", (bench.folder / "none").string()),
                {"none", "No such file"});
  bench.refused(index_command(bench.out) + Arguments{"--faiss", "lsh"}, {"--faiss", "lsh"});
  auto const index = bench.copy(sample_index(), "index");
  bench.refused(with(index_command(bench.out), "--out", index.string()), {"--force replaces"});
}

TEST_CASE("m2umol retrieve refuses wrong indexes") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const usual = retrieve("--index", sample_index()) + Arguments{"--query", "CCO"};
  REQUIRE(m2umol(usual).code == 0);
  auto const other = [&](fs::path const& index) { return with(usual, "--index", index.string()); };
  bench.refused(other(folder / "missing"), {"missing", "no dataset.json"});
  bench.refused(other(sample().data), {sample().data.string(), "is not an index"});
  // Cut off, and altered: the first is always seen, the second when asked to look.
  auto const cut = bench.copy(sample_index(), "cut");
  auto const shard = cut / "shard-00000.m2u";
  fs::resize_file(shard, fs::file_size(shard) - 64);
  bench.refused(other(cut), {"shard-00000.m2u, offset 32", "cut off"});
  auto const altered = bench.copy(sample_index(), "altered");
  alter(altered / "shard-00000.m2u", fs::file_size(altered / "shard-00000.m2u") - 100);
  bench.refused(other(altered) + Arguments{"--verify"}, {"shard-00000.m2u", "checksum"});
  fs::remove(altered / "shard-00000.m2u");
  bench.refused(other(altered), {"shard-00000.m2u", "No such file"});
  // Another model.
  REQUIRE(m2umol(pretrain_two(sample().data, folder / "run") + Arguments{"--seed", "2"}).code == 0);
  bench.refused(with(usual, "--model", (folder / "run/model.safetensors").string()),
                {sample_index().string(), "made with another model"});
  // Vectors that it does not have.
  bench.refused(usual + Arguments{"--by", "3d"},
                {"no vectors \"real.3d\"", "no molecule of the library"});
  bench.refused(usual + Arguments{"--search", "hnsw"}, {"FAISS"});
}

TEST_CASE("m2umol retrieve refuses wrong queries of an index") {
  Bench const bench;
  auto const index = retrieve("--index", sample_index());
  bench.refused(index, {"takes one of --query,"});
  bench.refused(index + Arguments{"--query", "CCO", "--query-id", "x"}, {"takes one of --query,"});
  bench.refused(index + Arguments{"--library", sample().data.string(), "--query", "CCO"},
                {"one of --library and --index"});
  bench.refused({"retrieve", "--model", sample().model.string(), "--query", "CCO"},
                {"one of --library and --index"});
  auto id = fields_of(9)[0];
  id.back() = 'x';
  bench.refused(index + Arguments{"--query-id", id}, {"no molecule \"" + id, "near it: "});
  bench.refused(index + Arguments{"--query-targets", "no such target at all"},
                {"knows no target \"no such target at all\""});
  bench.refused(index + Arguments{"--query-text", "xqzzy"}, {"no word of \"xqzzy\""});
  bench.refused(index + Arguments{"--query-text", ""}, {"--query-text", "empty"});
  bench.refused(index + Arguments{"--query-text", "pain", "--by", "text"},
                {"--by is for molecules"});
  bench.refused(index + Arguments{"--query", "CCO", "--against", "real"}, {"--against is for"});
  bench.refused(index + Arguments{"--query", "CCO", "--metric", "taxi"}, {"--metric", "taxi"});
  bench.refused(index + Arguments{"--query", "CCO", "--top", "0"}, {"--top", "at least 1"});
  bench.refused(index + Arguments{"--query", "CCO", "--json", bench.folder.path().string()},
                {"is a folder"});
  bench.refused(
      retrieve("--library", sample().data) + Arguments{"--query", "CCO", "--search", "ivf"},
      {"--search ivf takes an index"});
}

TEST_CASE("m2umol retrieve: a model that was trained without text takes none") {
  Bench const bench;
  auto const& folder = bench.folder;
  REQUIRE(
      m2umol(pretrain_two(sample().data, folder / "run") + Arguments{"--without", "text"}).code ==
      0);
  Arguments const command{"retrieve",
                          "--model",
                          (folder / "run/model.safetensors").string(),
                          "--library",
                          sample().data.string(),
                          "--query-text",
                          "pain"};
  bench.refused(command, {"was trained without text"});
}

#if defined(M2UMOL_FAISS)
TEST_CASE("m2umol retrieve by FAISS: the nearest with exact scores") {
  Bench const bench;
  auto const out = bench.folder / "index";
  succeed(index_command(out) + Arguments{"--faiss", "hnsw,ivf"});
  auto const command = retrieve("--index", out) + Arguments{"--query", fields_of(5)[1]};
  auto const exact = json_of(command);
  for (std::string const how : {"hnsw", "ivf"}) {
    auto const found = json_of(command + Arguments{"--search", how});
    CHECK(found["search"] == how);
    CHECK(found["hits"][0] == exact["hits"][0]);  // the rest may be missed
  }
  bench.refused(command + Arguments{"--search", "ivf", "--metric", "euclidean"},
                {"no ivf of FAISS for the euclidean metric", "--faiss ivf"});
  fs::resize_file(out / "faiss/2d.cosine.hnsw", 100);
  bench.refused(command + Arguments{"--search", "hnsw"}, {"2d.cosine.hnsw", "damaged"});
}
#else
TEST_CASE("m2umol without FAISS says so") {
  Bench const bench;
  bench.refused(index_command(bench.out) + Arguments{"--faiss", "hnsw"}, {"built without FAISS"});
}
#endif
