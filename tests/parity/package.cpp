// SPDX-License-Identifier: Apache-2.0
// The package's model: one-hot features, adapters and fusion.
#include "m2u/transfer/fusion.hpp"

#include "parity/model.hpp"

namespace m2u::parity {

void compare_package(Folder const& folder, Inputs const& inputs, Recorded& recorded) {
  auto const& dims = folder.dims;
  ParameterLayout layout;
  auto options = hub_options(dims);
  options.node_vocabularies.clear();
  options.edge_vocabularies.clear();
  options.node_values = inputs.one_hot_graphs.node_values.extent_int(1);
  options.edge_values = inputs.one_hot_graphs.edge_values.extent_int(1);
  Gps const hub(layout.scope("hub"), options);
  Adapters const adapters(layout, dims.width);
  Fusion const fusion(layout.scope("fusion"),
                      {.width = dims.width, .heads = dims.heads, .dropout = 0.0F});
  for (auto const& [mode, prefix] : {std::pair(Mode::evaluation, "eval.finetune."),
                                     std::pair(Mode::training, "train.finetune.")}) {
    auto const theta = load_weights(folder, layout, m2umol::ReferenceForm::package);
    Tape<Space> tape(Space{}, theta, mode);
    auto const compare = [&, start = std::string(prefix)](char const* name,
                                                          Tensor<Space> const& ours) {
      recorded.compare(start + name, to_host(Space{}, ours.value));
    };
    auto const pooled = hub(tape, inputs.one_hot_graphs);
    auto const generated = [&](LinearAdapter const& adapter) {
      return adapters.norm(tape, adapter(tape, pooled));
    };
    std::vector<Tensor<Space>> const vectors{generated(adapters.to_3d), generated(adapters.to_text),
                                             generated(adapters.to_bio)};
    auto const query = adapters.norm(tape, pooled);
    compare("gen3d", vectors[0]);
    compare("gentext", vectors[1]);
    compare("genbio", vectors[2]);
    compare("attn", fusion.weights(tape, query, vectors));
    compare("fused", fusion(tape, query, vectors));
  }
}

}  // namespace m2u::parity
