// SPDX-License-Identifier: Apache-2.0
// m2umol pretrain: shards into a model, with held-out retrieval before and after.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include "m2u/data/shard.hpp"

#include "m2umol/program.hpp"

namespace m2umol {

namespace fs = std::filesystem;

Split split_rows(int rows, double share, std::uint64_t seed) {
  m2u::expects(share >= 0.0 && share < 1.0,
               "the held-out share must be at least 0 and below 1, but is ", share);
  auto order = m2u::random_permutation(rows, m2u::Seed{seed}, m2u::stream_of("m2umol::holdout"));
  auto const held_out = static_cast<std::ptrdiff_t>(std::lround(share * rows));
  m2u::expects(share == 0.0 || (held_out > 0 && held_out < rows), "holding out ", share, " of ",
               rows, " molecules leaves one part empty");
  Split split{{order.begin() + held_out, order.end()}, {order.begin(), order.begin() + held_out}};
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  return split;
}

Configuration configuration_for(m2u::Table const& table, std::string const& folder) {
  Configuration configuration;
  try {
    auto const metadata = nlohmann::json::parse(table.metadata());
    auto const& options = metadata.at("options");
    configuration.encoding_steps = options.at("encoding_steps");
    configuration.text_buckets = options.at("text_buckets");
    configuration.text_longest = options.at("text_longest");
    metadata.at("vocabularies").at("targets").get_to(configuration.targets);
    metadata.at("vocabularies").at("categories").get_to(configuration.categories);
  } catch (nlohmann::json::exception const& error) {
    m2u::fail(folder, " is a data set that m2umol prepare did not make: ", error.what());
  }
  return configuration;
}

std::string retrieval_table(std::vector<HeldOut> const& before, std::vector<HeldOut> const& after) {
  std::string text =
      "                      before training               after training\n"
      "held-out retrieval    R@1   R@5   R@10  MRR   med.  R@1   R@5   R@10  MRR   med.  pool\n";
  auto const numbers = [](m2u::RetrievalMetrics const& m) {
    char line[80];
    std::snprintf(line, sizeof line, "%.3f %.3f %.3f %.3f %5.1f ", m.recall_at_1, m.recall_at_5,
                  m.recall_at_10, m.mean_reciprocal_rank, m.median_rank);
    return std::string(line);
  };
  for (std::size_t i = 0; i < after.size(); ++i) {
    auto const row = [&](std::string name, m2u::RetrievalMetrics const* from,
                         m2u::RetrievalMetrics const& to) {
      name.resize(22, ' ');
      text += name + (from == nullptr ? std::string(30, ' ') : numbers(*from)) + numbers(to) +
              std::to_string(to.pool) + '\n';
    };
    bool const known = i < before.size() && before[i].modality == after[i].modality;
    row("2d to " + after[i].modality, known ? &before[i].from_2d : nullptr, after[i].from_2d);
    row(after[i].modality + " to 2d", known ? &before[i].to_2d : nullptr, after[i].to_2d);
  }
  return text +
         "R@k: share of held-out molecules whose own vector ranks among the k nearest of the pool "
         "(ties count as their mean rank).\n";
}

PretrainResult run_pretraining(m2u::Table const& table, Configuration configuration,
                               PretrainOptions const& options, double holdout,
                               std::uint64_t holdout_seed) {
  auto const split = split_rows(table.size(), holdout, holdout_seed);
  Engine engine(std::move(configuration), options.seed);
  std::cout << "training on " << split.train.size() << " molecules, " << split.held_out.size()
            << " held out; " << engine.parameters() << " parameters, " << Space::name() << ", "
            << Space{}.concurrency() << " threads\n"
            << std::flush;
  PretrainResult result;
  result.before = engine.evaluate(table, split.held_out, options.threads);
  result.fit = engine.pretrain(table, split.train, split.held_out, options);
  result.after = engine.evaluate(table, split.held_out, options.threads);
  std::vector<std::string> held_out_ids;
  for (int const row : split.held_out) {
    held_out_ids.emplace_back(table.text("id", row));
  }
  nlohmann::json const training{{"epochs", options.epochs},
                                {"batch", options.batch},
                                {"seed", options.seed},
                                {"learning_rate", options.learning_rate},
                                {"molecules", split.train.size()},
                                {"holdout", holdout},
                                {"holdout_seed", holdout_seed},
                                {"before", to_json(result.before)},
                                {"after", to_json(result.after)}};
  engine.save(options.run / "model.safetensors", training);
  auto const ids =
      nlohmann::json(held_out_ids)
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // of other bytes
  m2u::write_file(options.run / "held_out.json", ids + "\n");
  return result;
}

namespace {

struct PretrainArguments {
  std::string data;
  std::string out;
  bool force = false;
  double holdout = 0.1;
  std::uint64_t holdout_seed = 0;
  std::string schedule = "cosine";
  Configuration model;
  PretrainOptions options;
};

/// @throws m2u::Error if there is nothing that the 2D encoder could learn from.
void expect_modalities(m2u::Table const& table, std::vector<int> const& rows) {
  std::string counts;
  std::ptrdiff_t most = 0;
  for (auto const* const name : {"3d", "text", "bio"}) {
    auto const present = table.column<char>(std::string(name) + ".present");
    auto const count = std::count_if(rows.begin(), rows.end(), [&](int row) {
      return !present[row].empty() && present[row][0] == 1;
    });
    counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " have " + name;
    most = std::max(most, count);
  }
  m2u::expects(most >= 2, "nothing to learn from: of ", rows.size(), " training molecules ", counts,
               "; at least two must have the same");
}

void remove_run(fs::path const& run) {
  for (auto const* const file : {"checkpoint.safetensors", "checkpoint.1.safetensors",
                                 "model.safetensors", "held_out.json", "log.jsonl"}) {
    fs::remove(run / file);
  }
}

void run_pretrain(PretrainArguments arguments, Common const& common) {
  auto& options = arguments.options;
  options.run = arguments.out;
  options.seed = common.seed;
  options.threads = common.threads;
  options.cosine = arguments.schedule == "cosine";
  m2u::expects(!(options.resume && arguments.force),
               "--resume goes on with a run, --force replaces it: "
               "choose one of them");
  bool const resumable = fs::exists(options.run / "checkpoint.safetensors");
  bool const finished = fs::exists(options.run / "model.safetensors");
  m2u::expects(
      arguments.force || options.resume || !(resumable || finished), options.run.string(),
      " holds a run already: --resume goes on with it, --force starts anew, or choose another "
      "folder");
  m2u::expects(!options.resume || resumable || !finished, options.run.string(),
               " holds a model, but no checkpoint to resume from; --force starts anew");
  if (options.resume && !resumable) {
    std::cerr << "m2umol: warning: " << options.run.string()
              << " has no checkpoint yet; the run starts from the beginning\n";
  }
  auto const table = m2u::open_shards(arguments.data);
  auto configuration = configuration_for(table, arguments.data);
  auto const& chosen = arguments.model;
  configuration.width = chosen.width;
  configuration.layers = chosen.layers;
  configuration.heads = chosen.heads;
  configuration.dropout = chosen.dropout;
  configuration.attention_dropout = chosen.attention_dropout;
  configuration.temperature = chosen.temperature;
  configuration.classifier_weight = chosen.classifier_weight;
  Engine(configuration, 0);  // an Error if its sizes do not fit: before anything is removed
  expect_modalities(table,
                    split_rows(table.size(), arguments.holdout, arguments.holdout_seed).train);
  expect_writable_folder(options.run);
  if (arguments.force) {
    remove_run(options.run);
  }
  auto const result =
      run_pretraining(table, configuration, options, arguments.holdout, arguments.holdout_seed);
  if (!result.after.empty()) {
    std::cout << '\n' << retrieval_table(result.before, result.after) << '\n';
  }
  std::cout << "model: " << (options.run / "model.safetensors").string()
            << "\nlog:   " << (options.run / "log.jsonl").string() << '\n';
}

}  // namespace

void add_pretrain(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "pretrain", "Pre-train a 2D encoder on the modalities of a prepared data set");
  auto const arguments = std::make_shared<PretrainArguments>();
  auto& a = *arguments;
  auto& o = a.options;
  command->add_option("--data", a.data, "Folder that prepare wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--out", a.out, "Folder for the model, the log and checkpoints")
      ->required()
      ->check(not_empty());
  command->add_option("--epochs", o.epochs, "Passes over the data")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--batch", o.batch, "Molecules per step")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  command->add_option("--lr", o.learning_rate, "Adam's learning rate")
      ->check(above_zero())
      ->capture_default_str();
  command->add_option("--lr-3d", o.conformer_learning_rate, "The same for the conformers' encoder")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option("--lr-text-table", o.text_table_learning_rate,
                   "The same for the embeddings of the text's n-grams")
      ->check(above_zero())
      ->capture_default_str();
  command->add_option("--weight-decay", o.weight_decay, "Adam's L2 weight decay")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_option("--clip", o.clip_norm, "Largest gradient norm (0: no limit)")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_option("--schedule", a.schedule, "Learning-rate schedule")
      ->check(CLI::IsMember({"cosine", "multistep"}))
      ->capture_default_str();
  command->add_option("--temperature", a.model.temperature, "Of NT-Xent")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option("--classifier-weight", a.model.classifier_weight,
                   "Of the modality classifier's loss")
      ->check(not_below_zero())
      ->capture_default_str();
  command->add_option("--width", a.model.width, "Width of all vectors")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--layers", a.model.layers, "Layers of the 2D encoder")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--heads", a.model.heads, "Attention heads")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_option("--dropout", a.model.dropout, "Dropout of the 2D encoder")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_option("--attention-dropout", a.model.attention_dropout, "Dropout of its attention")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_option("--holdout", a.holdout, "Share of the molecules kept out of training")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_option("--holdout-seed", a.holdout_seed, "Seed of that choice")
      ->capture_default_str();
  command->add_option("--evaluate-every", o.evaluate_every, "Epochs between held-out evaluations")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_flag("--resume", o.resume, "Go on from the run's last checkpoint");
  command->add_flag("--force", a.force, "Replace the run in the folder");
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_pretrain(*arguments, common); };
  });
}

}  // namespace m2umol
