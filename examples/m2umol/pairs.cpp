// SPDX-License-Identifier: Apache-2.0
// Models that were fine-tuned to predict what holds between two molecules.
#include "m2u/data/pair_dataset.hpp"
#include "m2u/transfer/predict.hpp"

#include "m2umol/tuning.hpp"

namespace m2umol {

namespace {

template <class Model>
struct PairsState final : StateOf<Model> {
  using StateOf<Model>::StateOf;

  m2u::HostRows predict_pairs(m2u::Table const& table,
                              std::shared_ptr<m2u::Pairs const> const& pairs,
                              std::vector<int> which, int threads) const override {
    auto source =
        batches<Space>(dataset(table, pairs), {.size = 1024, .shuffle = false, .threads = threads},
                       std::move(which));
    return m2u::predict(Space{}, this->model, this->values, source);
  }

  FinetuneOutcome finetune_pairs(m2u::Table const& table,
                                 std::shared_ptr<m2u::Pairs const> const& pairs,
                                 std::vector<int> const& train,
                                 std::function<double()> const& validate,
                                 FinetuneOptions const& options) override {
    auto source = batches<Space>(
        dataset(table, pairs),
        {.size = options.batch, .seed = options.seed, .threads = options.threads}, train);
    return tune(*this, source, "molecules", validate, options);
  }

 private:
  static auto dataset(m2u::Table const& table, std::shared_ptr<m2u::Pairs const> const& pairs) {
    return m2u::PairDataset(m2u::TableDataset(table, {std::string(Model::hub_modality())}), pairs);
  }
};

}  // namespace

std::unique_ptr<Engine::State> make_pairs_state(Configuration configuration,
                                                std::optional<std::uint64_t> seed) {
  auto const& prediction = configuration.prediction;
  m2u::expects(prediction.task == "ddi", "there is no task \"", prediction.task, "\" of pairs");
  m2u::expects(prediction.labels.size() > 1, "classes of pairs: there must be two at least");
  return build_tuned_state<PairsState>(std::move(configuration), seed,
                                       [](auto& layout, auto const& c, bool plain) {
                                         return m2u::task<"pairs">(pair_head(layout, c, plain));
                                       });
}

}  // namespace m2umol
