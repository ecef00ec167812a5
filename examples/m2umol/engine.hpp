// SPDX-License-Identifier: Apache-2.0
// The model with its numbers behind a plain interface, so that its templates are compiled once.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/data/table.hpp"
#include "m2u/retrieve/metrics.hpp"
#include "m2u/train/info.hpp"
#include "m2u/transfer/embed.hpp"

#include "m2umol/configuration.hpp"

namespace m2umol {

using Space = Kokkos::DefaultExecutionSpace;

/// How well generated vectors of held-out molecules find the real ones, and the other way round.
struct HeldOut {
  std::string modality;
  m2u::RetrievalMetrics from_2d;  ///< generated → real
  m2u::RetrievalMetrics to_2d;    ///< real → generated
};

/// As the log keeps it: one object per modality.
nlohmann::json to_json(std::vector<HeldOut> const& rows);

struct PretrainOptions {
  std::filesystem::path run;  ///< folder of the checkpoint and the log
  int epochs = 50;
  int batch = 256;
  double learning_rate = 1e-3;  ///< of everything but the conformers' encoder
  double conformer_learning_rate = 5e-4;
  double text_table_learning_rate = 1e-3;  ///< of the n-grams' embeddings
  double weight_decay = 1e-9;
  double clip_norm = 0.0;
  bool cosine = true;  ///< else the rates times 0.8 at epochs 100 and 200
  std::uint64_t seed = 1;
  int threads = 2;  ///< of the loader
  bool resume = false;
  int evaluate_every = 1;  ///< epochs between evaluations on held-out molecules
};

class Engine {
 public:
  /// A new model. @param seed of the initial values.
  Engine(Configuration configuration, std::uint64_t seed);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// @throws m2u::Error naming the file and what is wrong with it.
  static Engine load(std::filesystem::path const& path);
  /// Writes parameters and configuration as safetensors. @param training facts about the training
  /// run.
  void save(std::filesystem::path const& path, nlohmann::json const& training) const;

  Configuration const& configuration() const;
  nlohmann::json const& training() const;  ///< as saved with the model, else an empty object
  std::size_t parameters() const;

  /// Vectors of some rows of a prepared table, in their order.
  m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                        m2u::EmbedOptions const& options, int threads) const;

  /// Held-out retrieval on some rows of a prepared table. Modalities with fewer than two are left
  /// out.
  std::vector<HeldOut> evaluate(m2u::Table const& table, std::vector<int> const& rows,
                                int threads) const;

  /// Trains on the rows `train`; each epoch is evaluated on `held_out` and logged to run/log.jsonl.
  /// @throws m2u::Error if the table does not fit the configuration or training diverges.
  m2u::FitResult pretrain(m2u::Table const& table, std::vector<int> const& train,
                          std::vector<int> const& held_out, PretrainOptions const& options);

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace m2umol
