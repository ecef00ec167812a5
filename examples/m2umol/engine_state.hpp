// SPDX-License-Identifier: Apache-2.0
// What stands behind an Engine: a model of some type with its numbers. Of the files that define the
// forms of models only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "m2u/data/table_dataset.hpp"
#include "m2u/parameters/parameters.hpp"
#include "m2u/transfer/embed.hpp"

#include "m2umol/batches.hpp"
#include "m2umol/engine.hpp"
#include "m2umol/explain_model.hpp"

namespace m2umol {

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

/// A model and its numbers, whatever its type.
struct Engine::State {
  explicit State(Configuration c) : configuration(std::move(c)) {}
  State(State const&) = delete;
  State& operator=(State const&) = delete;
  virtual ~State() = default;

  virtual m2u::Parameters<Space> const& theta() const = 0;
  virtual m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                                m2u::EmbedOptions const& options, int threads,
                                std::vector<std::string> const& real) const = 0;
  virtual m2u::FitResult pretrain(m2u::Table const& /*table*/, std::vector<int> const& /*train*/,
                                  Evaluation const& /*evaluation*/,
                                  PretrainOptions const& /*options*/) {
    m2u::fail("a model of the form \"", configuration.form,
              "\" has no encoders of its modalities: it can't be pre-trained");
  }
  virtual m2u::HostRows predict(m2u::Table const& /*table*/, std::vector<int> /*rows*/,
                                int /*threads*/) const {
    m2u::fail("a model of the form \"", configuration.form,
              "\" predicts nothing: finetune makes one that does");
  }
  virtual FinetuneOutcome finetune(m2u::Table const& /*table*/, m2u::Labels const& /*labels*/,
                                   std::vector<int> const& /*train*/,
                                   std::function<double()> const& /*validate*/,
                                   FinetuneOptions const& /*options*/) {
    m2u::fail("a model of the form \"", configuration.form, "\" has no head to fine-tune");
  }
  virtual m2u::HostRows predict_pairs(m2u::Table const& /*table*/,
                                      std::shared_ptr<m2u::Pairs const> const& /*pairs*/,
                                      std::vector<int> /*which*/, int /*threads*/) const {
    m2u::fail("a model of the form \"", configuration.form, "\" predicts nothing of pairs");
  }
  virtual FinetuneOutcome finetune_pairs(m2u::Table const& /*table*/,
                                         std::shared_ptr<m2u::Pairs const> const& /*pairs*/,
                                         std::vector<int> const& /*train*/,
                                         std::function<double()> const& /*validate*/,
                                         FinetuneOptions const& /*options*/) {
    m2u::fail("a model of the form \"", configuration.form, "\" has no head for pairs");
  }

  virtual m2u::HostRows predict_interactions(
      m2u::Table const& /*table*/, std::shared_ptr<m2u::Interactions const> const& /*pairs*/,
      std::vector<int> /*which*/, int /*threads*/) const {
    m2u::fail("a model of the form \"", configuration.form, "\" predicts nothing of proteins");
  }
  virtual FinetuneOutcome finetune_interactions(
      m2u::Table const& /*table*/, std::shared_ptr<m2u::Interactions const> const& /*pairs*/,
      InteractionParts const& /*parts*/, std::function<double()> const& /*validate*/,
      FinetuneOptions const& /*options*/) {
    m2u::fail("a model of the form \"", configuration.form, "\" has no head for proteins");
  }
  virtual GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& graph,
                                   ExplainTarget const& target, ExplainMethod method,
                                   std::vector<m2u::NodeGroup> const& groups) const = 0;
  /// A task's prediction, before its last activation, as a function of the hub's rows: one column.
  /// @throws m2u::Error if the model has no such task.
  virtual HubFunction task_head(std::string const& task) const {
    m2u::fail("the model has no task \"", task, "\": a model of the form \"", configuration.form,
              "\" predicts no labels; --of explains its vectors");
  }

  Configuration configuration;
  nlohmann::json training = nlohmann::json::object();
  std::string checksum;
};

/// A model whose form is a composition of the library's parts.
template <class Model>
struct StateOf : Engine::State {
  /// @param make (ParameterLayout&, Configuration const&) → the model
  /// @param seed of the initial values; none for zeros, if they are read next
  template <class Make>
  StateOf(Configuration c, std::optional<std::uint64_t> seed, Make const& make)
      : State(std::move(c)),
        model(make(layout, configuration)),
        values(seed ? m2u::Parameters<Space>(Space{}, layout, m2u::Seed{*seed})
                    : m2u::Parameters<Space>(Space{}, layout)) {}

  m2u::Parameters<Space> const& theta() const override { return values; }

  m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                        m2u::EmbedOptions const& options, int threads,
                        std::vector<std::string> const& real) const override {
    std::vector<std::string> use;
    if (!options.real || !real.empty()) {
      use.emplace_back(Model::hub_modality());
    }
    if (options.real) {
      use.insert(use.end(), real.begin(), real.end());
    }
    auto source = batches_of(table, std::move(rows), threads, use);
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

  /// Batches for evaluation. @param use modalities; none given: all
  auto batches_of(m2u::Table const& table, std::vector<int> rows, int threads,
                  std::vector<std::string> const& use) const {
    constexpr int size = m2u::on_host<Space> ? 256 : 2048;  // a device needs more to be busy
    return batches<Space>(m2u::TableDataset(table, use),
                          {.size = size, .shuffle = false, .threads = threads}, std::move(rows));
  }

  m2u::ParameterLayout layout;
  Model model;
  m2u::Parameters<Space> values;
};

/// @param State a template of states, such as StateOf
template <template <class> class State, class Make>
std::unique_ptr<Engine::State> build_state(Configuration configuration,
                                           std::optional<std::uint64_t> seed, Make const& make) {
  using Model = decltype(make(std::declval<m2u::ParameterLayout&>(), configuration));
  return std::make_unique<State<Model>>(std::move(configuration), seed, make);
}

/// A model of the form "property". @throws m2u::Error if its head is unknown.
std::unique_ptr<Engine::State> make_property_state(Configuration configuration,
                                                   std::optional<std::uint64_t> seed);
/// A model of the form "interaction".
std::unique_ptr<Engine::State> make_interaction_state(Configuration configuration,
                                                      std::optional<std::uint64_t> seed);
/// A model of the form "pairs". @throws m2u::Error if its head is unknown.
std::unique_ptr<Engine::State> make_pairs_state(Configuration configuration,
                                                std::optional<std::uint64_t> seed);

}  // namespace m2umol
