// SPDX-License-Identifier: Apache-2.0
#include "support/pretrain_step.hpp"

#include <functional>
#include <utility>

#include "m2u/train/adam.hpp"
#include "m2u/train/trainer.hpp"

#include "support/molecules.hpp"

namespace bench {

namespace {

/// Takes the time of each batch and counts what it allocated. On a device the steps run on without
/// a wait between them, as in training, and each is given the mean.
struct StepClock {
  std::vector<double>* seconds;
  std::function<void()> after_warmup;
  int warmup = 0;
  Clock::time_point last = {};

  void on_start(m2u::StartInfo const&) { last = Clock::now(); }
  void on_batch(m2u::BatchInfo const& info) {
    bool const end = info.batch == info.batches;
    if (m2u::on_host<Space> || info.batch <= warmup || end) {
      Space{}.fence();
    }
    if (info.batch == warmup) {
      after_warmup();
    }
    if (m2u::on_host<Space> && info.batch > warmup) {
      seconds->push_back(seconds_since(last));
    } else if (end) {
      auto const steps = static_cast<std::size_t>(info.batches - warmup);
      seconds->assign(steps, seconds_since(last) / static_cast<double>(steps));
    }
    if (m2u::on_host<Space> || info.batch <= warmup) {
      last = Clock::now();
    }
  }
};

std::vector<int> rows_of_size(m2u::Table const& table, int least, int most) {
  auto const features = table.column<int>("2d.node_features");
  std::vector<int> rows;
  for (int row = 0; row < table.size(); ++row) {
    auto const atoms = static_cast<int>(features[row].size()) / features.width();
    if (atoms >= least && atoms <= most) {
      rows.push_back(row);
    }
  }
  m2u::expects(!rows.empty(), "no molecule has ", least, " … ", most, " heavy atoms");
  return rows;
}

/// All batches, collated.
CycledBatches collated_batches(Space const& space, StepOptions const& options) {
  auto const table = molecules_with_drawn_features(options.data, options.conformers, options.seed);
  auto const rows = rows_of_size(table, options.least_atoms, options.most_atoms);
  m2u::TableDataset const dataset(table, {}, {.hub_parts = options.model.three_passes ? "2d" : ""});
  std::vector<m2u::MultiBatch<Space>> batches;
  for (auto batch : full_batches(static_cast<int>(rows.size()), options.batch, options.seed)) {
    for (int& place : batch) {
      place = rows[static_cast<std::size_t>(place)];
    }
    batches.push_back(dataset.collate<Space>(batch).to_space(space));
  }
  return {std::move(batches), options.warmup + options.steps};
}

/// The steps with a model that has taken its parameters from the layout.
template <class Model>
StepResult measure(Space const& space, StepOptions const& options, bool profile,
                   m2u::ParameterLayout const& layout, Model const& model) {
  m2u::expects(options.steps > 0 && options.warmup > 0, "steps and warm-up must be positive");
  Allocations const allocations;
  auto source = collated_batches(space, options);
  m2u::Parameters<Space> const theta(space, layout, m2u::Seed{options.seed});
  // The published rates: other numbers take the same time, but this is the published step.
  std::vector<m2u::ParameterGroup> groups{{"3d", 5e-4, {}}};
  for (int layer = 0; layer < options.model.layers; ++layer) {
    groups.push_back({"hub.layer" + std::to_string(layer), 1e-3, {}});
  }
  m2u::Adam<Space> adam{theta, {.learning_rate = 5e-4, .weight_decay = 1e-9, .groups = groups}};

  StepResult result;
  long long before = 0;
  StepClock clock{&result.seconds,
                  [&] {
                    before = allocations.count();
                    if (profile) {
                      result.profile.start();
                    }
                  },
                  options.warmup};
  m2u::Trainer trainer{model, theta, adam, std::ref(clock)};
  auto const fit = trainer.fit(space, source, {.epochs = 1, .seed = m2u::Seed{options.seed}});
  if (profile) {
    KernelProfile::stop();
  }
  result.allocations_per_step =
      static_cast<double>(allocations.count() - before) / static_cast<double>(options.steps);
  result.loss = fit.history.back().loss;
  for (auto const& entry : layout.parameters()) {
    result.parameters += entry.slice.size();
  }
  result.arena_bytes = static_cast<double>(allocations.most("m2u::autodiff::arena"));
  auto const& batches = source.batches();
  double const share = 1.0 / static_cast<double>(options.steps);
  for (int i = 0; i < options.steps; ++i) {
    auto const& batch = batches[static_cast<std::size_t>(options.warmup + i) % batches.size()];
    auto const shape = shape_of(space, batch);
    auto const flops = step_flops(options.model, shape);
    result.shape += shape.scaled(share);
    result.flops.hub += share * flops.hub;
    result.flops.conformers += share * flops.conformers;
    result.flops.rest += share * flops.rest;
  }
  result.peak_rss_mib = peak_rss_mib();
  return result;
}

}  // namespace

StepResult measure_step(Space const& space, StepOptions const& options, bool profile) {
  m2u::ParameterLayout layout;
  if (options.conformers) {
    return measure(space, options, profile, layout, m2umol::make_model(layout, options.model));
  }
  // The modality is there, but as given vectors: a step without the encoder, not without a loss.
  auto const model =
      m2umol::make_model(layout, options.model,
                         m2u::Precomputed{layout.scope("3d"), given_width, options.model.width});
  return measure(space, options, profile, layout, model);
}

}  // namespace bench
