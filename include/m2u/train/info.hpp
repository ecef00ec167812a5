// SPDX-License-Identifier: Apache-2.0
/// @file
/// What callbacks of a training run are told.
///
/// A callback is any struct with some of these members; the trainer calls those that are there,
/// callback by callback in the order they were given:
///   on_start(StartInfo const&)            before the first batch
///   on_gradients(GradientInfo<S> const&)  between the backward pass and the update (all-reduce)
///   on_batch(BatchInfo const&)            after a batch; on a device the host does not wait for it
///   on_epoch(EpochInfo&)                  after an epoch; may fill `extra` and set `stop`
///   on_end(EndInfo const&)                at the end, also when an error ends the run
/// What keeps the state of a run (Checkpoints) has two more:
///   bool begin(TrainingState<S>&, bool resume)   before on_start; true if it restored a state
///   void save(TrainingState<S> const&, bool last)  after every on_epoch of every callback
/// and optionally `std::string last_good() const`, which names the state to go back to.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/train/optimiser.hpp"

namespace m2u {

/// One term of the loss over an epoch.
struct TermInfo {
  std::string name;
  double mean = std::numeric_limits<double>::quiet_NaN();  ///< over the batches that had it
  double weight = 1.0;                                     ///< its factor in the total
  int batches = 0;                                         ///< batches that had it
  int skipped = 0;                                         ///< batches with too few rows for it
  std::int64_t rows = 0;                                   ///< rows that took part
};

struct StartInfo {
  int epochs = 0;
  int first_epoch = 1;         ///< the epoch that comes first now, from 1
  int batches = 0;             ///< per epoch
  int samples = 0;             ///< per epoch
  std::size_t parameters = 0;  ///< trained numbers
  bool resumed = false;        ///< whether a saved state was restored
};

template <ExecutionSpace S>
struct GradientInfo {
  S const& space;
  Parameters<S> const& theta;
  std::uint64_t step = 0;
};

struct BatchInfo {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  int batch = 0;  ///< from 1
  int batches = 0;
  std::uint64_t step = 0;    ///< steps of the whole run so far
  std::int64_t samples = 0;  ///< of this epoch so far
  double seconds = 0.0;      ///< of this epoch so far
  double loss = 0.0;  ///< mean of this epoch when the host last looked (FitOptions::check_every)
  double learning_rate_factor = 1.0;
};

struct EpochInfo {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  std::uint64_t step = 0;  ///< steps of the whole run so far
  double loss = 0.0;       ///< mean over the epoch's batches
  std::vector<TermInfo> terms = {};
  int batches = 0;
  int skipped_batches = 0;  ///< batches without any term: no update
  std::int64_t samples = 0;
  double seconds = 0.0;  ///< of training, callbacks left out
  double samples_per_second = 0.0;
  double learning_rate_factor = 1.0;  ///< of the last batch
  double gradient_norm = 0.0;         ///< of the last batch, before clipping
  /// Whatever a callback wants later ones to know and the log to hold, for example measures on
  /// held-out samples.
  nlohmann::json extra = nlohmann::json::object();
  bool stop = false;  ///< set it to end the run after this epoch
};

struct EndInfo {
  int epochs = 0;  ///< completed, those before a resume included
  std::uint64_t steps = 0;
  double seconds = 0.0;
  bool completed = false;  ///< false if an error ended the run
};

/// What Trainer::fit gives.
struct FitResult {
  int epochs = 0;  ///< completed, those before a resume included
  std::uint64_t steps = 0;
  double seconds = 0.0;            ///< of this call
  std::vector<EpochInfo> history;  ///< of the epochs of this call
};

/// Everything that a run needs to go on as if it had not been interrupted.
template <ExecutionSpace S>
struct TrainingState {
  S space;
  Parameters<S> theta;
  OptimiserState<S>* optimiser = nullptr;
  int epoch = 0;           ///< completed epochs
  std::uint64_t step = 0;  ///< completed steps
  int epochs = 0;          ///< asked for
  /// What must be the same for the run to go on: seed, batches, the user's configuration.
  std::map<std::string, std::string> configuration;
};

}  // namespace m2u
