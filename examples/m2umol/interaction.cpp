// SPDX-License-Identifier: Apache-2.0
// Models that were fine-tuned to predict whether a molecule and a protein interact.
#include <algorithm>
#include <utility>

#include "m2u/data/interaction_dataset.hpp"
#include "m2u/train/adaptation_batches.hpp"
#include "m2u/transfer/domain_adaptation.hpp"

#include "m2umol/tuning.hpp"

namespace m2umol {

namespace {

/// Atoms of each row of a table of molecules.
std::vector<int> atom_counts(m2u::Table const& table) {
  int values = 0;
  int features = 0;
  for (auto const& spec : m2u::read_modalities(table.metadata())) {
    if (auto const* const graph = std::get_if<m2u::GraphModality>(&spec)) {
      values = graph->node_values;
      features = static_cast<int>(graph->node_vocabularies.size());
    }
  }
  std::vector<int> counts;
  auto const count = [&](auto const& column, int width) {
    for (int row = 0; row < table.size(); ++row) {
      counts.push_back(static_cast<int>(column[row].size()) / width);
    }
  };
  if (features > 0) {
    count(table.column<int>("2d.node_features"), features);
  } else {
    count(table.column<float>("2d.node_values"), values);
  }
  return counts;
}

using InteractionModel = m2u::InteractionModel<m2u::Gps>;

InteractionModel make_interaction_model(m2u::ParameterLayout& layout,
                                        Configuration const& configuration) {
  return {layout.scope("head"),
          m2u::Gps{layout.scope("hub"), hub_options(configuration)},
          {.molecule_width = configuration.width, .dropout = configuration.dropout}};
}

/// The model with what tells domains apart beside it. For training alone: what is saved predicts
/// without.
struct AdaptedState {
  AdaptedState(Configuration const& configuration, FinetuneOptions const& options)
      // In this order: the model's numbers are at the same places as without the rest.
      : model{make_interaction_model(layout, configuration),
              m2u::Cdan{layout.scope("adaptation"),
                        {.features = m2u::InteractionOptions{}.joint,
                         .projection = options.adapt.columns,
                         .weight = static_cast<float>(options.adapt.weight)}}},
        values(Space{}, layout, m2u::Seed{options.seed}) {}

  m2u::ParameterLayout layout;
  m2u::DomainAdapted<InteractionModel> model;
  m2u::Parameters<Space> values;
};

/// Copies what both have: the numbers of the smaller of the models begin those of the other.
void copy_common(m2u::Parameters<Space> const& from, m2u::Parameters<Space> const& to) {
  Space const space;
  for (auto const& [source, target] :
       {std::pair(from.values(), to.values()), std::pair(from.state(), to.state())}) {
    std::pair<std::size_t, std::size_t> const part{0, std::min(source.extent(0), target.extent(0))};
    Kokkos::deep_copy(space, Kokkos::subview(target, part), Kokkos::subview(source, part));
  }
  space.fence("m2umol::copy_common");
}

struct InteractionState final : Engine::State {
  InteractionState(Configuration c, std::optional<std::uint64_t> seed)
      : State(std::move(c)),
        model(make_interaction_model(layout, configuration)),
        values(seed ? m2u::Parameters<Space>(Space{}, layout, m2u::Seed{*seed})
                    : m2u::Parameters<Space>(Space{}, layout)) {}

  static auto batches(m2u::Table const& table,
                      std::shared_ptr<m2u::Interactions const> const& pairs,
                      LoaderOptions const& options, std::vector<int> which) {
    return m2umol::batches<Space>(
        m2u::InteractionDataset(m2u::TableDataset(table, {"2d"}), atom_counts(table), pairs),
        options, std::move(which));
  }

  m2u::Parameters<Space> const& theta() const override { return values; }
  m2u::Embeddings embed(m2u::Table const& /*table*/, std::vector<int> /*rows*/,
                        m2u::EmbedOptions const& /*options*/, int /*threads*/,
                        std::vector<std::string> const& /*real*/) const override {
    m2u::fail("a model of molecules and proteins gives no vectors of molecules");
  }
  GraphExplanation explain(m2u::GraphBatch<m2u::Host> const& /*graph*/,
                           ExplainTarget const& /*target*/, ExplainMethod /*method*/,
                           std::vector<m2u::NodeGroup> const& /*groups*/) const override {
    m2u::fail("a model of molecules and proteins can't be explained yet");
  }

  m2u::HostRows predict_interactions(m2u::Table const& table,
                                     std::shared_ptr<m2u::Interactions const> const& pairs,
                                     std::vector<int> which, int threads) const override {
    auto source =
        batches(table, pairs, {.size = 64, .shuffle = false, .threads = threads}, std::move(which));
    m2u::HostRows result;
    m2u::Tape<Space> tape(Space{}, values, m2u::Mode::evaluation);
    tape.infer_only();
    source.start_epoch(0);
    for (std::uint64_t step = 0; auto const batch = source.next(Space{}); ++step) {
      tape.reset(step);
      auto const logits = model.predict(tape, *batch);
      result.append(logits.rows(), logits.cols(), m2u::to_host(Space{}, logits.value));
    }
    return result;
  }

  FinetuneOutcome finetune_interactions(m2u::Table const& table,
                                        std::shared_ptr<m2u::Interactions const> const& pairs,
                                        InteractionParts const& parts,
                                        std::function<double()> const& validate,
                                        FinetuneOptions const& options) override {
    LoaderOptions loading{.size = options.batch, .seed = options.seed, .threads = options.threads};
    auto source = batches(table, pairs, loading, parts.train);
    if (parts.target.empty()) {
      return tune(*this, source, "molecules", validate, options);
    }
    // A rest of a few pairs would count as much as a batch.
    loading.drop_last = static_cast<int>(parts.target.size()) > loading.size;
    AdaptedState adapted(configuration, options);
    copy_common(values, adapted.values);
    m2u::AdaptationBatches both(std::move(source), batches(table, pairs, loading, parts.target),
                                options.adapt.first_epoch);
    auto const score = [&] {
      copy_common(adapted.values, values);
      return validate();
    };
    auto outcome = tune(adapted, both, "molecules", score, options, options.adapt.first_epoch);
    copy_common(adapted.values, values);
    return outcome;
  }

  m2u::ParameterLayout layout;
  InteractionModel model;
  m2u::Parameters<Space> values;
};

}  // namespace

std::unique_ptr<Engine::State> make_interaction_state(Configuration configuration,
                                                      std::optional<std::uint64_t> seed) {
  return std::make_unique<InteractionState>(std::move(configuration), seed);
}

}  // namespace m2umol
