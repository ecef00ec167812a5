// SPDX-License-Identifier: Apache-2.0
// What the program says to wrong files and options: never a crash, never half a result.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/parameters/safetensors.hpp"

#include "m2umol/refusal.hpp"

using namespace m2u::test;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

void replace(fs::path const& path, std::string const& from, std::string const& to) {
  auto text = read_bytes(path);
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(path, std::ios::binary) << text.replace(at, from.size(), to);
}

/// The sample's model with other contents, as a program would write it that does not know
/// checksums.
template <class Change>
fs::path changed_model(Bench const& bench, std::string const& name, Change const& change) {
  m2u::SafetensorsFile const file(sample().model);
  auto metadata = file.metadata();
  metadata.erase("m2u_checksum");
  std::vector<m2u::NamedTensor> tensors;
  for (auto const& tensor : file.names()) {
    tensors.push_back(file.tensor(tensor));
  }
  change(tensors, metadata);
  m2u::write_safetensors(bench.folder / name, tensors, metadata);
  return bench.folder / name;
}

}  // namespace

TEST_CASE("m2umol refuses wrong commands") {
  Bench const bench;
  bench.refused({}, {"subcommand is required"});
  bench.refused({"frobnicate"}, {"frobnicate", "--help"});
  bench.refused({"--frobnicate"}, {"--frobnicate"});
  bench.refused({"prepare", "--frobnicate"}, {"--table is required"});
  bench.refused({"prepare", "--table", "x", "--out", "y", "--frobnicate"}, {"--frobnicate"});
  bench.refused({"embed", "--in", "x", "--out", "x.npy"}, {"--model is required"});
  bench.refused({"demo", "--out", bench.out.string(), "--drugs", "nope.tsv"}, {"nope.tsv"});
  bench.refused({"demo", "--out", bench.out.string(), "--extra", "nope.smi"}, {"nope.smi"});
}

TEST_CASE("m2umol prepare refuses wrong tables") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const refused = [&](fs::path const& table, std::vector<std::string> says,
                           Arguments const& more = {}) {
    says.push_back(table.string());
    bench.refused(prepare(table, bench.out) + more, says);
  };
  refused(folder / "missing.tsv", {"No such file"});
  refused(folder.path(), {"Is a directory"});
  refused(folder.write("empty.tsv", ""), {"is empty", "header"});
  refused(folder.write("empty.smi", ""), {"holds no usable row"});
  refused(folder.write("empty.sdf", "\n\n"), {"holds no usable row"});
  refused(folder.write("header.tsv", "id\tsmiles\n"), {"holds no usable row"});
  refused(folder.write("column.tsv", "id\tSMILE\na\tC\n"),
          {"no column \"smiles\"", "\"id\", \"SMILE\""});
  refused(folder.write("twice.tsv", "id\tid\tsmiles\n"), {"line 1", "\"id\" twice"});
  refused(folder.write("quote.csv", "id,\"smi\nles"), {"line 1", "not closed"});
  refused(folder.write("plain.tsv.gz", "id\tsmiles\na\tC\n"), {"not gzipped"});
  refused(folder.write("garbage.sdf", std::string("\x01\x02\xff\n\0\n", 7)), {"M  END"});
  refused(sample().table, {"no column \"molecule\"", "\"smiles\""}, {"--smiles", "molecule"});
  refused(sample().model, {"no column \"smiles\""});
  refused(folder.write("bad.tsv", "id\tsmiles\na\tnope\nb\tC1CC\n"),
          {"all 2 were rejected", "line 2", "nope"});
  auto const gz = folder / "whole.tsv.gz";
  REQUIRE(std::system(
              ("gzip -c '" + sample().table.string() + "' > '" + gz.string() + "'").c_str()) == 0);
  auto const whole = read_bytes(gz);
  refused(folder.write("cut.tsv.gz", whole.substr(0, whole.size() / 2)), {"damaged or cut off"});
  auto damaged = whole;
  damaged[whole.size() / 2] = static_cast<char>(damaged[whole.size() / 2] ^ 0x40);
  refused(folder.write("damaged.tsv.gz", damaged), {"damaged or cut off"});
}

TEST_CASE("m2umol prepare refuses wrong conformers, folders and options") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const usual = prepare(sample().table, bench.out);
  auto const conformers = [&](fs::path const& path, std::vector<std::string> says) {
    says.push_back(path.string());
    bench.refused(usual + Arguments{"--conformers", path.string()}, says);
  };
  conformers(folder / "missing.sdf", {"No such file"});
  conformers(sample().table, {"not an SD file"});
  conformers(folder.write("garbage.sdf", "rubbish\n"), {"no usable conformer"});
  conformers(folder.write("cut.sdf.gz", "\x1f\x8b"), {"gz"});
  conformers(folder.write("other.sdf", ethanol_record("x")), {"no title", "\"x\"", "m2u0001"});
  conformers(folder.write("twice.sdf", ethanol_record("m2u0001") + ethanol_record("m2u0001")),
             {"line 12", "second conformer", "m2u0001"});
  bench.refused(prepare(sample().table, folder.write("file", "x")),
                {"cannot make the folder", "file"});
  bench.refused(prepare(sample().table, "/proc/m2umol/x"),
                {"cannot make the folder", "/proc/m2umol/x"});
  auto const data = bench.copy(sample().data, "data");
  bench.refused(prepare(sample().table, data), {data.string(), "already", "--force"});
  bench.refused(
      prepare(folder.write("bad.tsv", "id\tsmiles\na\tnope\n"), data) + Arguments{"--force"},
      {"all 1 were rejected"});
  bench.refused(with(usual, "--table", ""), {"--table", "empty"});
  bench.refused(with(usual, "--out", ""), {"--out", "empty"});
  for (auto const& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--text-buckets", "-8"},
                                                        {"--text-width", "0"},
                                                        {"--text-width", "wide"},
                                                        {"--holdout", "1"},
                                                        {"--holdout", "-0.1"},
                                                        {"--holdout-seed", "x"},
                                                        {"--geometry", "none"},
                                                        {"--atoms", "all"},
                                                        {"--min-count", "0"},
                                                        {"--max-atoms", "1.5"},
                                                        {"--conformer-seconds", "nan"},
                                                        {"--seed", "-1"},
                                                        {"--threads", "-1"},
                                                        {"--threads", "many"},
                                                        {"--max-atoms", "99999999999"}}) {
    bench.refused(with(usual, option, value), {option, value});
  }
  bench.refused(with(usual, "--text-buckets", "3"), {"3 buckets", "power of two"});
  bench.refused(with(usual, "--holdout", "nan"), {"held-out share", "nan"});
  bench.refused(with(usual, "--holdout", "0.99"), {"holding out 0.99 of 38", "none to fit on"});
}

TEST_CASE("m2umol prepare --like refuses what is no prepared folder, and what it would override") {
  Bench const bench;
  auto const& folder = bench.folder;
  Arguments const usual{"prepare",
                        "--table",
                        sample().table.string(),
                        "--out",
                        bench.out.string(),
                        "--no-conformers",
                        "--threads",
                        "1"};
  auto const refused = [&](fs::path const& like, std::vector<std::string> says) {
    says.push_back(like.string());
    bench.refused(usual + Arguments{"--like", like.string()}, says);
  };
  refused(folder / "missing", {"no dataset.json"});
  refused(sample().table, {"no dataset.json"});
  refused(sample().run, {"no dataset.json"});
  auto const data = bench.copy(sample().data, "data");
  auto const projection = data / "text.safetensors";
  auto const whole = read_bytes(projection);
  alter(projection, whole.size() / 2);
  refused(data, {"text.safetensors", "damaged"});
  std::ofstream(projection, std::ios::binary) << whole.substr(0, whole.size() / 2);
  refused(data, {"text.safetensors", "truncated"});
  fs::copy_file(sample().model, projection, fs::copy_options::overwrite_existing);
  refused(data, {"text.safetensors", "not a text projection"});
  REQUIRE(m2umol(with(prepare(sample().table, folder / "narrow"), "--text-width", "3")).code == 0);
  fs::copy_file(folder / "narrow/text.safetensors", projection,
                fs::copy_options::overwrite_existing);
  refused(data, {"text.safetensors", "exchanged"});
  fs::remove(projection);
  refused(data, {"text.safetensors", "No such file"});
  bench.refused(usual + Arguments{"--like", ""}, {"--like", "empty"});
  for (auto const& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--text-width", "8"},
                                                        {"--text-buckets", "64"},
                                                        {"--text-min-count", "2"},
                                                        {"--min-count", "2"},
                                                        {"--drop-category", "x"},
                                                        {"--geometry", "smooth"},
                                                        {"--atoms", "ogb"}}) {
    bench.refused(usual + Arguments{"--like", sample().data.string(), option, value},
                  {"--like", option});
  }
}

TEST_CASE("m2umol pretrain refuses wrong data") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const refused = [&](fs::path const& data, std::vector<std::string> says) {
    says.push_back(data.string());
    bench.refused(pretrain_two(data, bench.out), says);
  };
  refused(folder / "missing", {"no dataset.json"});
  refused(sample().table, {"no dataset.json"});
  refused(sample().run, {"no dataset.json"});
  std::string const shard = "shard-00000.m2u";
  auto const size = fs::file_size(sample().data / shard);
  auto const cut = bench.copy(sample().data, "cut");
  fs::resize_file(cut / shard, size / 2);
  refused(cut, {shard, "cut off"});
  auto const empty = bench.copy(sample().data, "empty");
  fs::resize_file(empty / shard, 0);
  refused(empty, {shard, "cut off"});
  int number = 0;
  for (auto const at :
       {std::uintmax_t{3}, std::uintmax_t{20}, std::uintmax_t{300}, size / 2, size - 100}) {
    auto const altered = bench.copy(sample().data, "altered" + std::to_string(++number));
    alter(altered / shard, at);
    refused(altered, {shard, "offset"});
  }
  auto const gone = bench.copy(sample().data, "gone");
  fs::remove(gone / shard);
  refused(gone, {shard, "No such file"});
  auto const json = bench.copy(sample().data, "json");
  replace(json / "dataset.json", "\"encoding_steps\": 20", "\"encoding_steps\": 21");
  refused(json, {"dataset.json", "altered"});
  folder.write("json/dataset.json", "{\"format\":");
  refused(json, {"dataset.json", "not valid JSON"});
  folder.write("json/dataset.json", "");
  refused(json, {"dataset.json", "not valid JSON"});
  folder.write("json/dataset.json", "[]");
  refused(json, {"dataset.json", "not a JSON object"});

  auto const hub = folder.write("hub.tsv", "id\tsmiles\na\tC\nb\tCC\nc\tCCC\nd\tCCCC\n");
  REQUIRE(m2umol(prepare(hub, folder / "hub")).code == 0);
  bench.refused(pretrain_two(folder / "hub", bench.out), {"nothing to learn from", "0 have text"});
  auto const swapped = bench.copy(sample().data, "swapped");
  fs::copy_file(folder / "hub" / shard, swapped / shard, fs::copy_options::overwrite_existing);
  refused(swapped, {shard, "exchanged"});
}

TEST_CASE("m2umol pretrain refuses wrong options") {
  Bench const bench;
  auto const usual = pretrain_two(sample().data, bench.out);
  for (auto const& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--batch", "1"},
                                                        {"--batch", "0"},
                                                        {"--epochs", "0"},
                                                        {"--epochs", "2x"},
                                                        {"--lr", "nan"},
                                                        {"--lr", "-1"},
                                                        {"--lr", "inf"},
                                                        {"--temperature", "0"},
                                                        {"--weight-decay", "-1"},
                                                        {"--dropout", "1.5"},
                                                        {"--schedule", "steps"},
                                                        {"--layers", "0"},
                                                        {"--clip", "-2"},
                                                        {"--recipe", "mine"},
                                                        {"--without", "2d"},
                                                        {"--hub-passes", "twice"},
                                                        {"--batches", "sorted"},
                                                        {"--conformer-blocks", "0"},
                                                        {"--evaluate-every", "0"}}) {
    bench.refused(with(usual, option, value), {option, value});
  }
  bench.refused(with(usual, "--heads", "3"), {"3 heads", "width 16"});
  bench.refused(with(usual, "--width", "8"), {"below the width 8"});
  bench.refused(usual + Arguments{"--without", "text", "--without", "bio"},
                {"nothing to learn from", "0 have 3d"});
  bench.refused(with(usual, "--recipe", "m2umol"),
                {"the published geometry", "--geometry published"});
  bench.refused(with(usual, "--out", bench.folder.write("file", "x").string()),
                {"cannot make the folder", "file"});
  bench.refused(with(usual, "--out", ""), {"--out", "empty"});
  bench.refused(with(usual, "--out", "/proc/m2umol"), {"cannot make the folder", "/proc/m2umol"});
  bench.refused(usual + Arguments{"--resume", "--force"}, {"--resume", "--force"});
}

TEST_CASE("m2umol pretrain keeps runs from harm") {
  Bench const bench;
  auto const run = bench.copy(sample().run, "run");
  auto const again = pretrain_two(sample().data, run);
  auto const resume = again + Arguments{"--resume"};
  bench.refused(again, {run.string(), "holds a run already", "--resume", "--force"});
  bench.refused(with(again, "--data", "nowhere") + Arguments{"--force"}, {"nowhere"});
  bench.refused(with(again, "--heads", "3") + Arguments{"--force"}, {"3 heads"});
  for (auto const& [option, value, says] : std::vector<std::array<std::string, 3>>{
           {"--lr", "0.1", "learning_rate was 0.001, but now it is 0.1"},
           {"--lr-layers", "0.1", "layer_learning_rate was 0.001, but now it is 0.1"},
           {"--epochs", "3", "epochs was 2, but now it is 3"},
           {"--batch", "9", "batch"},
           {"--seed", "5", "seed"},
           {"--without", "bio", "without"},
           {"--width", "32", "model/width was 16, but now it is 32"},
           {"--temperature", "0.5", "temperature"}}) {
    bench.refused(with(resume, option, value), {(run / "checkpoint.safetensors").string(), says});
  }
  // The same number of molecules, but others.
  auto rows = drug_rows();
  std::swap(rows[3], rows[30]);
  auto const other = bench.folder.write("other.tsv", table_text(rows));
  REQUIRE(m2umol(prepare(other, bench.folder / "other")).code == 0);
  bench.refused(with(resume, "--data", (bench.folder / "other").string()), {"molecules"});

  auto const checkpoint = run / "checkpoint.safetensors";
  auto const whole = read_bytes(checkpoint);
  auto const damaged = [&](std::string const& bytes, std::string const& says) {
    std::ofstream(checkpoint, std::ios::binary) << bytes;
    bench.refused(resume, {checkpoint.string(), says, "checkpoint.1.safetensors"});
  };
  damaged(whole.substr(0, whole.size() / 2), "truncated");
  damaged("", "0 bytes");
  damaged("rubbish that is longer than eight bytes", "not a valid safetensors file");
  damaged(read_bytes(sample().model), "not a checkpoint");
  auto altered = whole;
  altered[whole.size() / 2] = static_cast<char>(altered[whole.size() / 2] ^ 1);
  damaged(altered, "damaged");
  std::ofstream(checkpoint, std::ios::binary) << whole;
  auto const log = read_bytes(run / "log.jsonl");
  std::ofstream(run / "log.jsonl") << "rubbish\n" << log;
  bench.refused(resume, {"log.jsonl, line 1"});
  std::ofstream(run / "log.jsonl") << log;
  fs::remove(checkpoint);
  bench.refused(again, {"holds a run already"});
  bench.refused(resume, {"no checkpoint to resume from"});
}

TEST_CASE("m2umol embed refuses wrong models") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const out = (folder / "v.npy").string();
  auto const refused = [&](fs::path const& model, std::vector<std::string> says) {
    says.push_back(model.string());
    bench.refused(with(embed(sample().table, out), "--model", model.string()), says);
  };
  refused(folder / "missing", {"No such file"});
  refused(sample().run, {"not a regular file"});
  refused(sample().table, {"not a valid safetensors file"});
  refused(folder.write("empty", ""), {"0 bytes"});
  refused(sample().run / "checkpoint.safetensors", {"not a model of m2umol"});
  auto const whole = read_bytes(sample().model);
  refused(folder.write("cut1", whole.substr(0, 2000)), {"truncated"});
  refused(folder.write("cut2", whole.substr(0, whole.size() - 4)), {"truncated"});
  refused(folder.write("long", whole + "more"), {"belong to no tensor"});
  auto altered = whole;
  altered[whole.size() / 2] = static_cast<char>(altered[whole.size() / 2] ^ 1);
  refused(folder.write("altered", altered), {"damaged", "checksum"});
  folder.write("metadata", whole);
  replace(folder / "metadata", "\\\"heads\\\":2", "\\\"heads\\\":4");
  refused(folder / "metadata", {"damaged", "checksum"});

  using Tensors = std::vector<m2u::NamedTensor>;
  using Metadata = std::map<std::string, std::string>;
  refused(changed_model(bench, "program", [](Tensors&, Metadata& m) { m["format"] = "other"; }),
          {"not a model of m2umol"});
  refused(changed_model(bench, "bare", [](Tensors&, Metadata& m) { m.clear(); }),
          {"not a model of m2umol"});
  refused(
      changed_model(bench, "version", [](Tensors&, Metadata& m) { m["format_version"] = "99"; }),
      {"version 99"});
  refused(changed_model(bench, "text", [](Tensors&, Metadata& m) { m["configuration"] = "{"; }),
          {"configuration is damaged"});
  auto const configured = [&](std::string const& name, std::string const& from,
                              std::string const& to) {
    return changed_model(bench, name, [&](Tensors&, Metadata& m) {
      auto& text = m["configuration"];
      REQUIRE(text.find(from) != std::string::npos);
      text.replace(text.find(from), from.size(), to);
    });
  };
  refused(configured("heads", "\"heads\":2", "\"heads\":0"), {"0 heads"});
  refused(configured("minus", "\"width\":16", "\"width\":-16"), {"configuration"});
  refused(configured("words", "\"width\":16", "\"width\":\"wide\""), {"configuration is damaged"});
  refused(configured("wide", "\"width\":16", "\"width\":32"),
          {"misshapen", "hub.node_embedding.weight"});
  refused(changed_model(bench, "missing_tensor", [](Tensors& t, Metadata&) { t.pop_back(); }),
          {"missing"});
  refused(changed_model(bench, "nan",
                        [](Tensors& t, Metadata&) {
                          t.front().values.front() = std::numeric_limits<float>::quiet_NaN();
                        }),
          {"not finite"});
}

TEST_CASE("m2umol embed refuses wrong input and output") {
  Bench const bench;
  auto const& folder = bench.folder;
  auto const input = [&](fs::path const& in, std::vector<std::string> says) {
    says.push_back(in.string());
    bench.refused(embed(in, folder / "v.csv"), says);
  };
  input(folder / "missing.smi", {"No such file"});
  input(folder.path(), {"not a regular file"});
  input(folder.write("empty.tsv", ""), {"is empty"});
  input(folder.write("empty.smi", "\n\n"), {"holds no molecule"});
  input(folder.write("empty.sdf", ""), {"holds no molecule"});
  input(folder.write("header.csv", "id,smiles\n"), {"holds no molecule"});
  input(folder.write("column.csv", "id,name\n1,x\n"), {"no column \"smiles\""});
  input(folder.write("plain.smi.gz", "C\n"), {"not gzipped"});
  input(sample().model, {"no column"});
  bench.refused(embed("", folder / "v.csv"), {"--in", "empty"});
  {
    TemporaryFolder const elsewhere;
    REQUIRE(::mkfifo((elsewhere / "pipe.smi").c_str(), 0600) == 0);
    bench.refused(embed(elsewhere / "pipe.smi", folder / "v.csv"),
                  {"pipe.smi", "not a regular file"});
  }
  auto const output = [&](fs::path const& out, std::vector<std::string> const& says,
                          Arguments const& more = {}) {
    bench.refused(embed(sample().table, out) + more, says);
  };
  output("", {"--out", "empty"});
  for (std::string const end : {"v.txt", "v", "v.npy.gz"}) {
    output(folder / end, {"--out", end, ".npy, .csv or .safetensors"});
  }
  for (std::string const end : {"none/v.npy", "none/v.csv", "none/v.safetensors"}) {
    output(folder / end, {"cannot write", end, "No such file"});
  }
  fs::create_directory(folder / "folder.npy");
  output(folder / "folder.npy", {"cannot write", "folder.npy"});
  output(folder / "v.npy", {"cannot write", "none/rejects"},
         {"--rejects", (folder / "none/rejects").string()});
  output(folder / "v.npy", {"--rejects", "--out"}, {"--rejects", (folder / "v.npy").string()});
  bench.refused(embed_folder(sample().run, folder / "v.npy"), {"no dataset.json"});
  bench.refused(embed_folder(sample().data, folder / "v.npz"), {"--out", ".npy, .csv or"});
  bench.refused(embed_folder(sample().data, folder / "none/v.npy"), {"cannot write", "none/v.npy"});
  bench.refused(
      embed_folder(sample().data, folder / "v.npy") + Arguments{"--in", sample().table.string()},
      {"one of --in and --data"});
  bench.refused({"embed", "--model", sample().model.string(), "--out", (folder / "v.npy").string()},
                {"one of --in and --data"});
  bench.refused(embed_folder(sample().data, folder / "v.npy") + Arguments{"--smiles", "x"},
                {"--smiles requires --in"});
  REQUIRE(
      m2umol(prepare(sample().table, folder / "one-hot") + Arguments{"--atoms", "one-hot"}).code ==
      0);
  bench.refused(embed_folder(folder / "one-hot", folder / "v.npy"),
                {"one-hot", "other atom features"});
  auto const csv = folder.write("both.csv", "id,smiles\na,C\n");
  bench.refused(embed(csv, csv), {"--out", "--in"});
  bench.refused(embed(csv, folder / "v.npy") + Arguments{"--rejects", csv.string()},
                {"--rejects", "--in"});
}

TEST_CASE("m2umol retrieve refuses wrong queries and libraries") {
  Bench const bench;
  auto const& folder = bench.folder;
  Arguments const usual{"retrieve",
                        "--model",
                        sample().model.string(),
                        "--library",
                        sample().data.string(),
                        "--query",
                        "CCO",
                        "--threads",
                        "1"};
  REQUIRE(m2umol(usual).code == 0);
  bench.refused(with(usual, "--query", "nope"), {"\"nope\"", "syntax error"});
  bench.refused(with(usual, "--query", "C(C)(C)(C)(C)C"), {"valence"});
  bench.refused(with(usual, "--query", ""), {"SMILES is empty"});
  bench.refused(with(usual, "--top", "0"), {"--top", "0", "at least 1"});
  bench.refused(with(usual, "--top", "-3"), {"--top"});
  bench.refused(with(usual, "--by", "smell"), {"--by", "smell", "2d"});
  bench.refused(with(usual, "--by", "3d"), {"no molecule of the library", "\"3d\""});
  bench.refused(with(usual, "--model", (folder / "missing").string()), {"missing", "No such file"});
  bench.refused(with(usual, "--library", (folder / "missing").string()),
                {"missing", "no dataset.json"});
  bench.refused(with(usual, "--library", ""), {"--library", "empty"});
  auto const altered = bench.copy(sample().data, "altered");
  alter(altered / "shard-00000.m2u", 20000);
  bench.refused(with(usual, "--library", altered.string()), {"shard-00000.m2u", "checksum"});
  // Another vocabulary, of the same size or not.
  auto const library = folder / "library";
  REQUIRE(m2umol(prepare(sample().table, library) +
                 Arguments{"--text-buckets", "1024", "--min-count", "2"})
              .code == 0);
  auto const there = with(usual, "--library", library.string());
  CHECK(m2umol(there).code == 0);
  bench.refused(with(there, "--by", "text"), {library.string(), "projection of texts"});
  bench.refused(with(there, "--by", "bio"), {library.string(), "targets or categories"});
}
