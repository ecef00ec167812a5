// SPDX-License-Identifier: Apache-2.0
// The training loop with its callbacks, log and progress.
#include "m2u/train/trainer.hpp"

#include <cmath>
#include <fstream>
#include <sstream>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/progress.hpp"
#include "m2u/train/sgd.hpp"
#include "support/spaces.hpp"
#include "train/toy_training.hpp"

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using m2u::test::TemporaryFolder;
using m2u::test::ToyProblem;
using Default = Kokkos::DefaultExecutionSpace;

static_assert(m2u::Optimiser<m2u::Adam<Default>, Default> &&
              m2u::Optimiser<m2u::AdamW<Default>, Default> &&
              m2u::Optimiser<m2u::Sgd<Default>, Default> && !m2u::Optimiser<int, Default>);
static_assert(m2u::TrainableModel<m2u::test::ToyNetwork, Default>);

namespace {

/// Writes down what it is told. What is checked here would keep nvcc 13's front end busy for ever:
/// it takes no CHECK in a member of a class.
struct Diary {
  std::string text;
  bool in_order = true;
  int gradients = 0;
  int batches = 0;
  int stop_at = 0;
  void on_start(m2u::StartInfo const& info) {
    text += "start " + std::to_string(info.first_epoch) + "/" + std::to_string(info.epochs) + " " +
            std::to_string(info.batches) + " " + std::to_string(info.samples) + ";";
  }
  template <class S>
  void on_gradients(m2u::GradientInfo<S> const&) {
    ++gradients;
  }
  void on_batch(m2u::BatchInfo const& info) {
    in_order = in_order && info.batch == batches % info.batches + 1;
    ++batches;
  }
  void on_epoch(m2u::EpochInfo& info) {
    text += " epoch " + std::to_string(info.epoch) + ";";
    info.extra["seen"] = batches;
    info.stop = info.epoch == stop_at;
  }
  void on_end(m2u::EndInfo const& info) { text += info.completed ? " end" : " error"; }
};

/// A model whose loss is a constant: nothing to train on.
struct Skips {
  template <m2u::ExecutionSpace S>
  m2u::Losses<S> losses(m2u::Tape<S>& tape, m2u::MultiBatch<S> const&) const {
    auto const zero = tape.matrix(1, 1);
    Kokkos::deep_copy(tape.space(), zero, 0.0F);
    return {tape.constant(zero), {{"only", {}, 1.0, 1, true}}};
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("training twice gives the same bits and learns", "[trainer]",
                        m2u::test::Spaces) {
  using S = TestType;
  auto const run = [] {
    ToyProblem<S> toy;
    m2u::Adam adam{toy.theta, {.learning_rate = 1e-2}};
    m2u::Trainer trainer{toy.network, toy.theta, adam};
    auto const result =
        trainer.fit(toy.batches, {.epochs = 12, .schedule = m2u::MultiStep{{8}, 0.1}, .seed = {4}});
    std::vector<double> losses;
    for (auto const& epoch : result.history) {
      losses.push_back(epoch.loss);
    }
    return std::pair(losses, m2u::to_host(S{}, toy.theta.values()));
  };
  auto const [losses, values] = run();
  auto const [losses_again, values_again] = run();
  CHECK(losses == losses_again);
  CHECK(values == values_again);
  CHECK(losses.size() == 12);
  CHECK(losses.back() < 0.8 * losses.front());
}

TEST_CASE("the mean losses are those of the batches", "[trainer]") {
  using S = Default;
  ToyProblem<S> toy;
  m2u::Sgd still{toy.theta, {.learning_rate = 0.0}};
  m2u::Trainer trainer{toy.network, toy.theta, still};
  toy.batches = m2u::SequentialBatches<S, m2u::test::ToyVectors>({.samples = 10},
                                                                 {.size = 1, .shuffle = false});
  auto const result = trainer.fit(toy.batches, {.seed = {4}, .check_every = 3});
  REQUIRE(result.history.size() == 1);
  auto const& info = result.history[0];
  // Batches of one sample: 0 and 5 have the second term.
  REQUIRE(info.terms.size() == 2);
  CHECK(info.terms[0].batches == 10);
  CHECK(info.terms[1].batches == 2);
  CHECK(info.terms[1].skipped == 8);
  CHECK(info.terms[1].rows == 2);
  CHECK(info.loss == Approx(info.terms[0].mean + 0.2 * info.terms[1].mean));
  CHECK(info.samples == 10);
  CHECK(info.batches == 10);
  CHECK(info.samples_per_second > 0.0);
  ToyProblem<S> again;  // the state moved with each batch
  m2u::Tape<S> tape(S{}, again.theta, m2u::Mode::training, {4});
  double sum = 0.0;
  toy.batches.start_epoch(0);
  for (std::uint64_t step = 0; step < 10; ++step) {
    tape.reset(step);
    auto const batch = toy.batches.next(S{});
    sum += static_cast<double>(m2u::to_host(S{}, toy.network.losses(tape, *batch).total.value)[0]);
  }
  CHECK(info.loss == Approx(sum / 10.0));
}

TEST_CASE("callbacks are called in order, by copy or by reference", "[trainer]") {
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta};
  Diary diary;
  diary.stop_at = 2;
  std::vector<int> seen;
  struct Reader {
    std::vector<int>* seen;
    void on_epoch(m2u::EpochInfo const& info) { seen->push_back(info.extra["seen"].get<int>()); }
  };
  m2u::Trainer trainer{toy.network, toy.theta, adam, std::ref(diary), Reader{&seen}};
  auto const result = trainer.fit(toy.batches, {.epochs = 5});
  CHECK(diary.text == "start 1/5 7 48; epoch 1; epoch 2; end");
  CHECK(diary.in_order);
  CHECK(seen == std::vector{7, 14});
  CHECK(diary.gradients == 14);
  CHECK(result.epochs == 2);
  CHECK(result.steps == 14);
  CHECK(result.history[1].extra["seen"] == 14);
  CHECK_THROWS_WITH(trainer.fit(toy.batches, {.resume = true}), ContainsSubstring("Checkpoints"));
  CHECK_THROWS_AS(trainer.fit(toy.batches, {.epochs = -1}), m2u::Error);
}

TEST_CASE("batches without a loss are counted and change nothing", "[trainer]") {
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta};
  auto const before = m2u::to_host(Default{}, toy.theta.values());
  m2u::Trainer trainer{Skips{}, toy.theta, adam};
  auto const result = trainer.fit(toy.batches, {.epochs = 1});
  CHECK(result.history[0].skipped_batches == 7);
  CHECK(result.history[0].batches == 0);
  CHECK(result.history[0].loss == 0.0);
  CHECK(std::isnan(result.history[0].terms[0].mean));
  CHECK(adam.state().steps == 0);
  CHECK(m2u::to_host(Default{}, toy.theta.values()) == before);
}

TEMPLATE_LIST_TEST_CASE("a loss that is not finite stops training with all that is known",
                        "[trainer]", m2u::test::Spaces) {
  using S = TestType;
  for (int const every : {0, 5}) {
    ToyProblem<S> toy;
    m2u::Adam adam{toy.theta};
    Diary diary;
    m2u::Trainer trainer{toy.network, toy.theta, adam, std::ref(diary)};
    trainer.fit(toy.batches, {.epochs = 1});
    auto const before = m2u::to_host(S{}, toy.theta.values());
    toy.batches = m2u::SequentialBatches<S, m2u::test::ToyVectors>({.samples = 48, .broken = 15},
                                                                   {.size = 7, .shuffle = false});
    diary.text.clear();
    CHECK_THROWS_WITH(trainer.fit(toy.batches, {.epochs = 3, .check_every = every}),
                      ContainsSubstring("epoch 1, batch 3 is not finite") &&
                          ContainsSubstring("The first op with such a value is \"linear\"") &&
                          ContainsSubstring("There is no checkpoint") &&
                          ContainsSubstring("Samples of the batch: 14, 15, 16, 17, 18, 19, 20"));
    CHECK(diary.text == "start 1/3 7 48; error");
    CHECK(diary.in_order);
    auto const after = m2u::to_host(S{}, toy.theta.values());
    CHECK(after != before);  // two good steps
    CHECK(std::all_of(after.begin(), after.end(), [](float x) { return std::isfinite(x); }));
  }
}

TEST_CASE("a parameter that is not finite is named", "[trainer]") {
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta};
  auto values = m2u::to_host(Default{}, toy.theta.values());
  values[toy.layout.parameters()[4].slice.offset] = NAN;
  m2u::from_host(Default{}, std::span<float const>(values), toy.theta.values());
  m2u::Trainer trainer{toy.network, toy.theta, adam};
  CHECK_THROWS_WITH(trainer.fit(toy.batches),
                    ContainsSubstring("The parameter \"head.second.weight\" was not finite"));
}

TEST_CASE("the log has one line per epoch, with what callbacks add", "[json_log]") {
  TemporaryFolder const folder;
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta};
  auto const path = folder / "run/log.jsonl";
  Diary diary;
  m2u::Trainer trainer{toy.network, toy.theta, adam, std::ref(diary), m2u::JsonLog{path}};
  auto const result = trainer.fit(toy.batches, {.epochs = 3});
  CHECK(diary.in_order);
  std::ifstream in(path);
  std::string line;
  int epochs = 0;
  while (std::getline(in, line)) {
    auto const json = nlohmann::json::parse(line);
    auto const& info = result.history[static_cast<std::size_t>(epochs)];
    CHECK(json["epoch"] == ++epochs);
    CHECK(json["loss"] == info.loss);
    CHECK(json["terms"]["fit"]["loss"] == info.terms[0].mean);
    CHECK(json["terms"]["extra"]["loss"].is_null());
    CHECK(json["terms"]["extra"]["skipped"] == 7);
    CHECK(json["extra"]["seen"] == 7 * epochs);
    CHECK(json["gradient_norm"] > 0.0);
  }
  CHECK(epochs == 3);

  SECTION("a resumed run drops the epochs that it runs again and half a line") {
    std::ofstream(path, std::ios::app) << R"({"epoch":4,"lo)";
    m2u::JsonLog log{path};
    log.on_start({.epochs = 5, .first_epoch = 3, .resumed = true});
    log.on_epoch({.epoch = 3});
    std::istringstream lines(m2u::test::read_bytes(path));
    for (int epoch = 1; epoch <= 3; ++epoch) {
      REQUIRE(std::getline(lines, line));
      CHECK(nlohmann::json::parse(line)["epoch"] == epoch);
    }
    CHECK_FALSE(std::getline(lines, line));
  }
  SECTION("something else is not taken for a log") {
    std::ofstream(path) << "notes\nmore\n";
    m2u::JsonLog log{path};
    CHECK_THROWS_WITH(log.on_start({.first_epoch = 3, .resumed = true}),
                      ContainsSubstring("log.jsonl, line 1"));
  }
}

TEST_CASE("progress is one line on a terminal and few lines elsewhere", "[progress]") {
  auto const run = [](bool terminal) {
    std::ostringstream out;
    ToyProblem<Default> toy;
    m2u::Adam adam{toy.theta};
    m2u::Trainer trainer{toy.network, toy.theta, adam,
                         m2u::ProgressBar{{.unit = "molecules",
                                           .out = &out,
                                           .terminal = terminal,
                                           .interval = terminal ? 1e-9 : 3600.0}}};
    trainer.fit(toy.batches, {.epochs = 4});
    return out.str();
  };
  auto const lines = run(false);
  INFO(lines);
  CHECK(lines.find('\r') == std::string::npos);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);  // first, last, end
  CHECK_THAT(lines, ContainsSubstring("epoch 1/4: loss ") &&
                        ContainsSubstring("epoch 4/4: loss ") && ContainsSubstring("molecules/s") &&
                        ContainsSubstring("trained 4 epochs"));
  auto const bar = run(true);
  CHECK_THAT(bar, ContainsSubstring("\repoch 2/4 [======") && ContainsSubstring("left"));
  CHECK(std::count(bar.begin(), bar.end(), '\n') == 2);
}

TEST_CASE("every kernel of training runs on the instance it was given", "[trainer]") {
  static std::vector<std::pair<std::string, std::uint32_t>> launches;
  auto const instances = Kokkos::Experimental::partition_space(Default{}, 1, 1);
  Default const space = instances[0];
  ToyProblem<Default> toy;
  m2u::Adam adam{toy.theta, {}, space};
  m2u::Trainer trainer{toy.network, toy.theta, adam};
  trainer.fit(space, toy.batches, {.epochs = 1});
  launches.clear();
  Kokkos::Tools::Experimental::set_begin_parallel_for_callback(
      [](char const* name, std::uint32_t device, std::uint64_t*) {
        launches.emplace_back(name, device);
      });
  trainer.fit(space, toy.batches, {.epochs = 1, .clip_norm = 1.0});
  Kokkos::Tools::Experimental::set_begin_parallel_for_callback(nullptr);
  REQUIRE(launches.size() > 100);
  for (auto const& [name, device] : launches) {
    INFO(name);
    CHECK((name.starts_with("m2u::") || name.starts_with("Kokkos::")));
    CHECK(device == Kokkos::Tools::Experimental::device_id(space));
  }
}
