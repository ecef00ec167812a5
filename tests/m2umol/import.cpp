// SPDX-License-Identifier: Apache-2.0
// Weights of the published implementation, in and out through the program.
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/parameters/safetensors.hpp"
#include "m2umol/sample.hpp"

using Catch::Matchers::ContainsSubstring;

namespace m2u::test {

namespace {

namespace fs = std::filesystem;

/// Weights of both forms under the reference's names: 16 channels, 2 heads.
fs::path const golden = fs::path(M2U_SOURCE_DIR) / "tests/golden/weights.safetensors";

Arguments import(fs::path const& from, fs::path const& out, Arguments const& more = {}) {
  return Arguments{"import",     "--from",  from.string(), "--names",   "m2umol", "--out",
                   out.string(), "--heads", "2",           "--threads", "1"} +
         more;
}

Arguments export_to(fs::path const& model, fs::path const& out) {
  return {"export", "--model",    model.string(), "--names", "m2umol",
          "--out",  out.string(), "--threads",    "1"};
}

/// A copy of the golden weights with changes.
struct Weights {
  Weights() {
    SafetensorsFile const file(golden);
    for (auto const& name : file.names()) {
      if (SafetensorsFile::holds_floats(file.info(name))) {
        floats.push_back(file.tensor(name));
      } else {
        integers.push_back({name, file.info(name).shape, file.integers(name)});
      }
    }
  }
  NamedTensor& at(std::string const& name) {
    for (auto& tensor : floats) {
      if (tensor.name == name) {
        return tensor;
      }
    }
    throw std::out_of_range(name);
  }
  void remove(std::function<bool(std::string const&)> const& condition) {
    std::erase_if(floats, [&](auto const& tensor) { return condition(tensor.name); });
    std::erase_if(integers, [&](auto const& tensor) { return condition(tensor.name); });
  }
  fs::path write(fs::path const& path) const {
    write_safetensors(path, floats, {}, integers);
    return path;
  }
  std::vector<NamedTensor> floats;
  std::vector<NamedIntegers> integers;
};

bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
         });
}

/// Checks an export against the file that was imported: every tensor of it is one of the file's,
/// with the same bits. @return how many there are
std::size_t check_export(fs::path const& exported, std::string const& prefix) {
  SafetensorsFile const file(exported);
  SafetensorsFile const original(golden);
  for (auto const& name : file.names()) {
    INFO(name);
    auto const old = original.contains(prefix + name) ? prefix + name : name;
    REQUIRE(original.contains(old));
    CHECK(file.info(name).shape == original.info(old).shape);
    CHECK(file.info(name).type == original.info(old).type);
    if (SafetensorsFile::holds_floats(file.info(name))) {
      CHECK(same_bits(file.tensor(name).values, original.tensor(old).values));
    } else {
      CHECK(file.integers(name) == std::vector<std::int64_t>{0});
    }
  }
  return file.names().size();
}

}  // namespace

TEST_CASE("m2umol import and export give the reference's weights back bit by bit", "[import]") {
  TemporaryFolder const folder;
  auto const model = folder / "model.safetensors";
  auto const weights = folder / "weights.safetensors";
  SafetensorsFile const original(golden);
  std::size_t of_package = 0;
  for (auto const& name : original.names()) {
    of_package += name.starts_with("finetune.") ? 1 : 0;
  }
  SECTION("pre-training form") {
    auto const outcome = succeed(import(golden, model));
    CHECK_THAT(outcome.out, ContainsSubstring("a pretraining model"));
    CHECK_THAT(outcome.out, ContainsSubstring("left out (of the package form)"));
    succeed(export_to(model, weights));
    CHECK(check_export(weights, "") == original.names().size() - of_package);
  }
  SECTION("package form") {
    auto const outcome = succeed(import(golden, model, {"--form", "package"}));
    CHECK_THAT(outcome.out, ContainsSubstring("a package model"));
    CHECK_THAT(outcome.out, ContainsSubstring("left out (of the pretraining form)"));
    CHECK_THAT(outcome.out, ContainsSubstring("encoder3D.* ("));
    succeed(export_to(model, weights));
    check_export(weights, "finetune.");
    SafetensorsFile const exported(weights);
    CHECK(exported.contains("linx.weight"));
    CHECK(exported.contains("attnfea.in_proj_weight"));
    CHECK_FALSE(exported.contains("modelcls.weight"));
    // The package's own file has no prefix and is known by its linear layer.
    auto const again = folder / "again.safetensors";
    CHECK_THAT(succeed(import(weights, again)).out, ContainsSubstring("a package model"));
    auto const second = folder / "second.safetensors";
    succeed(export_to(again, second));
    CHECK(read_bytes(second) == read_bytes(weights));
  }
}

TEST_CASE("m2umol export gives models of pretrain that import back bit by bit", "[import]") {
  TemporaryFolder const folder;
  constexpr char const* enzymes[] = {"CYP3A4", "CYP2D6; CYP3A4", "", "CYP2C9"};
  std::string text = "id\tsmiles\tname\tdescription\ttargets\tcategories\tenzymes\n";
  auto const rows = drug_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += rows[i] + '\t' + enzymes[i % 4] + '\n';
  }
  folder.write("drugs.tsv", text);
  auto const data = folder / "data";
  auto const run = folder / "run";
  auto const prepared =
      succeed(prepare(folder / "drugs.tsv", data) + Arguments{"--geometry", "published"});
  CHECK_THAT(prepared.out, ContainsSubstring("with targets, enzymes or categories"));
  succeed(pretrain_two(data, run) + Arguments{"--recipe", "m2umol"});
  auto const model = run / "model.safetensors";
  auto const weights = folder / "weights.safetensors";
  succeed(export_to(model, weights));
  SafetensorsFile const exported(weights);
  CHECK(exported.info("linenz.weight").shape == std::vector<std::int64_t>{16, 3});
  CHECK(exported.contains("lintar.weight"));
  CHECK(exported.contains("lincate.weight"));

  auto const back = folder / "back.safetensors";
  succeed(import(weights, back));
  SafetensorsFile const trained(model);
  SafetensorsFile const imported(back);
  REQUIRE(imported.names() == trained.names());
  for (auto const& name : trained.names()) {
    INFO(name);
    CHECK(imported.info(name).shape == trained.info(name).shape);
    CHECK(same_bits(imported.tensor(name).values, trained.tensor(name).values));
  }
  // The same vectors, those that its own vocabularies and conformers don't touch.
  auto const vectors = [&](fs::path const& of, char const* name) {
    succeed({"embed", "--model", of.string(), "--in", (folder / "drugs.tsv").string(), "--out",
             (folder / name).string(), "--generated", "--threads", "1"});
    return read_bytes(folder / name);
  };
  CHECK(vectors(back, "back.npy") == vectors(model, "model.npy"));
}

TEST_CASE("m2umol export refuses models that the published program can't hold", "[import]") {
  TemporaryFolder const folder;
  auto const refused = [&](fs::path const& model) {
    auto const outcome = m2umol(export_to(model, folder / "weights.safetensors"));
    CHECK(outcome.code == 1);
    CHECK_FALSE(fs::exists(folder / "weights.safetensors"));
    return outcome.error;
  };
  CHECK_THAT(refused(sample().model), ContainsSubstring("a column \"enzymes\""));

  auto rows = drug_rows();
  rows.resize(12);
  auto text = "enzymes\t" + table_text({});
  for (auto const& row : rows) {
    text += "CYP3A4\t" + row + '\n';
  }
  folder.write("drugs.tsv", text);
  auto const trained = [&](char const* name, Arguments const& how) {
    auto const data = folder / (std::string(name) + "_data");
    succeed(prepare(folder / "drugs.tsv", data) + how);
    succeed(pretrain(data, folder / name) + Arguments{"--epochs", "1"});
    return folder / name / "model.safetensors";
  };
  CHECK_THAT(refused(trained("smooth", {})), ContainsSubstring("--geometry published"));
  CHECK_THAT(refused(trained("one_hot", {"--atoms", "one-hot"})),
             ContainsSubstring("one-hot features of atoms"));
}

TEST_CASE("m2umol import lists all that is wrong with a file at once", "[import]") {
  TemporaryFolder const folder;
  Weights weights;
  weights.remove([](std::string const& name) {
    return name == "lintext.bias" || name == "encoder2D.1.attn.in_proj_bias" ||
           name == "linx.atom_embedding_list.4.weight";
  });
  weights.floats.push_back({"surplus.weight", {2}, {1, 2}});
  auto& misshapen = weights.at("linto3d.weight");
  misshapen.shape = {static_cast<std::int64_t>(misshapen.values.size())};
  weights.at("norm.bias").values[3] = std::numeric_limits<float>::quiet_NaN();
  weights.at("encoder2D.0.conv.eps").values[0] = 0.5F;
  weights.integers.push_back({"modelcls.bias", {3}, {1, 2, 3}});
  std::erase_if(weights.floats, [](auto const& tensor) { return tensor.name == "modelcls.bias"; });
  auto const from = weights.write(folder / "weights.safetensors");
  auto const before = contents(folder.path());
  auto const outcome = m2umol(import(from, folder / "model.safetensors"));
  CHECK(outcome.code == 1);
  for (auto const* const problem :
       {"missing: lintext.bias [16]", "missing: encoder2D.1.attn.in_proj_bias [48]",
        "missing: linx.atom_embedding_list.4.weight [10, ", "unexpected: surplus.weight [2]",
        "misshapen: linto3d.weight is [256], but the model has [16, 16]", "not finite: norm.bias",
        "not zero: encoder2D.0.conv.eps", "not of floats: modelcls.bias is of type I64"}) {
    CHECK_THAT(outcome.error, ContainsSubstring(problem));
  }
  CHECK(contents(folder.path()) == before);

  auto const other_heads = m2umol({"import", "--from", golden.string(), "--names", "m2umol",
                                   "--out", (folder / "m").string(), "--heads", "3"});
  CHECK(other_heads.code == 1);
  CHECK_THAT(other_heads.error, ContainsSubstring("heads do not divide"));
  auto const no_names = m2umol({"import", "--from", golden.string(), "--out", "m"});
  CHECK(no_names.code != 0);
  CHECK_THAT(no_names.error, ContainsSubstring("--names"));
  auto const not_theirs = m2umol(import(M2U_SOURCE_DIR "/tests/golden/comenet_full.safetensors",
                                        folder / "model.safetensors"));
  CHECK(not_theirs.code == 1);
  CHECK_THAT(not_theirs.error, ContainsSubstring("not of M2UMol's names"));
}

TEST_CASE("m2umol import --allow-missing keeps initial values and says which", "[import]") {
  TemporaryFolder const folder;
  Weights weights;
  weights.remove([](std::string const& name) {
    return name.starts_with("modelcls.") || name.starts_with("linx.atom_embedding_list.8.");
  });
  auto const from = weights.write(folder / "weights.safetensors");
  auto const allowed = [&](char const* out, char const* seed) {
    auto const model = folder / out;
    auto const outcome = succeed(import(from, model,
                                        {"--allow-missing", "modelcls.", "--allow-missing",
                                         "linx.atom_embedding_list.8", "--seed", seed}));
    for (auto const* const name :
         {"modelcls.weight", "modelcls.bias", "linx.atom_embedding_list.8.weight"}) {
      CHECK_THAT(outcome.error, ContainsSubstring(name));
    }
    auto const exported = folder / (std::string(out) + ".weights");
    succeed(export_to(model, exported));
    return exported;
  };
  SafetensorsFile const one(allowed("one", "1"));
  SafetensorsFile const two(allowed("two", "2"));
  for (auto const& tensor : weights.floats) {
    if (!tensor.name.starts_with("finetune.")) {
      INFO(tensor.name);
      CHECK(same_bits(one.tensor(tensor.name).values, tensor.values));
    }
  }
  for (auto const* const name : {"modelcls.weight", "linx.atom_embedding_list.8.weight"}) {
    CHECK_FALSE(one.tensor(name).values == two.tensor(name).values);
  }

  auto const refused = m2umol(import(from, folder / "m", {"--allow-missing", "modelcls."}));
  CHECK(refused.code == 1);
  CHECK_THAT(refused.error, ContainsSubstring("missing: linx.atom_embedding_list.8.weight"));
  auto const unknown = m2umol(import(golden, folder / "m", {"--allow-missing", "modelcsl"}));
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.error, ContainsSubstring("no tensor of the reference begins so"));
}

}  // namespace m2u::test
