// SPDX-License-Identifier: Apache-2.0
// The model with its numbers behind a plain interface, so that its templates are compiled once.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/data/table.hpp"
#include "m2u/explain/importance.hpp"
#include "m2u/parameters/safetensors.hpp"
#include "m2u/train/info.hpp"
#include "m2u/transfer/embed.hpp"

#include "m2umol/configuration.hpp"
#include "m2umol/held_out.hpp"

namespace m2umol {

using Space = Kokkos::DefaultExecutionSpace;

struct PretrainOptions {
  std::filesystem::path run;  ///< folder of the checkpoint and the log
  std::string recipe = "m2u";
  int epochs = 50;
  int batch = 128;
  double learning_rate = 1e-3;            ///< of everything that has no rate of its own below
  double layer_learning_rate = 1e-3;      ///< of the hub's layers
  double conformer_learning_rate = 5e-4;  ///< of the conformers' encoder
  double weight_decay = 1e-9;
  double clip_norm = 0.0;
  std::string schedule = "cosine";  ///< or "multistep": times 0.8 at epochs 100 and 200; "constant"
  bool shuffle = true;              ///< else the same batches in each epoch, as published
  std::vector<std::string> without;  ///< modalities that are not used, for comparisons
  std::uint64_t seed = 1;
  int threads = 2;  ///< of the loader
  bool resume = false;
  int evaluate_every = 1;  ///< epochs between evaluations on held-out molecules
};

struct PretrainOutcome {
  m2u::FitResult fit;
  /// Retrieval of the trained model; nothing if no epoch was left or fewer than two are held out.
  std::optional<std::vector<HeldOut>> held_out;
};

/// A function of the hub's rows: (tape, rows [graphs, width]) → [graphs, columns].
using HubFunction = std::function<m2u::Tensor<Space>(m2u::Tape<Space>&, m2u::Tensor<Space> const&)>;

enum class ExplainMethod { attention, gradient, masking };

/// Which of a model's numbers is explained.
struct ExplainTarget {
  std::string of = "2d";  ///< the vector, if there is no task
  std::string task;       ///< of a fine-tuned model: its prediction before the last activation
};

/// How much the atoms, bonds and groups of one molecule matter to one number.
struct GraphExplanation {
  double value = 0.0;  ///< the number
  m2u::Importance importance;
  std::vector<double> groups;
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

  /// A model of given values: every parameter and state entry under our name.
  /// @throws m2u::Error listing what is missing, unexpected or misshapen.
  static Engine from_tensors(Configuration configuration,
                             std::vector<m2u::NamedTensor> const& tensors);
  /// Every parameter and state entry.
  std::vector<m2u::NamedTensor> tensors() const;

  Configuration const& configuration() const;
  nlohmann::json const& training() const;  ///< as saved with the model, else an empty object
  std::size_t parameters() const;

  /// Vectors of some rows of a prepared table, in their order.
  m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                        m2u::EmbedOptions const& options, int threads) const;

  /// @param graph one graph, with the features that the model takes
  /// @throws m2u::Error if the model has no such vector or task.
  GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& graph, ExplainTarget const& target,
                           ExplainMethod method, std::vector<m2u::NodeGroup> const& groups) const;

  /// Trains on the rows `train`; each epoch is evaluated on `held_out` and logged to run/log.jsonl.
  /// @throws m2u::Error if the table does not fit the configuration or training diverges.
  PretrainOutcome pretrain(m2u::Table const& table, std::vector<int> const& train,
                           std::vector<int> const& held_out, PretrainOptions const& options);

 private:
  struct State;
  template <class Model>
  struct StateOf;
  /// @param seed of the initial values; none for zeros, if they are read next
  static std::unique_ptr<State> make_state(Configuration configuration,
                                           std::optional<std::uint64_t> seed);
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace m2umol
