// SPDX-License-Identifier: Apache-2.0
/// @file
/// Groups of rows without padding, row selections with their inverse, and sparse rows with their
/// transpose: what lets every aggregation be a segment reduction, with no atomics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "m2u/core/copy_to.hpp"
#include "m2u/core/error.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u {

/// Rows in groups: group g owns the rows offsets(g) … offsets(g + 1) - 1.
template <ExecutionSpace S>
struct Ragged {
  Vector<int, S> offsets;  ///< [groups + 1], starts at 0, never falls
  int groups = 0;
  int total = 0;    ///< number of rows: the last offset
  int longest = 0;  ///< rows of the largest group
};

/// Groups of the given lengths, in order.
/// @throws Error if a length is negative or the sum does not fit an int.
inline Ragged<Host> make_ragged(std::span<int const> lengths) {
  std::vector<int> offsets(lengths.size() + 1, 0);
  std::int64_t sum = 0;
  int longest = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    expects(lengths[i] >= 0, "make_ragged: group ", i, " has the negative length ", lengths[i]);
    sum += lengths[i];
    expects(sum <= std::numeric_limits<int>::max(),
            "make_ragged: more than 2^31 - 1 rows in total");
    offsets[i + 1] = static_cast<int>(sum);
    longest = std::max(longest, lengths[i]);
  }
  return {host_vector("m2u::core::ragged", offsets), static_cast<int>(lengths.size()),
          static_cast<int>(sum), longest};
}

template <ExecutionSpace S>
Ragged<S> to_space(CopyTo<S> const& to, Ragged<Host> const& source) {
  return {to_space(to, source.offsets), source.groups, source.total, source.longest};
}

/// A selection of rows of some matrix, with the inverse that the backward pass needs:
/// source row s is picked at positions(k), k in group s of `uses`.
template <ExecutionSpace S>
struct RowIndex {
  Vector<int, S> rows;       ///< [picked], each in 0 … sources - 1
  Ragged<S> uses;            ///< groups = sources, total = picked
  Vector<int, S> positions;  ///< [picked], rising within each group
  int picked() const { return rows.extent_int(0); }
  int sources() const { return uses.groups; }
};

/// @throws Error if an index is outside 0 … sources - 1.
inline RowIndex<Host> make_row_index(std::span<int const> rows, int sources) {
  std::vector<int> counts(static_cast<std::size_t>(sources), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expects(rows[i] >= 0 && rows[i] < sources, "make_row_index: index ", rows[i], " at position ",
            i, " is outside 0 … ", sources - 1);
    ++counts[static_cast<std::size_t>(rows[i])];
  }
  auto uses = make_ragged(counts);
  std::vector<int> next(uses.offsets.data(), uses.offsets.data() + sources);
  std::vector<int> positions(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    positions[static_cast<std::size_t>(next[static_cast<std::size_t>(rows[i])]++)] =
        static_cast<int>(i);
  }
  return {host_vector("m2u::core::row_index", rows), uses,
          host_vector("m2u::core::row_index_positions", positions)};
}

template <ExecutionSpace S>
RowIndex<S> to_space(CopyTo<S> const& to, RowIndex<Host> const& source) {
  return {to_space(to, source.rows), to_space(to, source.uses), to_space(to, source.positions)};
}

/// A sparse rows × width matrix (CSR) with its transpose restricted to the columns in use, so that
/// a gradient touches only those. Multi-hot features and bags of tokens are such matrices.
template <ExecutionSpace S>
struct SparseRows {
  Ragged<S> rows;                ///< groups = rows, total = entries
  Vector<int, S> columns;        ///< [entries], each in 0 … width - 1
  Vector<float, S> weights;      ///< [entries]
  int width = 0;                 ///< number of columns of the sparse matrix
  Vector<int, S> used;           ///< [columns in use], rising
  Ragged<S> uses;                ///< groups = columns in use, total = entries
  Vector<int, S> use_rows;       ///< [entries] rows, grouped by column
  Vector<float, S> use_weights;  ///< [entries] weights in the same order
};

/// @param lengths entries of each row. @param weights empty for all ones.
/// @throws Error if a column is outside 0 … width - 1 or the numbers of entries disagree.
inline SparseRows<Host> make_sparse_rows(std::span<int const> lengths, std::span<int const> columns,
                                         std::span<float const> weights, int width) {
  SparseRows<Host> result;
  result.rows = make_ragged(lengths);
  result.width = width;
  auto const entries = columns.size();
  expects(static_cast<std::size_t>(result.rows.total) == entries,
          "make_sparse_rows: lengths sum to ", result.rows.total, ", but there are ", entries,
          " columns");
  expects(weights.empty() || weights.size() == entries, "make_sparse_rows: ", entries,
          " columns, but ", weights.size(), " weights");
  for (std::size_t i = 0; i < entries; ++i) {
    expects(columns[i] >= 0 && columns[i] < width, "make_sparse_rows: column ", columns[i],
            " is outside 0 … ", width - 1);
  }
  auto const weight = [&](int entry) {
    return weights.empty() ? 1.0F : weights[static_cast<std::size_t>(entry)];
  };
  std::vector<int> order(entries);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return columns[static_cast<std::size_t>(a)] < columns[static_cast<std::size_t>(b)];
  });
  std::vector<int> row_of(entries);
  for (int row = 0; row < result.rows.groups; ++row) {
    for (int entry = result.rows.offsets(row); entry < result.rows.offsets(row + 1); ++entry) {
      row_of[static_cast<std::size_t>(entry)] = row;
    }
  }
  std::vector<int> used;
  std::vector<int> counts;
  std::vector<int> use_rows;
  std::vector<float> use_weights;
  std::vector<float> all_weights(entries);
  for (std::size_t i = 0; i < entries; ++i) {
    all_weights[i] = weight(static_cast<int>(i));
    int const column = columns[static_cast<std::size_t>(order[i])];
    if (used.empty() || used.back() != column) {
      used.push_back(column);
      counts.push_back(0);
    }
    ++counts.back();
    use_rows.push_back(row_of[static_cast<std::size_t>(order[i])]);
    use_weights.push_back(weight(order[i]));
  }
  result.columns = host_vector("m2u::core::sparse_columns", columns);
  result.weights = host_vector("m2u::core::sparse_weights", all_weights);
  result.used = host_vector("m2u::core::sparse_used", used);
  result.uses = make_ragged(counts);
  result.use_rows = host_vector("m2u::core::sparse_use_rows", use_rows);
  result.use_weights = host_vector("m2u::core::sparse_use_weights", use_weights);
  return result;
}

template <ExecutionSpace S>
SparseRows<S> to_space(CopyTo<S> const& to, SparseRows<Host> const& source) {
  return {to_space(to, source.rows),     to_space(to, source.columns),
          to_space(to, source.weights),  source.width,
          to_space(to, source.used),     to_space(to, source.uses),
          to_space(to, source.use_rows), to_space(to, source.use_weights)};
}

}  // namespace m2u
