// SPDX-License-Identifier: Apache-2.0
/// @file
/// How well one modality finds another.
#pragma once

#include <span>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u {

/// What retrieval_metrics gives.
struct RetrievalMetrics {
  int queries = 0;
  int pool = 0;              ///< rows to choose from
  double recall_at_1 = 0.0;  ///< share of the queries whose answer has a rank of at most 1
  double recall_at_5 = 0.0;
  double recall_at_10 = 0.0;
  double recall_at_20 = 0.0;
  double mean_reciprocal_rank = 0.0;
  double median_rank = 0.0;
};

/// Ranks all targets for each query by cosine similarity; the answer to row i is row i. Call it
/// again with the arguments exchanged for the other direction.
///
/// Equal scores count as their mean rank: an encoder that maps everything to one point gets the
/// rank (pool + 1) / 2 everywhere, not 1. A row of zeros has similarity 0 to all.
/// @param queries [n, d]  @param targets [m ≥ n, d]; rows from n on only make the pool larger
/// @throws Error if the shapes do not fit, there are no rows, or one is not finite.
RetrievalMetrics retrieval_metrics(Matrix<float, Host> const& queries,
                                   Matrix<float, Host> const& targets);

/// The targets that one query chooses among.
struct Candidates {
  std::vector<int> rows;  ///< of the targets
  int answer = 0;         ///< which of `rows` is the right one
};

/// What retrieval_among gives.
struct GroupedRetrieval {
  RetrievalMetrics metrics;         ///< `pool`: the largest number of candidates
  double chance_recall_at_1 = 0.0;  ///< of a guess: the mean of 1 / candidates
};

/// Retrieval where each query has candidates of its own, for example the molecules of its formula.
/// Similarity and ties as in retrieval_metrics.
/// @param queries [n, d]  @param targets [m, d]  @param candidates n of them
/// @throws Error if shapes or row numbers do not fit, or there are no queries.
GroupedRetrieval retrieval_among(Matrix<float, Host> const& queries,
                                 Matrix<float, Host> const& targets,
                                 std::span<Candidates const> candidates);

/// The same for row-major spans of rows of `cols` numbers.
RetrievalMetrics retrieval_metrics(std::span<float const> queries, std::span<float const> targets,
                                   int cols);

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <algorithm>
#include <cmath>

#include "m2u/linalg/gemm.hpp"
#include "m2u/retrieve/rows.hpp"

namespace m2u {

namespace detail {

/// Rank of `answer` among `scores`: 1 + the number of better ones + half the number of equal
/// others.
inline double rank_of(std::span<double const> scores, std::size_t answer) {
  constexpr double equal = 1e-12;  // of the order of the products' rounding
  double better = 0.0;
  double tied = 0.0;
  double const own = scores[answer];
  for (std::size_t j = 0; j < scores.size(); ++j) {
    better += scores[j] > own + equal ? 1.0 : 0.0;
    tied += std::abs(scores[j] - own) <= equal ? 1.0 : 0.0;
  }
  return 1.0 + better + 0.5 * (tied - 1.0);
}

inline RetrievalMetrics summarise_ranks(std::vector<double> ranks, int pool) {
  RetrievalMetrics result{.queries = static_cast<int>(ranks.size()), .pool = pool};
  auto const count = static_cast<double>(ranks.size());
  auto const recall = [&](double k) {
    return static_cast<double>(
               std::count_if(ranks.begin(), ranks.end(), [=](double rank) { return rank <= k; })) /
           count;
  };
  result.recall_at_1 = recall(1.0);
  result.recall_at_5 = recall(5.0);
  result.recall_at_10 = recall(10.0);
  result.recall_at_20 = recall(20.0);
  for (double const rank : ranks) {
    result.mean_reciprocal_rank += 1.0 / rank;
  }
  result.mean_reciprocal_rank /= count;
  std::sort(ranks.begin(), ranks.end());
  auto const middle = ranks.size() / 2;
  result.median_rank =
      ranks.size() % 2 == 1 ? ranks[middle] : 0.5 * (ranks[middle - 1] + ranks[middle]);
  return result;
}

}  // namespace detail

M2U_INLINE RetrievalMetrics retrieval_metrics(Matrix<float, Host> const& queries,
                                              Matrix<float, Host> const& targets) {
  int const rows = queries.extent_int(0);
  int const pool = targets.extent_int(0);
  expects(rows > 0 && pool >= rows && queries.extent(1) == targets.extent(1),
          "retrieval_metrics: queries ", shape(queries), " and targets ", shape(targets),
          " need rows, the same number of columns, and a target for each query");
  Host const space;
  constexpr int block = 256;
  auto const wide = detail::wide_rows(space, targets, 0, pool, true, "retrieval_metrics: target");
  auto const scores =
      make_matrix<double>(space, "m2u::retrieve::scores", std::min(block, rows), pool);
  std::vector<double> ranks(static_cast<std::size_t>(rows));
  for (int first = 0; first < rows; first += block) {
    int const count = std::min(block, rows - first);
    auto const from =
        detail::wide_rows(space, queries, first, count, true, "retrieval_metrics: query");
    auto products = strided(scores);
    products.rows = count;
    gemm(space, strided(from.rows), strided(wide.rows), products, {.transpose_b = true});
    Kokkos::parallel_for(
        "m2u::retrieve::ranks", Kokkos::RangePolicy<Host>(space, 0, count), [&](int i) {
          std::span<double const> const row(scores.data() + static_cast<std::ptrdiff_t>(i) * pool,
                                            static_cast<std::size_t>(pool));
          auto const answer = static_cast<std::size_t>(first + i);
          ranks[answer] = detail::rank_of(row, answer);
        });
    space.fence("m2u::retrieve::ranks");
  }
  return detail::summarise_ranks(std::move(ranks), pool);
}

M2U_INLINE GroupedRetrieval retrieval_among(Matrix<float, Host> const& queries,
                                            Matrix<float, Host> const& targets,
                                            std::span<Candidates const> candidates) {
  expects(!candidates.empty() && queries.extent(0) == candidates.size() &&
              queries.extent(1) == targets.extent(1),
          "retrieval_among: queries ", shape(queries), " and targets ", shape(targets), " with ",
          candidates.size(), " lists of candidates do not fit");
  Host const space;
  auto const wide = [&](Matrix<float, Host> const& rows, char const* what) {
    return detail::wide_rows(space, rows, 0, rows.extent_int(0), true, what);
  };
  auto const from = wide(queries, "retrieval_among: query");
  auto const to = wide(targets, "retrieval_among: target");
  std::vector<double> ranks;
  GroupedRetrieval result;
  int largest = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    auto const& [rows, answer] = candidates[i];
    auto const count = static_cast<int>(rows.size());
    expects(answer >= 0 && answer < count, "retrieval_among: the answer of query ", i,
            " is number ", answer, " of ", count, " candidates");
    std::vector<double> scores;
    for (int const row : rows) {
      expects(row >= 0 && row < targets.extent_int(0), "retrieval_among: there is no target ", row);
      double score = 0.0;
      for (int k = 0; k < queries.extent_int(1); ++k) {
        score += from.rows(static_cast<int>(i), k) * to.rows(row, k);
      }
      scores.push_back(score);
    }
    ranks.push_back(detail::rank_of(scores, static_cast<std::size_t>(answer)));
    result.chance_recall_at_1 += 1.0 / count;
    largest = std::max(largest, count);
  }
  result.chance_recall_at_1 /= static_cast<double>(candidates.size());
  result.metrics = detail::summarise_ranks(std::move(ranks), largest);
  return result;
}

M2U_INLINE RetrievalMetrics retrieval_metrics(std::span<float const> queries,
                                              std::span<float const> targets, int cols) {
  expects(cols > 0, "retrieval_metrics: ", cols, " columns");
  auto const matrix = [&](std::span<float const> values) {
    return host_matrix("m2u::retrieve::rows",
                       static_cast<int>(values.size() / static_cast<std::size_t>(cols)), cols,
                       values);
  };
  return retrieval_metrics(matrix(queries), matrix(targets));
}

}  // namespace m2u

#endif
