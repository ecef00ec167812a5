// SPDX-License-Identifier: Apache-2.0
// Models that were fine-tuned to predict labels of molecules.
#include "m2u/data/labelled_dataset.hpp"
#include "m2u/transfer/predict.hpp"

#include "m2umol/tuning.hpp"

namespace m2umol {

namespace {

template <class Model>
struct PropertyState final : StateOf<Model> {
  using StateOf<Model>::StateOf;

  m2u::HostRows predict(m2u::Table const& table, std::vector<int> rows,
                        int threads) const override {
    auto source =
        this->batches_of(table, std::move(rows), threads, {std::string(Model::hub_modality())});
    return m2u::predict(Space{}, this->model, this->values, source);
  }

  FinetuneOutcome finetune(m2u::Table const& table, m2u::Labels const& labels,
                           std::vector<int> const& train, std::function<double()> const& validate,
                           FinetuneOptions const& options) override {
    auto source = batches<Space>(
        m2u::LabelledDataset(m2u::TableDataset(table, {std::string(Model::hub_modality())}),
                             labels),
        {.size = options.batch, .seed = options.seed, .threads = options.threads}, train);
    return tune(*this, source, "molecules", validate, options);
  }

  HubFunction task_head(std::string const& task) const override {
    auto const& labels = this->configuration.prediction.labels;
    auto const found = std::find(labels.begin(), labels.end(), task);
    std::string known;
    for (auto const& label : labels) {
      known += (known.empty() ? "\"" : ", \"") + label + '"';
    }
    m2u::expects(found != labels.end(), "the model has no task \"", task, "\"; there are ", known);
    std::vector<float> only(labels.size(), 0.0F);
    only[static_cast<std::size_t>(found - labels.begin())] = 1.0F;
    HubFunction const outputs = [model = this->model](m2u::Tape<Space>& tape,
                                                      m2u::Tensor<Space> const& rows) {
      m2u::Tensor<Space> result;
      auto const represented = model.represent(tape, rows);
      model.for_each_task([&](auto const& part) { result = part.head(tape, represented); });
      return result;
    };
    return projected(outputs, std::move(only));
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
  return build_tuned_state<PropertyState>(
      std::move(configuration), seed, [](auto& layout, auto const& c, bool plain) {
        return m2u::task<"labels">(label_head(layout, c, plain));
      });
}

}  // namespace m2umol
