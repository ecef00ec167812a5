// SPDX-License-Identifier: Apache-2.0
// m2umol pretrain: shards into a model, with held-out retrieval before and after.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>

#include "m2u/data/shard.hpp"

#include "m2umol/program.hpp"
#include "m2umol/recipe.hpp"

namespace m2umol {

namespace fs = std::filesystem;

Split split_rows(m2u::Table const& table) {
  auto const held_out = table.column<char>("held_out");
  Split split;
  for (int row = 0; row < table.size(); ++row) {
    bool const out = !held_out[row].empty() && held_out[row][0] == 1;
    (out ? split.held_out : split.train).push_back(row);
  }
  return split;
}

Configuration configuration_for(m2u::Table const& table, std::string const& folder) {
  Configuration configuration;
  try {
    auto const metadata = nlohmann::json::parse(table.metadata());
    auto const& options = metadata.at("options");
    configuration.encoding_steps = options.at("encoding_steps");
    configuration.atoms = options.at("atoms");
    configuration.geometry = options.at("geometry");
    configuration.cutoff = options.at("cutoff");
    configuration.text_width = options.at("text_width");
    configuration.text_projection = metadata.at("text").at("projection");
    auto const& vocabularies = metadata.at("vocabularies");
    for (auto const* const name : {"targets", "enzymes", "categories"}) {  // the order in "bio"
      if (std::string_view(name) == "enzymes" && !vocabularies.contains(name)) {
        continue;
      }
      BioVocabulary vocabulary{name, 0, vocabularies.at(name)};
      vocabulary.size = static_cast<int>(vocabulary.terms.size());
      configuration.bio.push_back(std::move(vocabulary));
    }
  } catch (nlohmann::json::exception const& error) {
    m2u::fail(folder, " is a data set that this m2umol's prepare did not make: ", error.what());
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
                               PretrainOptions const& options) {
  auto const split = split_rows(table);
  Engine engine(std::move(configuration), options.seed);
  std::cout << "recipe " << options.recipe << ": training on " << split.train.size()
            << " molecules, " << split.held_out.size() << " held out; " << engine.parameters()
            << " parameters, " << Space::name() << ", " << Space{}.concurrency() << " threads\n"
            << std::flush;
  auto const measure = [&] {
    return evaluate(engine, table, split.held_out, options.threads, options.without);
  };
  PretrainResult result;
  result.before = measure();
  auto outcome = engine.pretrain(table, split.train, split.held_out, options);
  result.fit = std::move(outcome.fit);
  result.after = outcome.held_out ? std::move(*outcome.held_out) : measure();
  auto const& without = options.without;
  if (std::find(without.begin(), without.end(), "3d") == without.end()) {
    result.same_formula = evaluate_same_formula(engine, table, split.held_out, options.threads);
  }
  std::vector<std::string> held_out_ids;
  for (int const row : split.held_out) {
    held_out_ids.emplace_back(table.text("id", row));
  }
  nlohmann::json const training{{"recipe", options.recipe},
                                {"epochs", options.epochs},
                                {"batch", options.batch},
                                {"seed", options.seed},
                                {"learning_rate", options.learning_rate},
                                {"without", without},
                                {"molecules", split.train.size()},
                                {"held_out", split.held_out.size()},
                                {"before", to_json(result.before)},
                                {"after", to_json(result.after)},
                                {"same_formula", to_json(result.same_formula)}};
  engine.save(options.run / "model.safetensors", training);
  auto const ids =
      nlohmann::json(held_out_ids)
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // of other bytes
  m2u::write_file(options.run / "held_out.json", ids + "\n");
  return result;
}

std::string same_formula_line(SameFormula const& result) {
  auto const& [metrics, chance] = result.from_2d;
  if (metrics.queries == 0) {
    return {};
  }
  char line[160];
  std::snprintf(line, sizeof line,
                "2d to 3d among molecules of the same formula: R@1 %.3f (a guess %.3f), MRR %.3f, "
                "%d molecules\n",
                metrics.recall_at_1, chance, metrics.mean_reciprocal_rank, metrics.queries);
  return line;
}

namespace {

/// What the user asked for; what is unset is the recipe's.
struct PretrainArguments {
  std::string data;
  std::string out;
  bool force = false;
  std::optional<int> epochs, batch, width, layers, heads, conformer_width, conformer_middle,
      conformer_blocks;
  std::optional<double> learning_rate, layer_learning_rate, conformer_learning_rate, weight_decay;
  std::optional<float> temperature, classifier_weight, dropout, attention_dropout;
  std::optional<std::string> schedule, hub_passes, batches;
  PretrainOptions options;
};

/// The recipe, with the user's wishes over it.
void decide(PretrainArguments const& arguments, Configuration& model, PretrainOptions& training) {
  apply_recipe(training.recipe, model, training);
  auto const set = [](auto const& wish, auto& value) {
    if (wish) {
      value = *wish;
    }
  };
  set(arguments.epochs, training.epochs);
  set(arguments.batch, training.batch);
  set(arguments.learning_rate, training.learning_rate);
  set(arguments.layer_learning_rate, training.layer_learning_rate);
  set(arguments.conformer_learning_rate, training.conformer_learning_rate);
  set(arguments.weight_decay, training.weight_decay);
  set(arguments.schedule, training.schedule);
  set(arguments.width, model.width);
  set(arguments.layers, model.layers);
  set(arguments.heads, model.heads);
  set(arguments.conformer_width, model.conformer_width);
  set(arguments.conformer_middle, model.conformer_middle);
  set(arguments.conformer_blocks, model.conformer_blocks);
  set(arguments.temperature, model.temperature);
  set(arguments.classifier_weight, model.classifier_weight);
  set(arguments.dropout, model.dropout);
  set(arguments.attention_dropout, model.attention_dropout);
  if (arguments.batches) {
    training.shuffle = *arguments.batches == "shuffled";
  }
  if (arguments.hub_passes) {
    model.three_passes = *arguments.hub_passes == "each";
  }
}

/// @throws m2u::Error if there is nothing that the 2D encoder could learn from.
void expect_modalities(m2u::Table const& table, std::vector<int> const& rows,
                       std::vector<std::string> const& without) {
  std::string counts;
  std::ptrdiff_t most = 0;
  for (auto const* const name : {"3d", "text", "bio"}) {
    if (std::find(without.begin(), without.end(), name) != without.end()) {
      continue;
    }
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
  decide(arguments, configuration, options);
  Engine(configuration, 0);  // an Error if its sizes do not fit: before anything is removed
  expect_modalities(table, split_rows(table).train, options.without);
  expect_writable_folder(options.run);
  if (arguments.force) {
    remove_run(options.run);
  }
  auto const result = run_pretraining(table, configuration, options);
  if (!result.after.empty()) {
    std::cout << '\n'
              << retrieval_table(result.before, result.after)
              << same_formula_line(result.same_formula) << '\n';
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
  command->add_option("--recipe", o.recipe, "m2u: ours. m2umol: the published hyper-parameters")
      ->check(CLI::IsMember(recipe_names()))
      ->capture_default_str();
  command
      ->add_option("--without", o.without, "Do not use this modality (repeatable), to compare with")
      ->check(CLI::IsMember({"3d", "text", "bio"}));
  auto* const wishes = command->add_option_group(
      "Instead of the recipe's", "What is not given is the recipe's (m2u / m2umol)");
  wishes->add_option("--epochs", a.epochs, "Passes over the data (50 / 150)")
      ->check(at_least_one());
  wishes->add_option("--batch", a.batch, "Molecules per step (128 / 32)")
      ->check(CLI::Range(2, 1 << 20));
  wishes
      ->add_option("--batches", a.batches,
                   "Another order each epoch or the table's (shuffled / fixed)")
      ->check(CLI::IsMember({"shuffled", "fixed"}));
  wishes
      ->add_option("--hub-passes", a.hub_passes,
                   "Encode the 2D graph once per step or once for each modality (once / each)")
      ->check(CLI::IsMember({"once", "each"}));
  wishes->add_option("--lr", a.learning_rate, "Adam's learning rate (0.001 / 0.0005)")
      ->check(above_zero());
  wishes
      ->add_option("--lr-layers", a.layer_learning_rate,
                   "The same for the layers of the 2D encoder (0.001)")
      ->check(above_zero());
  wishes
      ->add_option("--lr-3d", a.conformer_learning_rate,
                   "The same for the conformers' encoder (0.0005)")
      ->check(above_zero());
  wishes->add_option("--weight-decay", a.weight_decay, "Adam's L2 weight decay (1e-9)")
      ->check(not_below_zero());
  wishes->add_option("--schedule", a.schedule, "Learning-rate schedule (cosine / multistep)")
      ->check(CLI::IsMember({"cosine", "multistep", "constant"}));
  wishes->add_option("--temperature", a.temperature, "Of NT-Xent (0.2)")->check(above_zero());
  wishes
      ->add_option("--classifier-weight", a.classifier_weight,
                   "Of the modality classifier's loss (0.5)")
      ->check(not_below_zero());
  wishes->add_option("--width", a.width, "Width of all vectors (128)")->check(at_least_one());
  wishes->add_option("--layers", a.layers, "Layers of the 2D encoder (3)")->check(at_least_one());
  wishes->add_option("--heads", a.heads, "Attention heads (4)")->check(at_least_one());
  wishes->add_option("--dropout", a.dropout, "Dropout of the 2D encoder (0.1)")
      ->check(CLI::Range(0.0, 0.99));
  wishes->add_option("--attention-dropout", a.attention_dropout, "Dropout of its attention (0.5)")
      ->check(CLI::Range(0.0, 0.99));
  wishes->add_option("--conformer-width", a.conformer_width, "Of the 3D encoder (128 / 256)")
      ->check(at_least_one());
  wishes->add_option("--conformer-middle", a.conformer_middle, "Of its edge filters (64)")
      ->check(at_least_one());
  wishes->add_option("--conformer-blocks", a.conformer_blocks, "Blocks of the 3D encoder (4)")
      ->check(at_least_one());
  command->add_option("--clip", o.clip_norm, "Largest gradient norm (0: no limit)")
      ->check(not_below_zero())
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
