// SPDX-License-Identifier: Apache-2.0
// bench_encoders: every encoder on 32 molecules, forward and with its backward pass.
#include "m2u/encoders/comenet.hpp"
#include "m2u/encoders/gin.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/hashed_text.hpp"
#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/precomputed.hpp"
#include "m2u/encoders/schnet.hpp"

#include "support/differentiate.hpp"
#include "support/molecules.hpp"

namespace {

using bench::Space;

/// Registers an encoder, made from its options by `make(scope)`, on a batch of its kind.
template <class Make, class Batch>
void add_encoder(Space const& space, std::string const& name, Batch const& batch,
                 Make const& make) {
  m2u::ParameterLayout layout;
  auto const encoder = make(layout.scope("encoder"));
  bench::add_differentiable(
      space, layout, name, {},
      [=](bench::Tape& tape, std::vector<bench::Tensor> const&) { return encoder(tape, batch); });
}

/// Sixteen n-grams for each molecule.
m2u::SparseBatch<Space> hashed_text(Space const& space, int rows, int buckets) {
  std::vector<int> const lengths(static_cast<std::size_t>(rows), 16);
  std::vector<int> columns(16 * lengths.size());
  m2u::RandomStream const random{3, 0};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i] = static_cast<int>(random.uniform(i) * static_cast<float>(buckets));
  }
  return {{m2u::to_space(space, m2u::make_sparse_rows(lengths, columns, {}, buckets))}};
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_benchmarks(argc, argv, [](Space const& space, std::string const& data) {
    constexpr int rows = 32;
    auto const batch = bench::first_batch(space, data, rows, true);
    auto const& graph = batch.get<m2u::GraphBatch<Space>>("2d");
    auto const& conformers = batch.get<m2u::ConformerBatch<Space>>("3d");
    auto const model = bench::published_configuration();
    add_encoder(space, "Gps", graph, [&](m2u::Scope const& scope) {
      return m2u::Gps{scope, m2umol::hub_options(model)};
    });
    add_encoder(space, "Gin", graph, [](m2u::Scope const& scope) {
      return m2u::Gin{scope, {.node_vocabularies = m2u::ogb_atom_vocabularies()}};
    });
    add_encoder(space, "ComENet", conformers,
                [](m2u::Scope const& scope) { return m2u::ComENet{scope}; });
    add_encoder(space, "SchNet", conformers,
                [](m2u::Scope const& scope) { return m2u::SchNet{scope}; });
    add_encoder(
        space, "Precomputed", batch.get<m2u::DenseBatch<Space>>("text"),
        [](m2u::Scope const& scope) { return m2u::Precomputed{scope, bench::text_width, 128}; });
    add_encoder(
        space, "MultiHot", batch.get<m2u::SparseBatch<Space>>("bio"), [](m2u::Scope const& scope) {
          return m2u::MultiHot{
              scope,
              {.vocabularies = {bench::bio_vocabularies.begin(), bench::bio_vocabularies.end()}}};
        });
    m2u::HashedTextOptions const text;
    add_encoder(space, "HashedText", hashed_text(space, rows, text.buckets),
                [&](m2u::Scope const& scope) { return m2u::HashedText{scope, text}; });
    return 0;
  });
}
