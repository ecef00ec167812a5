// SPDX-License-Identifier: Apache-2.0
#include "m2umol/engine.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "m2u/core/version.hpp"
#include "m2u/data/loader.hpp"
#include "m2u/data/table_dataset.hpp"
#include "m2u/parameters/save_load.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/checkpoint.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/progress.hpp"
#include "m2u/train/trainer.hpp"

#include "m2umol/explain_model.hpp"
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

/// Callback that measures held-out retrieval, hands it to the log and keeps that of the last epoch.
struct Evaluation {
  std::function<std::vector<HeldOut>()> measure;
  int every = 1;
  std::optional<std::vector<HeldOut>>* last = nullptr;
  void on_epoch(m2u::EpochInfo& info) const {
    bool const at_end = info.epoch == info.epochs;
    if (measure && every > 0 && (info.epoch % every == 0 || at_end)) {
      auto measured = measure();
      info.extra["retrieval"] = m2umol::to_json(measured);
      if (at_end) {
        *last = std::move(measured);
      }
    }
  }
};

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

}  // namespace

/// A model and its numbers, whatever its type.
struct Engine::State {
  explicit State(Configuration c) : configuration(std::move(c)) {}
  State(State const&) = delete;
  State& operator=(State const&) = delete;
  virtual ~State() = default;

  virtual m2u::Parameters<Space> const& theta() const = 0;
  virtual m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                                m2u::EmbedOptions const& options, int threads) const = 0;
  virtual m2u::FitResult pretrain(m2u::Table const& table, std::vector<int> const& train,
                                  Evaluation const& evaluation, PretrainOptions const& options) = 0;
  virtual GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& graph,
                                   ExplainTarget const& target, ExplainMethod method,
                                   std::vector<m2u::NodeGroup> const& groups) const = 0;
  /// A task's prediction, before its last activation, as a function of the hub's rows: one column.
  /// @throws m2u::Error if the model has no such task.
  virtual HubFunction task_head(std::string const& task) const {
    m2u::fail("the model has no task \"", task,
              "\": it was pre-trained, not fine-tuned; --of explains its vectors");
  }

  Configuration configuration;
  nlohmann::json training = nlohmann::json::object();
};

template <class Model>
struct Engine::StateOf final : Engine::State {
  /// @param make (ParameterLayout&, Configuration const&) → the model
  template <class Make>
  StateOf(Configuration c, std::optional<std::uint64_t> seed, Make const& make)
      : State(std::move(c)),
        model(make(layout, configuration)),
        values(seed ? m2u::Parameters<Space>(Space{}, layout, m2u::Seed{*seed})
                    : m2u::Parameters<Space>(Space{}, layout)) {}

  m2u::Parameters<Space> const& theta() const override { return values; }

  m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                        m2u::EmbedOptions const& options, int threads) const override {
    std::vector<std::string> const hub{std::string(Model::hub_modality())};
    auto source = m2u::batches<Space>(
        m2u::TableDataset(table, options.real ? std::vector<std::string>{} : hub),
        {.size = 256, .shuffle = false, .threads = threads}, std::move(rows));
    return m2u::embed(Space{}, model, values, source, options);
  }

  GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& graph, ExplainTarget const& target,
                           ExplainMethod method,
                           std::vector<m2u::NodeGroup> const& groups) const override {
    auto head = target.task.empty() ? vector_of(model, target.of) : task_head(target.task);
    if (target.task.empty()) {
      auto whole = evaluate_hub(model.hub_encoder(), values, graph, head);
      head = component_along(std::move(head), std::move(whole), target.of != Model::hub_modality());
    }
    return explain_graph(model, values, graph, head, method, groups);
  }

  m2u::FitResult pretrain(m2u::Table const& table, std::vector<int> const& train,
                          Evaluation const& evaluation, PretrainOptions const& options) override {
    if constexpr (Model::learns()) {
      std::vector<m2u::ParameterGroup> groups{{"3d", options.conformer_learning_rate, {}}};
      for (int layer = 0; layer < configuration.layers; ++layer) {
        groups.push_back({"hub.layer" + std::to_string(layer), options.layer_learning_rate, {}});
      }
      m2u::Adam<Space> adam{values,
                            {.learning_rate = options.learning_rate,
                             .weight_decay = options.weight_decay,
                             .groups = groups}};
      auto source = m2u::batches<Space>(
          m2u::TableDataset(
              table, modalities_in_use(table, options.without),
              {.hub_parts = configuration.three_passes ? std::string(Model::hub_modality())
                                                       : std::string()}),
          {.size = options.batch,
           .seed = options.seed,
           .shuffle = options.shuffle,
           .threads = options.threads},
          train);
      m2u::Trainer trainer{model,
                           values,
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
    } else {
      m2u::fail("a model in the package's form has no encoders of its modalities: it can't be "
                "pre-trained");
    }
  }

  m2u::ParameterLayout layout;
  Model model;
  m2u::Parameters<Space> values;
};

std::unique_ptr<Engine::State> Engine::make_state(Configuration configuration,
                                                  std::optional<std::uint64_t> seed) {
  auto const build = [&](auto const& make) -> std::unique_ptr<State> {
    using Model = decltype(make(std::declval<m2u::ParameterLayout&>(), configuration));
    return std::make_unique<StateOf<Model>>(std::move(configuration), seed, make);
  };
  if (configuration.form == "package") {
    return build([](auto& layout, auto const& c) { return make_package_model(layout, c); });
  }
  m2u::expects(configuration.form == "pretraining", "there is no form of models \"",
               configuration.form, "\"; there are pretraining and package");
  return build([](auto& layout, auto const& c) { return make_model(layout, c); });
}

Engine::Engine(Configuration configuration, std::uint64_t seed)
    : state_(make_state(std::move(configuration), seed)) {}
Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Configuration const& Engine::configuration() const { return state_->configuration; }
nlohmann::json const& Engine::training() const { return state_->training; }

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
  m2u::save_parameters(path, state_->theta(),
                       {{"format", "m2umol"},
                        {"format_version", std::to_string(format_version)},
                        {"m2u_version", m2u::version},
                        {"configuration", nlohmann::json(state_->configuration).dump()},
                        {"training", training.dump()}});
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
  return Engine(std::move(state));
}

m2u::Embeddings Engine::embed(m2u::Table const& table, std::vector<int> rows,
                              m2u::EmbedOptions const& options, int threads) const {
  return state_->embed(table, std::move(rows), options, threads);
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
