// SPDX-License-Identifier: Apache-2.0
#include "m2umol/engine.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "m2u/core/version.hpp"
#include "m2u/parameters/save_load.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/checkpoint.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/progress.hpp"
#include "m2u/train/trainer.hpp"

#include "m2umol/engine_state.hpp"
#include "m2umol/model.hpp"

namespace m2umol {

namespace {

constexpr int format_version = 2;

/// Stands for the molecules that are trained on, in their order.
std::string molecules_sum(m2u::Table const& table, std::vector<int> const& rows) {
  m2u::Checksum sum;
  std::vector<char const*> names{"id",      "smiles",     "description",
                                 "targets", "categories", "3d.present"};
  if (table.has("enzymes")) {
    names.push_back("enzymes");
  }
  for (auto const* const name : names) {
    auto const column = table.column<char>(name);
    for (int const row : rows) {
      sum.add(std::as_bytes(column[row]));
      sum.add(std::as_bytes(std::span("\0", 1)));
    }
  }
  return std::to_string(sum.value());
}

m2u::TrainSchedule schedule_of(PretrainOptions const& options) {
  if (options.schedule == "cosine") {
    return m2u::CosineDecay{static_cast<double>(options.epochs),
                            std::min(1.0, 0.1 * options.epochs), 0.02};
  }
  if (options.schedule == "multistep") {
    return m2u::MultiStep{{100, 200}, 0.8};
  }
  m2u::expects(options.schedule == "constant", "there is no schedule \"", options.schedule,
               "\"; there are cosine, multistep and constant");
  return m2u::Constant{};
}

/// @throws m2u::Error if one of `without` is no modality of the table.
std::vector<std::string> modalities_in_use(m2u::Table const& table,
                                           std::vector<std::string> const& without) {
  std::vector<std::string> use;
  for (auto const& spec : m2u::read_modalities(table.metadata())) {
    if (std::find(without.begin(), without.end(), m2u::name_of(spec)) == without.end()) {
      use.push_back(m2u::name_of(spec));
    }
  }
  return use;
}

/// What must not change between a run and its resumption; the numbers of samples are checked
/// besides.
nlohmann::json must_agree(Configuration const& model, PretrainOptions const& options,
                          std::string const& molecules) {
  return {{"model", model},
          {"batch", options.batch},
          {"epochs", options.epochs},
          {"learning_rate", options.learning_rate},
          {"layer_learning_rate", options.layer_learning_rate},
          {"conformer_learning_rate", options.conformer_learning_rate},
          {"weight_decay", options.weight_decay},
          {"clip_norm", options.clip_norm},
          {"schedule", options.schedule},
          {"shuffle", options.shuffle},
          {"without", options.without},
          {"order_seed", options.seed},
          {"molecules (checksum)", molecules}};
}

/// A model that learns from modalities.
template <class Model>
struct PretrainingState final : StateOf<Model> {
  using StateOf<Model>::StateOf;

  m2u::FitResult pretrain(m2u::Table const& table, std::vector<int> const& train,
                          Evaluation const& evaluation, PretrainOptions const& options) override {
    auto const& configuration = this->configuration;
    std::vector<m2u::ParameterGroup> groups{{"3d", options.conformer_learning_rate, {}}};
    for (int layer = 0; layer < configuration.layers; ++layer) {
      groups.push_back({"hub.layer" + std::to_string(layer), options.layer_learning_rate, {}});
    }
    m2u::Adam<Space> adam{this->values,
                          {.learning_rate = options.learning_rate,
                           .weight_decay = options.weight_decay,
                           .groups = groups}};
    auto source =
        batches<Space>(m2u::TableDataset(table, modalities_in_use(table, options.without),
                                         {.hub_parts = configuration.three_passes
                                                           ? std::string(Model::hub_modality())
                                                           : std::string()}),
                       {.size = options.batch,
                        .seed = options.seed,
                        .shuffle = options.shuffle,
                        .threads = options.threads},
                       train);
    m2u::Trainer trainer{this->model,
                         this->values,
                         adam,
                         evaluation,
                         m2u::ProgressBar{{.unit = "molecules"}},
                         m2u::JsonLog{options.run / "log.jsonl"},
                         m2u::Checkpoints{options.run}};
    auto const fixed = must_agree(configuration, options, molecules_sum(table, train));
    return trainer.fit(source, {.epochs = options.epochs,
                                .schedule = schedule_of(options),
                                .clip_norm = options.clip_norm,
                                .seed = m2u::Seed{options.seed},
                                .resume = options.resume,
                                .configuration = fixed.dump()});
  }
};

}  // namespace

std::unique_ptr<Engine::State> Engine::make_state(Configuration configuration,
                                                  std::optional<std::uint64_t> seed) {
  if (configuration.form == "property") {
    return make_property_state(std::move(configuration), seed);
  }
  if (configuration.form == "interaction") {
    return make_interaction_state(std::move(configuration), seed);
  }
  if (configuration.form == "pairs") {
    return make_pairs_state(std::move(configuration), seed);
  }
  if (configuration.form == "package") {
    return build_state<StateOf>(std::move(configuration), seed, [](auto& layout, auto const& c) {
      return make_package_model(layout, c);
    });
  }
  m2u::expects(configuration.form == "pretraining", "there is no form of models \"",
               configuration.form,
               "\"; there are pretraining, package, property, pairs and interaction");
  return build_state<PretrainingState>(
      std::move(configuration), seed,
      [](auto& layout, auto const& c) { return make_model(layout, c); });
}

Engine::Engine(Configuration configuration, std::uint64_t seed)
    : state_(make_state(std::move(configuration), seed)) {}
Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Configuration const& Engine::configuration() const { return state_->configuration; }
nlohmann::json const& Engine::training() const { return state_->training; }
std::string const& Engine::checksum() const { return state_->checksum; }

std::size_t Engine::parameters() const {
  std::size_t sum = 0;
  for (auto const& entry : state_->theta().layout().parameters()) {
    sum += entry.slice.size();
  }
  return sum;
}

std::vector<m2u::NamedTensor> Engine::tensors() const {
  return m2u::parameter_tensors(state_->theta());
}

Engine Engine::from_tensors(Configuration configuration,
                            std::vector<m2u::NamedTensor> const& tensors) {
  Engine engine(make_state(std::move(configuration), std::nullopt));
  m2u::assign_parameters(engine.state_->theta(), tensors, "the set of tensors");
  return engine;
}

void Engine::save(std::filesystem::path const& path, nlohmann::json const& training) const {
  m2u::save_parameters(
      path, state_->theta(),
      {{"format", "m2umol"},
       {"format_version", std::to_string(format_version)},
       {"m2u_version", m2u::version},
       {"configuration", nlohmann::json(state_->configuration).dump()},
       {"training", training.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}});
}

Engine Engine::load(std::filesystem::path const& path) {
  std::unique_ptr<State> state;
  m2u::SafetensorsFile const file(path);
  m2u::check_content_sum(file);
  auto const& metadata = file.metadata();
  auto const text = [&](char const* key) {
    auto const found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  m2u::expects(text("format") == "m2umol", path.string(),
               " is not a model of m2umol: its metadata lacks \"format\": \"m2umol\"");
  m2u::expects(text("format_version") == std::to_string(format_version), path.string(),
               " has the format version ", text("format_version"),
               ", but this program reads version ", format_version);
  try {
    state =
        make_state(nlohmann::json::parse(text("configuration")).get<Configuration>(), std::nullopt);
    state->training = nlohmann::json::parse(text("training"));
  } catch (nlohmann::json::exception const& error) {
    m2u::fail(path.string(), ": the model's configuration is damaged: ", error.what());
  } catch (m2u::Error const& error) {
    m2u::fail(path.string(), ": the model's configuration can't be used: ", error.what());
  }
  m2u::assign_parameters(state->theta(), file);
  state->checksum = m2u::content_sum(file);
  return Engine(std::move(state));
}

m2u::HostRows Engine::predict(m2u::Table const& table, std::vector<int> rows, int threads) const {
  auto predictions = state_->predict(table, std::move(rows), threads);
  auto const& prediction = state_->configuration.prediction;
  for (std::size_t i = 0; i < predictions.values.size(); ++i) {
    auto& value = predictions.values[i];
    auto const label = i % prediction.labels.size();
    value = prediction.task == "regression"
                ? static_cast<float>(prediction.mean.at(label) +
                                     prediction.scale.at(label) * static_cast<double>(value))
                : m2u::sigmoid(value);
  }
  return predictions;
}

m2u::HostRows Engine::predict_pairs(m2u::Table const& table,
                                    std::shared_ptr<m2u::Pairs const> const& pairs,
                                    std::vector<int> which, int threads) const {
  auto scores = state_->predict_pairs(table, pairs, std::move(which), threads);
  for (int row = 0; row < scores.rows; ++row) {
    auto const first = scores.values.begin() + std::ptrdiff_t{row} * scores.cols;
    float const largest = *std::max_element(first, first + scores.cols);
    float sum = 0.0F;
    for (int j = 0; j < scores.cols; ++j) {
      first[j] = std::exp(first[j] - largest);
      sum += first[j];
    }
    for (int j = 0; j < scores.cols; ++j) {
      first[j] /= sum;
    }
  }
  return scores;
}

m2u::HostRows Engine::predict_interactions(m2u::Table const& table,
                                           std::shared_ptr<m2u::Interactions const> const& pairs,
                                           std::vector<int> which, int threads) const {
  auto chances = state_->predict_interactions(table, pairs, std::move(which), threads);
  for (float& value : chances.values) {
    value = m2u::sigmoid(value);
  }
  return chances;
}

FinetuneOutcome Engine::finetune_interactions(m2u::Table const& table,
                                              std::shared_ptr<m2u::Interactions const> const& pairs,
                                              InteractionParts const& parts,
                                              std::function<double()> const& validate,
                                              FinetuneOptions const& options) {
  return state_->finetune_interactions(table, pairs, parts, validate, options);
}

FinetuneOutcome Engine::finetune_pairs(m2u::Table const& table,
                                       std::shared_ptr<m2u::Pairs const> const& pairs,
                                       std::vector<int> const& train,
                                       std::function<double()> const& validate,
                                       FinetuneOptions const& options) {
  return state_->finetune_pairs(table, pairs, train, validate, options);
}

FinetuneOutcome Engine::finetune(m2u::Table const& table, m2u::Labels const& labels,
                                 std::vector<int> const& train,
                                 std::function<double()> const& validate,
                                 FinetuneOptions const& options) {
  return state_->finetune(table, labels, train, validate, options);
}

m2u::Embeddings Engine::embed(m2u::Table const& table, std::vector<int> rows,
                              m2u::EmbedOptions const& options, int threads,
                              std::vector<std::string> const& real) const {
  return state_->embed(table, std::move(rows), options, threads, real);
}

GraphExplanation Engine::explain(m2u::GraphBatch<m2u::Host> const& graph,
                                 ExplainTarget const& target, ExplainMethod method,
                                 std::vector<m2u::NodeGroup> const& groups) const {
  return state_->explain(graph, target, method, groups);
}

PretrainOutcome Engine::pretrain(m2u::Table const& table, std::vector<int> const& train,
                                 std::vector<int> const& held_out, PretrainOptions const& options) {
  PretrainOutcome outcome;
  Evaluation evaluation{{}, options.evaluate_every, &outcome.held_out};
  if (held_out.size() >= 2) {
    evaluation.measure = [&] {
      return evaluate(*this, table, held_out, options.threads, options.without);
    };
  }
  outcome.fit = state_->pretrain(table, train, evaluation, options);
  return outcome;
}

}  // namespace m2umol
