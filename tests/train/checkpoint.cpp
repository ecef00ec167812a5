// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a run that was killed ends with the same bits as one that was not.
#include "m2u/train/checkpoint.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/sgd.hpp"
#include "m2u/train/trainer.hpp"
#include "support/spaces.hpp"
#include "train/toy_training.hpp"

using Catch::Matchers::ContainsSubstring;
using m2u::test::TemporaryFolder;
using m2u::test::ToyProblem;
using Default = Kokkos::DefaultExecutionSpace;

extern char** environ;  // NOLINT

namespace {

struct Bits {
  std::vector<float> values;
  std::vector<float> state;
  std::vector<float> moments;
  friend bool operator==(Bits const&, Bits const&) = default;
};

template <class S>
Bits bits_of(ToyProblem<S> const& toy, m2u::Adam<S>& adam) {
  return {m2u::to_host(S{}, toy.theta.values()), m2u::to_host(S{}, toy.theta.state()),
          m2u::to_host(S{}, adam.state().buffers[1].second)};
}

/// Trains up to an epoch with log and checkpoints in a folder.
template <class S, class... Callbacks>
Bits train(std::filesystem::path const& folder, m2u::FitOptions const& options,
           Callbacks... callbacks) {
  ToyProblem<S> toy;
  m2u::Adam adam{toy.theta, {.learning_rate = 1e-2}};
  m2u::Trainer trainer{toy.network,
                       toy.theta,
                       adam,
                       std::move(callbacks)...,
                       m2u::JsonLog{folder / "log.jsonl"},
                       m2u::Checkpoints{folder}};
  trainer.fit(toy.batches, options);
  return bits_of(toy, adam);
}

constexpr int child_epochs = 40;
m2u::FitOptions child_options() {
  return {.epochs = child_epochs,
          .schedule = m2u::CosineDecay{.total = child_epochs, .warmup = 3},
          .clip_norm = 0.5,
          .seed = {8},
          .resume = true,
          .configuration = "toy"};
}

/// Slow enough to be killed in the middle.
struct Slow {
  void on_batch(m2u::BatchInfo const&) const {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
};

pid_t start_child(std::filesystem::path const& folder) {
  ::setenv("M2U_TEST_CHILD_FOLDER", folder.c_str(), 1);
  std::string const program = "/proc/self/exe";
  std::string name = "test";
  std::string tag = "[killed-child]";
  char* arguments[] = {name.data(), tag.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int const error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  REQUIRE(error == 0);
  return child;
}

bool wait_for(std::filesystem::path const& path, pid_t child) {
  for (int i = 0; i < 30000 && !std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (::kill(child, 0) != 0) {
      return false;
    }
  }
  return std::filesystem::exists(path);
}

int epochs_in_log(std::filesystem::path const& path) {
  std::ifstream in(path);
  std::string line;
  int epoch = 0;
  while (std::getline(in, line)) {
    REQUIRE(nlohmann::json::parse(line)["epoch"] == ++epoch);
  }
  return epoch;
}

}  // namespace

TEST_CASE("child of the test that kills training", "[.][killed-child]") {
  char const* const folder = std::getenv("M2U_TEST_CHILD_FOLDER");
  REQUIRE(folder != nullptr);
  std::ofstream(std::filesystem::path(folder) / "started") << "yes";
  train<Default>(folder, child_options(), Slow{});
}

TEST_CASE("a run killed at any moment ends with the bits of one that was not", "[checkpoint]") {
  TemporaryFolder const whole;
  auto const expected = train<Default>(whole.path(), child_options());

  TemporaryFolder const folder;
  std::mt19937 random(12345);
  int kills = 0;
  int status = -1;
  for (int attempt = 0; attempt < 60; ++attempt) {
    std::filesystem::remove(folder / "started");
    auto const child = start_child(folder.path());
    REQUIRE(wait_for(folder / "started", child));
    if (kills < 8) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(random() % (kills < 3 ? 20000 : 60000)));
      ::kill(child, SIGKILL);
    }
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (!WIFSIGNALED(status)) {
      break;
    }
    ++kills;
  }
  REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CAPTURE(kills);
  CHECK(kills >= 3);

  // The finished run is restored and has nothing left to do.
  CHECK(train<Default>(folder.path(), child_options()) == expected);
  CHECK(epochs_in_log(folder / "log.jsonl") == child_epochs);
  CHECK(m2u::test::read_bytes(folder / "checkpoint.safetensors") ==
        m2u::test::read_bytes(whole / "checkpoint.safetensors"));
  for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
    CHECK(entry.path().filename().string().find(".tmp") == std::string::npos);
  }
}

TEMPLATE_LIST_TEST_CASE("training in parts gives the bits of training at once", "[checkpoint]",
                        m2u::test::Spaces) {
  using S = TestType;
  TemporaryFolder const parts;
  TemporaryFolder const whole;
  auto options = child_options();
  options.epochs = 6;
  auto const expected = train<S>(whole.path(), options);
  for (int const epochs : {1, 2, 5, 6}) {
    options.epochs = epochs;
    auto const reached = train<S>(parts.path(), options);
    CHECK((reached == expected) == (epochs == 6));
  }
  CHECK(epochs_in_log(parts / "log.jsonl") == 6);
}

TEST_CASE("checkpoints: how many, how often", "[checkpoint]") {
  TemporaryFolder const folder;
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta};
  m2u::Checkpoints const keep{folder.path(), {.every = 2, .keep = 3}};
  m2u::Trainer trainer{toy.network, toy.theta, adam, keep};
  trainer.fit(toy.batches, {.epochs = 9});
  auto const epoch = [&](int age) {
    return m2u::SafetensorsFile(keep.file(age)).metadata().at("epoch");
  };
  CHECK(epoch(0) == "9");
  CHECK(epoch(1) == "8");
  CHECK(epoch(2) == "6");
  CHECK_FALSE(std::filesystem::exists(keep.file(3)));

  SECTION("another run does not replace them by mistake") {
    CHECK_THROWS_WITH(trainer.fit(toy.batches, {.epochs = 1}), ContainsSubstring("resume"));
    CHECK(epoch(0) == "9");
    m2u::Trainer over{toy.network, toy.theta, adam,
                      m2u::Checkpoints{folder.path(), {.overwrite = true}}};
    over.fit(toy.batches, {.epochs = 1});
    CHECK(epoch(0) == "1");
  }
  CHECK_THROWS_AS(m2u::Checkpoints("x", {.every = 0}), m2u::Error);
  CHECK_THROWS_WITH(
      (m2u::Trainer{toy.network, toy.theta, adam, m2u::Checkpoints{folder.write("file", "")}}.fit(
          toy.batches)),
      ContainsSubstring("cannot make the folder"));
}

TEST_CASE("a checkpoint that does not fit is refused, and nothing is changed", "[checkpoint]") {
  TemporaryFolder const folder;
  m2u::FitOptions options{.epochs = 2, .seed = {8}, .resume = true, .configuration = "one"};
  train<Default>(folder.path(), options);
  auto const file = folder / "checkpoint.safetensors";
  auto const whole = m2u::test::read_bytes(file);
  options.epochs = 3;
  auto const refused = [&](char const* reason, char const* more = "") {
    ToyProblem<Default> toy;
    m2u::Adam adam{toy.theta};
    auto const before = bits_of(toy, adam);
    m2u::Trainer trainer{toy.network, toy.theta, adam, m2u::Checkpoints{folder.path()}};
    CHECK_THROWS_WITH(trainer.fit(toy.batches, options),
                      ContainsSubstring("checkpoint.safetensors") && ContainsSubstring(reason) &&
                          ContainsSubstring(more));
    CHECK(bits_of(toy, adam) == before);
  };

  SECTION("another configuration") {
    options.configuration = "two";
    refused("another configuration: \"one\", but now it is \"two\"");
  }
  SECTION("another seed") {
    options.seed = {9};
    refused("another seed: \"8\", but now it is \"9\"");
  }
  SECTION("truncated") {
    folder.write("checkpoint.safetensors", whole.substr(0, whole.size() - 1));
    refused("truncated", "checkpoint.1.safetensors");
    folder.write("checkpoint.safetensors", "");
    refused("0 bytes");
  }
  SECTION("altered in any byte") {
    ToyProblem<Default> toy;
    m2u::Adam adam{toy.theta};
    m2u::TrainingState<Default> state{Default{}, toy.theta, &adam.state(), 0, 0, 3, {}};
    int accepted = 0;
    for (std::size_t i = 0; i < whole.size(); i += i < 400 ? 1 : 13) {
      auto damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 4);
      std::filesystem::remove(folder / "damaged");  // truncating it would wait for the disk
      auto const path = folder.write("damaged", damaged);
      try {
        m2u::load_checkpoint(path, state);
        ++accepted;
      } catch (m2u::Error const& error) {
        REQUIRE_THAT(error.what(), ContainsSubstring("damaged"));
      }
    }
    CHECK(accepted == 0);
  }
  SECTION("another kind of file") {
    m2u::write_safetensors(file, {{{"x", {1}, {1}}}});
    refused("is not a checkpoint");
  }
  SECTION("another optimiser") {
    ToyProblem<Default> toy;
    m2u::Sgd sgd{toy.theta};
    m2u::Trainer trainer{toy.network, toy.theta, sgd, m2u::Checkpoints{folder.path()}};
    CHECK_THROWS_WITH(trainer.fit(toy.batches, options),
                      ContainsSubstring("with the optimiser adam, but now it is sgd"));
  }
  SECTION("another model") {
    m2u::ParameterLayout layout;
    layout.scope("first").matrix("weight", 8, 5, m2u::Initialiser::constant(0));
    m2u::Parameters<Default> const theta(Default{}, layout, {});
    m2u::Adam adam{theta};
    m2u::TrainingState<Default> state{Default{}, theta, &adam.state(), 0, 0, 3, {}};
    CHECK_THROWS_WITH(
        m2u::load_checkpoint(file, state),
        ContainsSubstring("misshapen: values.first.weight is [8, 4], but the model has [8, 5]") &&
            ContainsSubstring("unexpected: values.first.bias") &&
            ContainsSubstring("misshapen: optimiser.first_moment"));
  }
}
