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

#include "m2u/data/labels.hpp"
#include "m2u/data/table.hpp"
#include "m2u/explain/importance.hpp"
#include "m2u/parameters/safetensors.hpp"
#include "m2u/train/info.hpp"
#include "m2u/transfer/embeddings.hpp"

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

/// How a model of molecules and proteins adapts to pairs without labels (conditional adversarial
/// adaptation).
struct AdaptOptions {
  double weight = 1.0;          ///< of the domains' loss
  int first_epoch = 10;         ///< from 1: it begins then
  int columns = 256;            ///< of the randomised map; 0: the whole outer product
  double learning_rate = 1e-3;  ///< of what tells the domains apart
};

struct FinetuneOptions {
  std::filesystem::path log;  ///< file that gets a line per epoch
  int epochs = 50;
  int batch = 32;
  double learning_rate = 5e-4;          ///< of the head and the fusion
  double encoder_learning_rate = 2e-4;  ///< of what was pre-trained; 0: it is frozen
  double weight_decay = 0.0;            ///< decoupled (AdamW)
  double clip_norm = 0.0;
  std::string schedule = "cosine";  ///< after a warm-up of an epoch; or "constant"
  int patience = 0;                 ///< stop after so many epochs without a better one; 0: never
  bool highest = true;              ///< the best validation score is the highest
  std::uint64_t seed = 0;           ///< of the order and of dropout
  int threads = 2;                  ///< of the loader
  AdaptOptions adapt;               ///< with a target alone
};

/// Numbers of pairs of molecules and proteins to learn from.
struct InteractionParts {
  std::vector<int> train;
  std::vector<int> target;  ///< of the domain to adapt to, whose labels are not looked at; or none
};

struct FinetuneOutcome {
  m2u::FitResult fit;
  int best_epoch = 0;       ///< whose parameters the model has now
  double best_score = 0.0;  ///< on the validation part
};

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
  /// The checksum of the file that it was loaded from, which stands for the model; else empty.
  std::string const& checksum() const;
  std::size_t parameters() const;

  /// Vectors of some rows of a prepared table, in their order.
  /// @param real modalities whose real vectors are wanted, if options ask for them; none given: all
  /// of the table
  m2u::Embeddings embed(m2u::Table const& table, std::vector<int> rows,
                        m2u::EmbedOptions const& options, int threads,
                        std::vector<std::string> const& real = {}) const;

  /// What a model fine-tuned on pairs says of some: [pairs, classes], chances.
  /// @param which numbers of pairs, whose molecules are rows of the table
  m2u::HostRows predict_pairs(m2u::Table const& table,
                              std::shared_ptr<m2u::Pairs const> const& pairs,
                              std::vector<int> which, int threads) const;
  /// Fine-tunes a model of the form "pairs", as `finetune` does.
  FinetuneOutcome finetune_pairs(m2u::Table const& table,
                                 std::shared_ptr<m2u::Pairs const> const& pairs,
                                 std::vector<int> const& train,
                                 std::function<double()> const& validate,
                                 FinetuneOptions const& options);

  /// What a model fine-tuned on molecules and proteins says of some pairs: [pairs, 1], chances.
  m2u::HostRows predict_interactions(m2u::Table const& table,
                                     std::shared_ptr<m2u::Interactions const> const& pairs,
                                     std::vector<int> which, int threads) const;
  /// Fine-tunes a model of the form "interaction", as `finetune` does. With a target it adapts to
  /// that, and epochs before the adaptation are never the best.
  FinetuneOutcome finetune_interactions(m2u::Table const& table,
                                        std::shared_ptr<m2u::Interactions const> const& pairs,
                                        InteractionParts const& parts,
                                        std::function<double()> const& validate,
                                        FinetuneOptions const& options);

  /// What a fine-tuned model says of some rows: [rows, labels], chances of the label 1 or numbers
  /// in the labels' units. @throws m2u::Error if the model was not fine-tuned.
  m2u::HostRows predict(m2u::Table const& table, std::vector<int> rows, int threads) const;

  /// Fine-tunes a model of the form "property" on the rows `train`, and goes back to the epoch that
  /// was best on validation.
  /// @param labels of all rows of the table; of a regression in units of the prediction's scale
  /// @param validate the score of the model as it is, called after every epoch
  FinetuneOutcome finetune(m2u::Table const& table, m2u::Labels const& labels,
                           std::vector<int> const& train, std::function<double()> const& validate,
                           FinetuneOptions const& options);

  /// @param graph one graph, with the features that the model takes
  /// @throws m2u::Error if the model has no such vector or task.
  GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& graph, ExplainTarget const& target,
                           ExplainMethod method, std::vector<m2u::NodeGroup> const& groups) const;

  /// Trains on the rows `train`; each epoch is evaluated on `held_out` and logged to run/log.jsonl.
  /// @throws m2u::Error if the table does not fit the configuration or training diverges.
  PretrainOutcome pretrain(m2u::Table const& table, std::vector<int> const& train,
                           std::vector<int> const& held_out, PretrainOptions const& options);

  struct State;  ///< a model of some type with its numbers

 private:
  /// @param seed of the initial values; none for zeros, if they are read next
  static std::unique_ptr<State> make_state(Configuration configuration,
                                           std::optional<std::uint64_t> seed);
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace m2umol
