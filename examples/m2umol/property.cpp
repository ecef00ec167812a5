// SPDX-License-Identifier: Apache-2.0
// Models that were fine-tuned to predict labels of molecules.
#include <algorithm>
#include <functional>
#include <memory>

#include "m2u/data/labelled_dataset.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/best_epoch.hpp"
#include "m2u/train/json_log.hpp"
#include "m2u/train/progress.hpp"
#include "m2u/train/trainer.hpp"
#include "m2u/transfer/predict.hpp"

#include "m2umol/engine_state.hpp"
#include "m2umol/model.hpp"

namespace m2umol {

namespace {

/// The parts that pre-training made, where the model has them, at their own rate.
std::vector<m2u::ParameterGroup> encoder_groups(m2u::ParameterLayout const& layout, double rate) {
  std::vector<m2u::ParameterGroup> groups;
  for (std::string const scope : {"hub", "to_3d", "to_text", "to_bio", "norm"}) {
    bool const there =
        std::any_of(layout.parameters().begin(), layout.parameters().end(),
                    [&](auto const& entry) { return entry.name.starts_with(scope + "."); });
    if (there) {
      groups.push_back({scope, rate, rate == 0.0 ? std::optional(0.0) : std::nullopt});
    }
  }
  return groups;
}

m2u::TrainSchedule schedule_of(FinetuneOptions const& options) {
  if (options.schedule == "cosine") {
    return m2u::CosineDecay{static_cast<double>(options.epochs),
                            std::min(1.0, 0.1 * options.epochs), 0.02};
  }
  m2u::expects(options.schedule == "constant", "there is no schedule \"", options.schedule,
               "\"; there are cosine and constant");
  return m2u::Constant{};
}

template <class Model>
struct PropertyState final : StateOf<Model> {
  using StateOf<Model>::StateOf;

  m2u::HostRows predict(m2u::Table const& table, std::vector<int> rows,
                        int threads) const override {
    auto source = this->graphs(table, std::move(rows), threads, false);
    return m2u::predict(Space{}, this->model, this->values, source);
  }

  FinetuneOutcome finetune(m2u::Table const& table, m2u::Labels const& labels,
                           std::vector<int> const& train, std::function<double()> const& validate,
                           FinetuneOptions const& options) override {
    m2u::AdamW<Space> adam{this->values,
                           {.learning_rate = options.learning_rate,
                            .weight_decay = options.weight_decay,
                            .groups = encoder_groups(this->layout, options.encoder_learning_rate)}};
    auto source = m2u::batches<Space>(
        m2u::LabelledDataset(m2u::TableDataset(table, {std::string(Model::hub_modality())}),
                             labels),
        {.size = options.batch, .seed = options.seed, .threads = options.threads}, train);
    m2u::BestEpoch<Space> best(this->values, validate,
                               {.highest = options.highest, .patience = options.patience});
    m2u::Trainer trainer{this->model,
                         this->values,
                         adam,
                         std::ref(best),
                         m2u::ProgressBar{{.unit = "molecules"}},
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
};

}  // namespace

std::unique_ptr<Engine::State> make_property_state(Configuration configuration,
                                                   std::optional<std::uint64_t> seed) {
  auto const& prediction = configuration.prediction;
  bool const regression = prediction.task == "regression";
  m2u::expects(regression || prediction.task == "classification", "there is no task \"",
               prediction.task, "\"; there are classification and regression");
  m2u::expects(!prediction.labels.empty(), "a model that predicts needs labels");
  m2u::expects(!regression || (prediction.mean.size() == prediction.labels.size() &&
                               prediction.scale.size() == prediction.labels.size()),
               "the prediction's mean and scale are not those of its ", prediction.labels.size(),
               " labels");
  if (prediction.head == "fusion") {
    return build_state<PropertyState>(std::move(configuration), seed,
                                      [](auto& layout, auto const& c) {
                                        return make_fused_property_model(layout, c);
                                      });
  }
  m2u::expects(prediction.head == "2d", "there is no head \"", prediction.head,
               "\"; there are fusion and 2d");
  return build_state<PropertyState>(
      std::move(configuration), seed,
      [](auto& layout, auto const& c) { return make_plain_property_model(layout, c); });
}

}  // namespace m2umol
