// SPDX-License-Identifier: Apache-2.0
#include "m2u/transfer/staging.hpp"

#include <optional>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "support/spaces.hpp"
#include "support/toy.hpp"

namespace {

/// All numbers of a toy batch's graphs, conformers and sparse rows.
template <class S>
std::vector<double> numbers_of(S const& space, m2u::MultiBatch<S> const& batch) {
  std::vector<double> all(batch.ids().begin(), batch.ids().end());
  auto const add = [&](auto const& view) {
    for (auto const value : m2u::to_host(space, view)) {
      all.push_back(static_cast<double>(value));
    }
  };
  for (auto const& modality : batch.modalities()) {
    add(modality.rows.rows);
    add(modality.rows.uses.offsets);
    add(modality.rows.positions);
  }
  auto const& graphs = batch.template get<m2u::GraphBatch<S>>("2d");
  add(graphs.nodes.offsets);
  add(graphs.node_features);
  add(graphs.encoding);
  add(graphs.source.positions);
  add(graphs.edge_features);
  if (batch.find("3d") != nullptr) {
    auto const& conformers = batch.template get<m2u::ConformerBatch<S>>("3d");
    add(conformers.positions);
    add(conformers.distances);
  }
  if (batch.find("bio") != nullptr) {
    add(batch.template get<m2u::SparseBatch<S>>("bio").vocabularies[1].use_weights);
  }
  return all;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("staged batches hold what they should, as long as they live", "[staging]",
                        m2u::test::Spaces) {
  TestType const space;
  m2u::Staging<TestType> staging;
  std::optional<m2u::MultiBatch<TestType>> before;
  std::vector<int> ids_before;
  // Of growing and falling sizes; two batches live at a time, as with one copied ahead.
  for (int const size : {3, 9, 2, 12, 1, 12, 5, 7}) {
    std::vector<int> ids;
    for (int k = 0; k < size; ++k) {
      ids.push_back(size * 10 + k);
    }
    staging.start(space, m2u::test::make_toy_host_batch<TestType>(ids));
    CHECK(staging.started());
    auto batch = staging.take(space);
    CHECK_FALSE(staging.started());
    auto const direct = m2u::test::make_toy_host_batch<TestType>(ids).to_space(space);
    CHECK(numbers_of(space, batch) == numbers_of(space, direct));
    if (before) {
      auto const old = m2u::test::make_toy_host_batch<TestType>(ids_before).to_space(space);
      CHECK(numbers_of(space, *before) == numbers_of(space, old));
    }
    before = std::move(batch);
    ids_before = ids;
  }
}

TEST_CASE("staging refuses what makes no sense", "[staging]") {
  using Catch::Matchers::ContainsSubstring;
  Kokkos::DefaultExecutionSpace const space;
  m2u::Staging<Kokkos::DefaultExecutionSpace> staging;
  CHECK_THROWS_WITH(staging.take(space), ContainsSubstring("no batch was started"));
  auto const host = m2u::test::make_toy_host_batch<Kokkos::DefaultExecutionSpace>({0, 1});
  staging.start(space, host);
  CHECK_THROWS_WITH(staging.start(space, host), ContainsSubstring("take the batch"));
  staging.clear();
  CHECK_FALSE(staging.started());
  staging.start(space, host);
  CHECK(staging.take(space).size() == 2);
}
