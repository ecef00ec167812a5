// SPDX-License-Identifier: Apache-2.0
#include "m2umol/engine.hpp"

#include <algorithm>
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

#include "m2umol/model.hpp"

namespace m2umol {

namespace {

constexpr int format_version = 1;

/// The rows of `from` at the given places.
m2u::HostRows select(m2u::HostRows const& from, std::vector<std::size_t> const& places) {
  m2u::HostRows result{0, from.cols, {}};
  auto const width = static_cast<std::ptrdiff_t>(from.cols);
  for (auto const place : places) {
    auto const begin = from.values.begin() + static_cast<std::ptrdiff_t>(place) * width;
    result.values.insert(result.values.end(), begin, begin + width);
    ++result.rows;
  }
  return result;
}

nlohmann::json to_json(m2u::RetrievalMetrics const& metrics) {
  return {{"recall_at_1", metrics.recall_at_1},   {"recall_at_5", metrics.recall_at_5},
          {"recall_at_10", metrics.recall_at_10}, {"mrr", metrics.mean_reciprocal_rank},
          {"median_rank", metrics.median_rank},   {"pool", metrics.pool}};
}

/// Stands for the molecules that are trained on, in their order.
std::string molecules_sum(m2u::Table const& table, std::vector<int> const& rows) {
  m2u::Checksum sum;
  for (auto const* const name :
       {"id", "smiles", "description", "targets", "categories", "3d.present"}) {
    auto const column = table.column<char>(name);
    for (int const row : rows) {
      sum.add(std::as_bytes(column[row]));
      sum.add(std::as_bytes(std::span("\0", 1)));
    }
  }
  return std::to_string(sum.value());
}

/// Callback that measures held-out retrieval and hands it to the log.
struct Evaluation {
  std::function<std::vector<HeldOut>()> measure;
  int every = 1;
  void on_epoch(m2u::EpochInfo& info) const {
    if (measure && every > 0 && (info.epoch % every == 0 || info.epoch == info.epochs)) {
      info.extra["retrieval"] = m2umol::to_json(measure());
    }
  }
};

}  // namespace

nlohmann::json to_json(std::vector<HeldOut> const& rows) {
  auto json = nlohmann::json::object();
  for (auto const& row : rows) {
    json[row.modality] = to_json(row.from_2d);
    json[row.modality]["reverse"] = to_json(row.to_2d);
  }
  return json;
}

struct Engine::State {
  State(Configuration c, std::uint64_t seed)
      : configuration(std::move(c)),
        model(make_model(layout, configuration)),
        theta(Space{}, layout, m2u::Seed{seed}) {}

  Configuration configuration;
  m2u::ParameterLayout layout;
  decltype(make_model(std::declval<m2u::ParameterLayout&>(),
                      std::declval<Configuration const&>())) model;
  m2u::Parameters<Space> theta;
  nlohmann::json training = nlohmann::json::object();
};

Engine::Engine(Configuration configuration, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(configuration), seed)) {}
Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Configuration const& Engine::configuration() const { return state_->configuration; }
nlohmann::json const& Engine::training() const { return state_->training; }

std::size_t Engine::parameters() const {
  std::size_t sum = 0;
  for (auto const& entry : state_->layout.parameters()) {
    sum += entry.slice.size();
  }
  return sum;
}

void Engine::save(std::filesystem::path const& path, nlohmann::json const& training) const {
  m2u::save_parameters(path, state_->theta,
                       {{"format", "m2umol"},
                        {"format_version", std::to_string(format_version)},
                        {"m2u_version", m2u::version},
                        {"configuration", nlohmann::json(state_->configuration).dump()},
                        {"training", training.dump()}});
}

Engine Engine::load(std::filesystem::path const& path) {
  std::unique_ptr<State> state;
  {
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
      state = std::make_unique<State>(
          nlohmann::json::parse(text("configuration")).get<Configuration>(), 0);
      state->training = nlohmann::json::parse(text("training"));
    } catch (nlohmann::json::exception const& error) {
      m2u::fail(path.string(), ": the model's configuration is damaged: ", error.what());
    } catch (m2u::Error const& error) {
      m2u::fail(path.string(), ": the model's configuration can't be used: ", error.what());
    }
  }
  m2u::load_parameters(path, state->theta);
  return Engine(std::move(state));
}

m2u::Embeddings Engine::embed(m2u::Table const& table, std::vector<int> rows,
                              m2u::EmbedOptions const& options, int threads) const {
  auto source =
      m2u::batches<Space>(m2u::TableDataset(table),
                          {.size = 256, .shuffle = false, .threads = threads}, std::move(rows));
  return m2u::embed(Space{}, state_->model, state_->theta, source, options);
}

std::vector<HeldOut> Engine::evaluate(m2u::Table const& table, std::vector<int> const& rows,
                                      int threads) const {
  std::vector<HeldOut> result;
  if (rows.empty()) {
    return result;
  }
  auto const vectors = embed(table, rows, {}, threads);
  std::vector<std::size_t> place_of(static_cast<std::size_t>(table.size()), 0);
  for (std::size_t i = 0; i < vectors.ids.size(); ++i) {
    place_of[static_cast<std::size_t>(vectors.ids[i])] = i;
  }
  for (auto const& modality : vectors.modalities) {
    if (modality.samples.size() < 2) {
      continue;
    }
    std::vector<std::size_t> places;
    for (int const sample : modality.samples) {
      places.push_back(place_of[static_cast<std::size_t>(sample)]);
    }
    auto const generated = select(modality.generated, places).matrix();
    auto const real = modality.real.matrix();
    result.push_back({modality.name, m2u::retrieval_metrics(generated, real),
                      m2u::retrieval_metrics(real, generated)});
  }
  return result;
}

m2u::FitResult Engine::pretrain(m2u::Table const& table, std::vector<int> const& train,
                                std::vector<int> const& held_out, PretrainOptions const& options) {
  m2u::Adam<Space> adam{state_->theta,
                        {.learning_rate = options.learning_rate,
                         .weight_decay = options.weight_decay,
                         .groups = {{"3d", options.conformer_learning_rate, {}},
                                    {"text.embedding", options.text_table_learning_rate, {}}}}};
  auto source = m2u::batches<Space>(
      m2u::TableDataset(table),
      {.size = options.batch, .seed = options.seed, .threads = options.threads}, train);
  std::function<std::vector<HeldOut>()> measure;
  if (held_out.size() >= 2) {
    measure = [&] { return evaluate(table, held_out, options.threads); };
  }
  m2u::Trainer trainer{state_->model,
                       state_->theta,
                       adam,
                       Evaluation{measure, options.evaluate_every},
                       m2u::ProgressBar{{.unit = "molecules"}},
                       m2u::JsonLog{options.run / "log.jsonl"},
                       m2u::Checkpoints{options.run}};
  m2u::TrainSchedule schedule = m2u::MultiStep{{100, 200}, 0.8};
  if (options.cosine) {
    schedule = m2u::CosineDecay{static_cast<double>(options.epochs),
                                std::min(1.0, 0.1 * options.epochs), 0.02};
  }
  // What must not change between a run and its resumption; the numbers of samples are checked
  // besides.
  nlohmann::json const fixed{{"model", state_->configuration},
                             {"batch", options.batch},
                             {"epochs", options.epochs},
                             {"learning_rate", options.learning_rate},
                             {"conformer_learning_rate", options.conformer_learning_rate},
                             {"text_table_learning_rate", options.text_table_learning_rate},
                             {"weight_decay", options.weight_decay},
                             {"clip_norm", options.clip_norm},
                             {"cosine", options.cosine},
                             {"order_seed", options.seed},
                             {"molecules (checksum)", molecules_sum(table, train)}};
  return trainer.fit(source, {.epochs = options.epochs,
                              .schedule = schedule,
                              .clip_norm = options.clip_norm,
                              .seed = m2u::Seed{options.seed},
                              .resume = options.resume,
                              .configuration = fixed.dump()});
}

}  // namespace m2umol
