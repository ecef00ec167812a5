// SPDX-License-Identifier: Apache-2.0
// What all fine-tuning shares: rates of the parts, the schedule, and going back to the best epoch.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "m2u/train/adam.hpp"
#include "m2u/train/best_epoch.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/progress.hpp"
#include "m2u/train/trainer.hpp"

#include "m2umol/engine_state.hpp"
#include "m2umol/model.hpp"

namespace m2umol {

/// The parts that have a rate of their own, where the model has them: what pre-training made, and
/// what tells domains apart.
inline std::vector<m2u::ParameterGroup> rate_groups(m2u::ParameterLayout const& layout,
                                                    FinetuneOptions const& options) {
  std::vector<m2u::ParameterGroup> groups;
  auto const add = [&](std::string const& scope, double rate, std::optional<double> decay) {
    if (std::any_of(layout.parameters().begin(), layout.parameters().end(),
                    [&](auto const& entry) { return entry.name.starts_with(scope + "."); })) {
      groups.push_back({scope, rate, decay});
    }
  };
  double const rate = options.encoder_learning_rate;
  for (char const* const scope : {"hub", "to_3d", "to_text", "to_bio", "norm"}) {
    add(scope, rate, rate == 0.0 ? std::optional(0.0) : std::nullopt);
  }
  add("adaptation", options.adapt.learning_rate, std::nullopt);
  return groups;
}

inline m2u::TrainSchedule schedule_of(FinetuneOptions const& options) {
  if (options.schedule == "cosine") {
    return m2u::CosineDecay{static_cast<double>(options.epochs),
                            std::min(1.0, 0.1 * options.epochs), 0.02};
  }
  m2u::expects(options.schedule == "constant", "there is no schedule \"", options.schedule,
               "\"; there are cosine and constant");
  return m2u::Constant{};
}

/// Trains a model on batches with labels, and goes back to the epoch that was best.
/// @param state has the layout, the model and its values
/// @param first_epoch from 1: earlier ones are never the best
template <class State, class Source>
FinetuneOutcome tune(State& state, Source& source, char const* unit,
                     std::function<double()> const& validate, FinetuneOptions const& options,
                     int first_epoch = 1) {
  m2u::AdamW<Space> adam{state.values,
                         {.learning_rate = options.learning_rate,
                          .weight_decay = options.weight_decay,
                          .groups = rate_groups(state.layout, options)}};
  m2u::BestEpoch<Space> best(
      state.values, validate,
      {.highest = options.highest, .patience = options.patience, .first = first_epoch});
  m2u::Trainer trainer{state.model,
                       state.values,
                       adam,
                       std::ref(best),
                       m2u::ProgressBar{{.unit = unit}},
                       m2u::JsonLog{options.log}};
  FinetuneOutcome outcome;
  outcome.fit = trainer.fit(source, {.epochs = options.epochs,
                                     .schedule = schedule_of(options),
                                     .clip_norm = options.clip_norm,
                                     .seed = m2u::Seed{options.seed}});
  best.restore(Space{});
  outcome.best_epoch = best.epoch();
  outcome.best_score = best.score();
  return outcome;
}

/// A model of the 2D encoder or of the fusion, with a task.
/// @param State a template of states  @param task (layout, configuration, plain) → the task; plain:
/// on the 2D encoder's vectors as they are
/// @throws m2u::Error if there is no such head.
template <template <class> class State, class MakeTask>
std::unique_ptr<Engine::State> build_tuned_state(Configuration configuration,
                                                 std::optional<std::uint64_t> seed,
                                                 MakeTask const& task) {
  auto const head = configuration.prediction.head;
  if (head == "fusion") {
    return build_state<State>(std::move(configuration), seed, [&task](auto& layout, auto const& c) {
      return make_fusion_model(layout, c, task(layout, c, false));
    });
  }
  m2u::expects(head == "2d", "there is no head \"", head, "\"; there are fusion and 2d");
  return build_state<State>(std::move(configuration), seed, [&task](auto& layout, auto const& c) {
    return make_plain_model(layout, c, task(layout, c, true));
  });
}

}  // namespace m2umol
