// SPDX-License-Identifier: Apache-2.0
/// @file
/// Exact nearest rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "m2u/kernels/top_k.hpp"
#include "m2u/linalg/gemm.hpp"
#include "m2u/retrieve/search_rows.hpp"

namespace m2u {

/// Cosine: the score is the similarity, the highest is nearest. Euclidean: the distance, the lowest
/// is.
enum class Metric { cosine, euclidean };

/// A row of the library.
struct Neighbour {
  int row = 0;
  float score = 0.0F;
  friend bool operator==(Neighbour const&, Neighbour const&) = default;
};

namespace detail {

/// The order of neighbours.
struct Nearer {
  Metric metric;
  bool operator()(Neighbour const& a, Neighbour const& b) const {
    if (a.score != b.score) {
      return metric == Metric::cosine ? a.score > b.score : a.score < b.score;
    }
    return a.row < b.row;
  }
};

/// The search for a block of queries: library rows are multiplied with all of them in float, a
/// filter behind the product notes the few that may be among the best, and these are scored in
/// double. The filter is as strict as the best so far allow, so each pass takes about as many rows
/// as all before it: then a query's candidates are about k per doubling.
template <ExecutionSpace S>
class TopKSearch {
 public:
  /// Queries first … first + count - 1.
  TopKSearch(S const& space, SearchRows<S> const& queries, int first, int count, int k,
             Metric metric)
      : space_(space), metric_(metric), cols_(queries.rows().extent_int(1)) {
    auto const size = [&](int per_query) {
      return static_cast<std::size_t>(count) * static_cast<std::size_t>(per_query);
    };
    state_.queries = count;
    state_.k = k;
    state_.capacity = capacity_for(k);
    state_.euclidean = metric == Metric::euclidean;
    pass_ = state_.capacity;
    floats_ = make_vector<float>(space, "m2u::retrieve::scores", size(2 + state_.capacity + k));
    ints_ = zero_vector<int>(space, "m2u::retrieve::candidates", size(2 + state_.capacity + k));
    state_.slope = floats_.data();
    state_.offset = state_.slope + count;
    state_.scores = state_.offset + count;
    state_.best_scores = state_.scores + size(state_.capacity);
    state_.counts = ints_.data();
    state_.kept = state_.counts + count;
    state_.candidates = state_.kept + count;
    state_.best = state_.candidates + size(state_.capacity);
    Kokkos::deep_copy(space, floats_, std::numeric_limits<float>::quiet_NaN());  // all pass
    given_ = queries.rows().data() + static_cast<std::ptrdiff_t>(first) * cols_;
    lengths_ = queries.lengths().data() + first;
    factor_ = {given_, count, cols_, cols_};
    if (metric == Metric::cosine) {
      unit_ = make_matrix<float>(space, "m2u::retrieve::unit_queries", count, cols_);
      kernels::unit_rows(space, queries.rows(), queries.lengths(), first, unit_);
      factor_.data = unit_.data();
    }
  }

  /// Candidates per query: far more than come by chance.
  static int capacity_for(int k) { return std::max(64, 4 * k); }

  /// Searches a block of the library whose first row has the number `number`.
  void search(SearchRows<S> const& library, int number) {
    int const rows = library.rows().extent_int(0);
    for (int start = 0; start < rows;) {
      int const count = std::min({pass_, most_rows(), rows - start});
      filter(library, start, count, number);
      auto const counts =
          to_host(space_, Vector<int, S>(state_.counts, static_cast<std::size_t>(state_.queries)));
      if (*std::max_element(counts.begin(), counts.end()) > state_.capacity) {
        // More rows than fit have passed, as where the nearest come last: in smaller steps.
        pass_ = std::max(state_.capacity, count / 8);
        Kokkos::deep_copy(space_, Vector<int, S>(state_.counts, counts.size()), 0);
        continue;
      }
      kernels::keep_best(space_, state_, given_, lengths_, library.rows().data(), number, cols_);
      start += count;
      seen_ += count;
      pass_ =
          std::max(state_.capacity, static_cast<int>(std::min<std::int64_t>(seen_, 2L * pass_)));
    }
  }

  /// The best of each query, nearest first.
  void take(std::span<std::vector<Neighbour>> result) const {
    auto const floats = to_host(space_, floats_);
    auto const ints = to_host(space_, ints_);
    auto const scores = floats.data() + (state_.best_scores - floats_.data());
    auto const rows = ints.data() + (state_.best - ints_.data());
    auto const kept = ints.data() + (state_.kept - ints_.data());
    for (std::size_t q = 0; q < result.size(); ++q) {
      auto const own = q * static_cast<std::size_t>(state_.k);
      for (std::size_t i = 0; i < static_cast<std::size_t>(kept[q]); ++i) {
        result[q].push_back({rows[own + i], scores[own + i]});
      }
      std::sort(result[q].begin(), result[q].end(), Nearer{metric_});
    }
  }

 private:
  /// Rows of a pass: a GPU needs memory for all their products, the host has a block of them in
  /// cache.
  int most_rows() const {
    constexpr int most_products = 1 << 26;
    return on_host<S> ? std::numeric_limits<int>::max()
                      : std::max(state_.capacity, most_products / state_.queries);
  }

  void filter(SearchRows<S> const& library, int start, int count, int number) {
    Strided<float> products{nullptr, count, state_.queries, state_.queries};
    if constexpr (!on_host<S>) {
      if (products_.extent_int(0) < count) {
        products_ = make_matrix<float>(space_, "m2u::retrieve::products", count, state_.queries);
      }
      products.data = products_.data();
    }
    Strided<float> const rows{library.rows().data() + static_cast<std::ptrdiff_t>(start) * cols_,
                              count, cols_, cols_};
    // What passes depends on how exact products are: never less than floats.
    gemm_after(space_, std::array{GemmTerm<float>{rows, factor_}}, products, &packed_,
               kernels::FilterRows{state_, library.lengths().data() + start, number + start}, true);
  }

  S space_;
  Metric metric_;
  int cols_;
  kernels::TopKState state_;
  Vector<float, S> floats_;
  Vector<int, S> ints_;
  Matrix<float, S> unit_;
  Matrix<float, S> products_;
  float* given_ = nullptr;
  float* lengths_ = nullptr;
  Strided<float> factor_;
  PackedFactors<float> packed_;
  std::int64_t seen_ = 0;
  int pass_ = 0;  // rows of the next pass
};

/// Queries that are searched together: their products with a block of rows, and the queries
/// themselves, should stay in the second cache.
inline int queries_at_once(int cols, int capacity) {
  constexpr int most = 1024;
  int const fitting = (1 << 18) / std::max(1, cols);
  return std::clamp(std::min(fitting, (1 << 23) / capacity), 1, most);
}

}  // namespace detail

/// The k nearest library rows of each query, nearest first; of equal scores the lower row comes
/// first. All of the library if it has fewer rows.
///
/// Rows are read where they lie and multiplied in float; whatever may be among the best for all
/// that rounding can do is scored in double, so that scores are right to the last bit of a float,
/// equal rows have the cosine 1 or the distance 0, and the order is that of scoring all rows so.
/// The memory beside the library does not grow with it. A library in which more rows than max(64, 4
/// k) tie with the k-th takes longer.
/// @param queries [n, d]
/// @param library blocks of [m, d], whose rows are numbered through; a row of zeros has cosine
/// similarity 0 to all
/// @throws Error if the shapes do not fit, k is not positive, or a query is not finite.
template <ExecutionSpace S>
std::vector<std::vector<Neighbour>> nearest(S const& space, Matrix<float, S> const& queries,
                                            std::span<SearchRows<S> const> library, int k,
                                            Metric metric = Metric::cosine) {
  expects(k > 0, "nearest: k must be positive, but is ", k);
  std::int64_t pool = 0;
  for (auto const& block : library) {
    expects(queries.extent(1) == block.rows().extent(1), "nearest: queries ", shape(queries),
            " and library ", shape(block.rows()), " must have the same number of columns");
    pool += block.rows().extent_int(0);
  }
  expects(pool <= std::numeric_limits<int>::max(), "nearest: ", pool, " rows are too many");
  int const rows = queries.extent_int(0);
  std::vector<std::vector<Neighbour>> result(static_cast<std::size_t>(rows));
  if (rows == 0 || pool == 0) {
    return result;
  }
  k = static_cast<int>(std::min<std::int64_t>(k, pool));
  expects(k <= std::numeric_limits<int>::max() / 8, "nearest: k is ", k, ", which is too much");
  SearchRows<S> const from(space, queries, "nearest: query");
  int const block =
      detail::queries_at_once(queries.extent_int(1), detail::TopKSearch<S>::capacity_for(k));
  for (int first = 0; first < rows; first += block) {
    int const count = std::min(block, rows - first);
    detail::TopKSearch<S> search(space, from, first, count, k, metric);
    int number = 0;
    for (auto const& part : library) {
      search.search(part, number);
      number += part.rows().extent_int(0);
    }
    search.take(std::span(result).subspan(static_cast<std::size_t>(first),
                                          static_cast<std::size_t>(count)));
  }
  return result;
}

/// The same in one matrix, whose lengths are computed first.
/// @throws Error also if a row of the library is not finite.
template <ExecutionSpace S>
std::vector<std::vector<Neighbour>> nearest(S const& space, Matrix<float, S> const& queries,
                                            Matrix<float, S> const& library, int k,
                                            Metric metric = Metric::cosine) {
  SearchRows<S> const rows(space, library, "nearest: library");
  return nearest(space, queries, std::span(&rows, 1), k, metric);
}

}  // namespace m2u
