// SPDX-License-Identifier: Apache-2.0
// Explanations of a model's numbers for one molecule, as templates on the model.
#pragma once

#include <cmath>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/explain/attention.hpp"
#include "m2u/explain/gradient.hpp"
#include "m2u/explain/masking.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/transfer/embed.hpp"

#include "m2umol/engine.hpp"

namespace m2umol {

/// A function of the hub's rows: (tape, rows [graphs, width]) → [graphs, columns].
using HubFunction = std::function<m2u::Tensor<Space>(m2u::Tape<Space>&, m2u::Tensor<Space> const&)>;

/// The vector that a model makes of hub rows for `of`: the rows themselves ("2d"), or what an
/// adapter makes of them, before the norm that all modalities share.
/// @throws m2u::Error if the model has no such vector.
template <class Model>
HubFunction vector_of(Model const& model, std::string const& of) {
  HubFunction result;
  std::string known(Model::hub_modality());
  if (of == known) {
    result = [](m2u::Tape<Space>&, m2u::Tensor<Space> const& rows) { return rows; };
  }
  model.for_each_match([&](int /*number*/, auto const& match) {
    known += ", " + std::string(match.modality());
    if (of == match.modality()) {
      result = [adapter = match.adapter](m2u::Tape<Space>& tape, m2u::Tensor<Space> const& rows) {
        return adapter(tape, rows);
      };
    }
  });
  m2u::expects(static_cast<bool>(result), "the model makes no vector \"", of, "\"; there are ",
               known);
  return result;
}

/// A vector's product with a direction: one column.
inline HubFunction projected(HubFunction vector, std::vector<float> direction) {
  return [vector = std::move(vector), direction = std::move(direction)](
             m2u::Tape<Space>& tape, m2u::Tensor<Space> const& rows) {
    auto const column = tape.matrix(static_cast<int>(direction.size()), 1);
    m2u::from_host(tape.space(), std::span<float const>(direction), column);
    return m2u::matmul(tape, vector(tape, rows), tape.constant(column));
  };
}

/// The number that stands for a vector: its component along `whole`, the vector of the molecule as
/// it is, less the mean of its elements if `centred` (as a LayerNorm takes it away). A cosine, the
/// obvious choice, has no gradient where it is largest, which is at the molecule as it is.
inline HubFunction component_along(HubFunction vector, std::vector<float> whole, bool centred) {
  auto const size = static_cast<float>(whole.size());
  float const mean = centred ? std::accumulate(whole.begin(), whole.end(), 0.0F) / size : 0.0F;
  double square = 0.0;
  for (float& x : whole) {
    x -= mean;
    square += static_cast<double>(x) * static_cast<double>(x);
  }
  for (float& x : whole) {
    x = square > 0.0 ? static_cast<float>(static_cast<double>(x) / std::sqrt(square)) : 0.0F;
  }
  return projected(std::move(vector), std::move(whole));
}

/// The values of a function of hub rows for the graphs of a batch, row-major.
template <class Encoder>
std::vector<float> evaluate_hub(Encoder const& encoder, m2u::Parameters<Space> const& theta,
                                m2u::GraphBatch<m2u::Host> const& graph, HubFunction const& f) {
  m2u::Tape<Space> tape(Space{}, theta, m2u::Mode::evaluation);
  auto const rows = encoder(tape, m2u::to_space(Space{}, graph));
  return m2u::to_host(Space{}, f(tape, rows).value);
}

/// Atoms, bonds and groups by one method. @param head one number of hub rows
template <class Model>
GraphExplanation explain_graph(Model const& model, m2u::Parameters<Space> const& theta,
                               m2u::GraphBatch<m2u::Host> const& graph, HubFunction const& head,
                               ExplainMethod method, std::vector<m2u::NodeGroup> const& groups) {
  auto const& encoder = model.hub_encoder();
  m2u::HeadOnGraphs const f{encoder, head};
  Space const space;
  GraphExplanation result;
  result.value = static_cast<double>(evaluate_hub(encoder, theta, graph, head).at(0));
  switch (method) {
    case ExplainMethod::attention:
      result.importance = m2u::undirected(m2u::attention_importance(space, encoder, theta, graph),
                                          graph, m2u::BondScore::mean);
      m2u::centre(result.importance.nodes);
      m2u::centre(result.importance.edges);
      result.groups = m2u::group_means(result.importance, groups);
      break;
    case ExplainMethod::gradient:
      result.importance = m2u::undirected(m2u::gradient_importance(space, encoder, theta, graph, f),
                                          graph, m2u::BondScore::sum);
      theta.zero_gradients(space);
      result.groups = m2u::group_sums(result.importance, groups);
      break;
    case ExplainMethod::masking:
      result.importance = m2u::masking_importance(space, encoder, theta, graph, f);
      result.groups = m2u::masked_groups(space, encoder, theta, graph, f, groups);
      break;
  }
  return result;
}

}  // namespace m2umol
