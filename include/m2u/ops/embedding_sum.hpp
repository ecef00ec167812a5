// SPDX-License-Identifier: Apache-2.0
/// @file
/// Integer features as the sum of one embedding per feature: atom and bond encoders.
#pragma once

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/vocabularies.hpp"
#include "m2u/kernels/columns.hpp"
#include "m2u/kernels/embedding_sum.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace m2u {

namespace detail {

/// Rows of one partial sum of the table's gradient: at most `most` blocks, and so few that clearing
/// and adding up the partial tables costs no more than filling them. A property of the problem's
/// size.
inline int embedding_block_rows(int rows, Vocabularies const& vocabularies, int most) {
  auto const entries = static_cast<std::int64_t>(rows) * vocabularies.features();
  auto const blocks =
      static_cast<int>(std::clamp<std::int64_t>(entries / vocabularies.total(), 1, most));
  return (rows + blocks - 1) / blocks;
}

}  // namespace detail

/// y(i) = Σ_f table(vocabularies.offsets()[f] + features(i, f)).
/// The values of the features are trusted: check them with check_features where batches are made.
/// @param table [vocabularies.total(), width], the features' tables on each other
/// @param features [rows, vocabularies.features()]
/// @return [rows, width]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> embedding_sum(Tape<S, R>& tape, Tensor<S, R> const& table,
                           Vocabularies const& vocabularies, Matrix<int, S> const& features) {
  expects(table.rows() == vocabularies.total(), "embedding_sum: table ", shape(table),
          " does not fit vocabularies of ", vocabularies.total(), " values; it needs ",
          vocabularies.total(), " rows");
  expects(features.extent_int(1) == vocabularies.features(), "embedding_sum: features ",
          shape(features), " do not fit ", vocabularies.features(), " vocabularies; they need ",
          vocabularies.features(), " columns");
  expects(static_cast<std::int64_t>(table.rows()) * table.cols() <= std::numeric_limits<int>::max(),
          "embedding_sum: table ", shape(table), " has more than 2^31 - 1 elements");
  auto const y = tape.result(features.extent_int(0), table.cols(), table);
  kernels::embedding_sum(tape.space(), table.value, vocabularies, features, y.value);
  tape.record("embedding_sum", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    auto const [dtable, accumulate] = back.gradient(table);
    int const rows = dy.extent_int(0);
    constexpr int most_blocks = on_host<S> ? 16 : 256;  // a GPU runs thousands of teams at a time
    int const block_rows = detail::embedding_block_rows(rows, vocabularies, most_blocks);
    int const blocks = rows == 0 ? 0 : (rows + block_rows - 1) / block_rows;
    auto const partial = back.matrix(blocks, table.rows() * table.cols());
    kernels::embedding_sum_blocks(back.space(), dy, vocabularies, features, block_rows, partial);
    kernels::combine_blocks(back.space(), partial, dtable, accumulate);
  });
  return y;
}

}  // namespace m2u
