// SPDX-License-Identifier: Apache-2.0
// The pre-training model: layers, losses, gradients and running statistics.
#include <cmath>
#include <numeric>

#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/precomputed.hpp"
#include "m2u/objectives/modality_classifier.hpp"
#include "m2u/objectives/nt_xent.hpp"
#include "m2u/transfer/multi_to_uni.hpp"
#include "parity/model.hpp"

namespace m2u::parity {

namespace {

/// ComENet with the recorded basis of its edges.
struct FedComENet {
  template <ExecutionSpace S>
  using Batch = FedConformers<S>;

  template <ExecutionSpace S, class R>
  Tensor<S, R> atoms(Tape<S, R>& tape, FedConformers<S> const& batch) const {
    return encoder.atoms(
        tape, batch.conformers,
        {constant_of(tape, batch.angles).value, constant_of(tape, batch.torsions).value});
  }
  template <ExecutionSpace S, class R>
  Tensor<S, R> operator()(Tape<S, R>& tape, FedConformers<S> const& batch) const {
    return pool(tape, atoms(tape, batch), batch.conformers.atoms, Pooling::sum);
  }

  ComENet encoder;
};

struct Model {
  Model(ParameterLayout& layout, Dims const& dims)
      : hub(layout.scope("hub"), hub_options(dims)),
        conformers{ComENet(layout.scope("3d"), dims.conformers)},
        text(layout.scope("text"), dims.text, dims.width),
        bio(layout.scope("bio"), {.vocabularies = dims.bio, .out = dims.width}),
        adapters(layout, dims.width),
        classifier(layout.scope("modality"), {.width = dims.width}) {}

  /// As trained: the hub is encoded for each modality.
  auto composition(float temperature) const {
    NtXent const objective{.temperature = temperature};
    return MultiToUni{m2u::hub(hub),
                      match<"3d">(conformers, adapters.to_3d, objective),
                      match<"text">(text, adapters.to_text, objective),
                      match<"bio">(bio, adapters.to_bio, objective),
                      shared_norm(adapters.norm),
                      joint(classifier),
                      passes(HubPasses::each)};
  }

  Gps hub;
  FedComENet conformers;
  Precomputed text;
  MultiHot bio;
  Adapters adapters;
  ModalityClassifier classifier;
};

MultiBatch<Space> multi_batch(Inputs const& inputs) {
  std::vector<int> ids(static_cast<std::size_t>(inputs.molecules));
  std::iota(ids.begin(), ids.end(), 0);
  auto const rows = to_space(Space{}, make_row_index(ids, inputs.molecules));
  MultiBatch<Space> batch(inputs.molecules, ids);
  for (auto const* const name : {"2d", "2d/3d", "2d/text", "2d/bio"}) {
    batch.add(name, rows, inputs.graphs);
  }
  batch.add("3d", rows, inputs.conformers);
  batch.add("text", rows, inputs.text);
  batch.add("bio", rows, inputs.bio);
  return batch;
}

/// One mode of one batch.
struct Comparison {
  Folder const& folder;
  ParameterLayout const& layout;
  Model const& model;
  Inputs const& inputs;
  Recorded& recorded;
  Mode mode;
  std::string prefix;

  Parameters<Space> weights() const {
    return load_weights(folder, layout, m2umol::ReferenceForm::pretraining);
  }
  void compare(std::string const& name, Tensor<Space> const& ours) const {
    recorded.compare(prefix + name, to_host(Space{}, ours.value));
  }

  Tensor<Space> pooled_hub(Tape<Space>& tape) const {
    auto const nodes =
        model.hub.nodes(tape, inputs.graphs,
                        [&](int layer, Tensor<Space> const& in, Tensor<Space> const& out,
                            Ragged<Space> const& groups, MultiheadAttention const& attention) {
                          if (layer == 0) {
                            compare("gps_in", in);
                          }
                          auto const start = "gps" + std::to_string(layer);
                          compare(start + ".out", out);
                          compare(start + ".attn", attention.weights(tape, in, groups));
                        });
    return pool(tape, nodes, inputs.graphs.nodes, Pooling::sum);
  }

  /// One modality: its own vectors and those generated. @return the generated ones, normalised
  Tensor<Space> modality(Tape<Space>& tape, std::string const& name, Tensor<Space> const& raw,
                         Tensor<Space> const& generated_raw) const {
    compare(name + ".raw", raw);
    compare("adapter" + name + ".raw", generated_raw);
    compare("z.target" + name, model.adapters.norm(tape, raw));
    auto const generated = model.adapters.norm(tape, generated_raw);
    compare("z.gen" + name, generated);
    return generated;
  }

  void layers() const {
    Tape<Space> tape(Space{}, weights(), mode);
    auto const pooled = pooled_hub(tape);
    compare("pooled2d", pooled);
    auto const atoms = model.conformers.atoms(tape, inputs.conformers);
    compare("comenet.node_out", atoms);
    auto const conformers = model.conformers(tape, inputs.conformers);
    compare("comenet.out", conformers);
    auto const& adapters = model.adapters;
    std::vector<Generated<Space>> const generated{
        {0, modality(tape, "3d", conformers, adapters.to_3d(tape, pooled))},
        {1, modality(tape, "text", model.text(tape, inputs.text), adapters.to_text(tape, pooled))},
        {2, modality(tape, "bio", model.bio(tape, inputs.bio), adapters.to_bio(tape, pooled))}};
    compare("cls.logits",
            model.classifier.logits(tape, std::span<Generated<Space> const>(generated)));
  }

  /// The losses at a temperature; the gradients of the total and the running statistics after, if
  /// `and_after`.
  void losses(std::string const& temperature, bool and_after) const {
    auto const theta = weights();
    Tape<Space> tape(Space{}, theta, mode);
    auto const found = model.composition(std::stof(temperature)).losses(tape, multi_batch(inputs));
    auto const end = ".tau" + temperature;
    for (auto const& term : found.terms) {
      compare(term.name == "joint" ? "cls.ce" : "ntxent." + term.name + end, term.value);
    }
    compare("loss.total" + end, found.total);
    if (!and_after) {
      return;
    }
    theta.zero_gradients(Space{});
    tape.backward(found.total);
    gradients(theta);
    auto const after =
        m2umol::export_weights(parameter_tensors(theta), m2umol::ReferenceForm::pretraining);
    for (auto const& tensor : after.tensors) {
      recorded.compare("after." + tensor.name, tensor.values);
    }
  }

  void gradients(Parameters<Space> const& theta) const {
    std::vector<NamedTensor> ours;
    detail::append_tensors("", layout.parameters(), to_host(Space{}, theta.gradients()), ours);
    auto const named = m2umol::export_weights(ours, m2umol::ReferenceForm::pretraining);
    for (auto const& tensor : named.tensors) {
      recorded.compare("grad." + tensor.name, tensor.values, Kind::gradient);
      double norm = 0.0;
      for (float const x : tensor.values) {
        norm += static_cast<double>(x) * static_cast<double>(x);
      }
      auto const rounded = static_cast<float>(std::sqrt(norm));
      recorded.compare("gradnorm." + tensor.name, std::span(&rounded, 1), Kind::gradient);
    }
  }
};

/// The temperatures of which losses are recorded, as the names have them.
std::vector<std::string> temperatures(Recorded const& recorded, std::string const& start) {
  std::vector<std::string> result;
  for (auto const& name : recorded.names()) {
    if (name.starts_with(start)) {
      result.push_back(name.substr(start.size()));
    }
  }
  return result;
}

}  // namespace

void compare_pretraining(Folder const& folder, Inputs const& inputs, Recorded& recorded) {
  ParameterLayout layout;
  Model const model(layout, folder.dims);
  for (auto const& [mode, prefix] :
       {std::pair(Mode::evaluation, "eval."), std::pair(Mode::training, "train.")}) {
    Comparison const comparison{folder, layout, model, inputs, recorded, mode, prefix};
    comparison.layers();
    for (auto const& temperature : temperatures(recorded, std::string(prefix) + "loss.total.tau")) {
      // Gradients are of the total at temperature 1.
      comparison.losses(temperature, mode == Mode::training && std::stof(temperature) == 1.0F);
    }
  }
}

}  // namespace m2u::parity
