// SPDX-License-Identifier: Apache-2.0
// Training runs: the same seed gives the same bytes, also when a run is killed and resumed.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include "m2u/parameters/safetensors.hpp"

#include "m2umol/sample.hpp"

using namespace m2u::test;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

/// Names and bytes of all tensors.
std::vector<std::pair<std::string, std::vector<std::byte>>> tensors_of(fs::path const& path) {
  m2u::SafetensorsFile const file(path);
  std::vector<std::pair<std::string, std::vector<std::byte>>> result;
  for (auto const& name : file.names()) {
    auto const bytes = file.bytes(name);
    result.emplace_back(name, std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  return result;
}

/// The epochs of a log, in its order.
std::vector<int> epochs_of(fs::path const& log) {
  std::istringstream stream(read_bytes(log));
  std::vector<int> epochs;
  for (std::string line; std::getline(stream, line);) {
    epochs.push_back(nlohmann::json::parse(line).at("epoch").get<int>());
  }
  return epochs;
}

/// Kills a run once its log holds `epochs` lines. False if it ended before.
bool kill_after(Arguments const& arguments, fs::path const& log, std::ptrdiff_t epochs) {
  TemporaryFolder const scratch;
  RunningProgram program(arguments, scratch.path());
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (program.running() && std::chrono::steady_clock::now() < end) {
    auto const text = read_bytes(log);
    if (std::count(text.begin(), text.end(), '\n') >= epochs) {
      program.kill(SIGKILL);
      break;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  auto const outcome = program.wait();
  INFO(outcome);
  return outcome.signal == SIGKILL;
}

}  // namespace

TEST_CASE(
    "m2umol pretrain: the same seed gives the same model on two runs and any number of threads") {
  TemporaryFolder const folder;
  auto const model = read_bytes(sample().model);
  succeed(pretrain_two(sample().data, folder / "again"));
  CHECK(read_bytes(folder / "again/model.safetensors") == model);
  auto two = pretrain_two(sample().data, folder / "two");
  *(std::find(two.begin(), two.end(), "--threads") + 1) = "2";
  succeed(two);
  CHECK(read_bytes(folder / "two/model.safetensors") == model);
  succeed(pretrain_two(sample().data, folder / "other") + Arguments{"--seed", "2"});
  CHECK(tensors_of(folder / "other/model.safetensors") != tensors_of(sample().model));
}

TEST_CASE("m2umol pretrain: a killed run resumes and ends with the same model") {
  TemporaryFolder const folder;
  Arguments const epochs{"--epochs", "30"};
  auto const unbroken = succeed(pretrain(sample().data, folder / "whole") + epochs);
  auto const command = pretrain(sample().data, folder / "killed") + epochs;
  auto const resume = command + Arguments{"--resume"};
  auto const log = folder / "killed/log.jsonl";
  REQUIRE(kill_after(command, log, 4));
  CHECK_FALSE(fs::exists(folder / "killed/model.safetensors"));
  CHECK_THAT(m2umol(command).error, ContainsSubstring("--resume"));
  REQUIRE(kill_after(resume, log, 13));
  CHECK_FALSE(fs::exists(folder / "killed/model.safetensors"));
  auto const resumed = succeed(resume);
  CHECK(tensors_of(folder / "killed/model.safetensors") ==
        tensors_of(folder / "whole/model.safetensors"));
  CHECK(read_bytes(folder / "killed/model.safetensors") ==
        read_bytes(folder / "whole/model.safetensors"));
  CHECK(epochs_of(log) == epochs_of(folder / "whole/log.jsonl"));
  // Nothing of the killed programs' files under temporary names is left.
  for (auto const& [name, text] : contents(folder / "killed")) {
    INFO(name);
    CHECK(name.find(".tmp") == std::string::npos);
  }
  auto const table = [&](std::string const& text) { return text.substr(0, text.find("model:")); };
  CHECK(table(resumed.out) == table(unbroken.out));

  SECTION("a run that had ended stays as it is") {
    auto const before = contents(folder / "killed");
    succeed(resume);
    CHECK(contents(folder / "killed") == before);
  }
  SECTION("the other threads may resume it") {
    REQUIRE(kill_after(command + Arguments{"--force"}, log, 3));
    auto two = resume;
    *(std::find(two.begin(), two.end(), "--threads") + 1) = "2";
    succeed(two);
    CHECK(read_bytes(folder / "killed/model.safetensors") ==
          read_bytes(folder / "whole/model.safetensors"));
  }
}

TEST_CASE("m2umol pretrain --resume without a checkpoint starts and says so") {
  TemporaryFolder const folder;
  auto const outcome = succeed(pretrain_two(sample().data, folder / "new") + Arguments{"--resume"});
  CHECK_THAT(outcome.error,
             ContainsSubstring("has no checkpoint yet; the run starts from the beginning"));
  CHECK(read_bytes(folder / "new/model.safetensors") == read_bytes(sample().model));
}

TEST_CASE("m2umol pretrain --force replaces a run, without held-out molecules if so asked") {
  TemporaryFolder const folder;
  succeed(pretrain_two(sample().data, folder / "run"));
  auto const table = folder.write("t.tsv", table_text(drug_rows()));
  auto const data = folder / "data";
  succeed({"prepare", "--table", table.string(), "--out", data.string(), "--no-conformers",
           "--holdout", "0", "--text-width", "12", "--threads", "1"});
  succeed({"pretrain",
           "--data",
           data.string(),
           "--out",
           (folder / "run").string(),
           "--epochs",
           "1",
           "--width",
           "24",
           "--layers",
           "1",
           "--heads",
           "2",
           "--conformer-width",
           "8",
           "--batch",
           "16",
           "--schedule",
           "multistep",
           "--clip",
           "1",
           "--threads",
           "1",
           "--force"});
  CHECK(epochs_of(folder / "run/log.jsonl") == std::vector<int>{1});
  CHECK(read_bytes(folder / "run/held_out.json") == "[]\n");
  CHECK(m2u::SafetensorsFile(folder / "run/model.safetensors")
            .info("hub.edge_embedding.weight")
            .shape == std::vector<std::int64_t>{13, 24});
}
