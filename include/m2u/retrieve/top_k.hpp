// SPDX-License-Identifier: Apache-2.0
/// @file
/// Exact nearest rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "m2u/linalg/gemm.hpp"
#include "m2u/retrieve/rows.hpp"

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

/// Where host work beside `space` runs: on it, if it is the host's.
template <ExecutionSpace S>
Host host_instance([[maybe_unused]] S const& space) {
  if constexpr (std::is_same_v<S, Host>) {
    return space;
  } else {
    return Host{};
  }
}

/// Puts scores of library rows first … into the k best so far, a heap with the worst on top.
inline void keep_best(std::vector<Neighbour>& best, std::size_t k, Nearer nearer, int first,
                      std::vector<float> const& scores) {
  for (std::size_t j = 0; j < scores.size(); ++j) {
    Neighbour const candidate{first + static_cast<int>(j), scores[j]};
    if (best.size() == k) {
      if (!nearer(candidate, best.front())) {
        continue;
      }
      std::pop_heap(best.begin(), best.end(), nearer);
      best.back() = candidate;
    } else {
      best.push_back(candidate);
    }
    std::push_heap(best.begin(), best.end(), nearer);
  }
}

/// Scores of one query from its products with library rows.
inline std::vector<float> scores_of(Metric metric, double const* products, double query_square,
                                    std::vector<double> const& squares, int cols) {
  std::vector<float> scores(squares.size());
  for (std::size_t j = 0; j < squares.size(); ++j) {
    if (metric == Metric::cosine) {
      scores[j] = static_cast<float>(products[j]);
      continue;
    }
    double const sum = query_square + squares[j];
    double const square = sum - 2.0 * products[j];
    // What is left of equal rows is rounding: at most about cols · 2^-52 of the sum.
    bool const equal = square <= (cols + 2) * 0x1p-52 * sum;
    scores[j] = equal ? 0.0F : static_cast<float>(std::sqrt(square));
  }
  return scores;
}

}  // namespace detail

/// The k nearest library rows of each query, nearest first; of equal scores the lower row comes
/// first. All of the library if it has fewer rows. Scores are computed in double, in blocks: the
/// memory beside the library does not grow with it.
/// @param queries [n, d]  @param library [m, d]; a row of zeros has cosine similarity 0 to all
/// @throws Error if the shapes do not fit, k is not positive, or a row is not finite.
template <ExecutionSpace S>
std::vector<std::vector<Neighbour>> nearest(S const& space, Matrix<float, S> const& queries,
                                            Matrix<float, S> const& library, int k,
                                            Metric metric = Metric::cosine) {
  expects(queries.extent(1) == library.extent(1), "nearest: queries ", shape(queries),
          " and library ", shape(library), " must have the same number of columns");
  expects(k > 0, "nearest: k must be positive, but is ", k);
  constexpr int query_block = 128;
  constexpr int library_block = 4096;
  int const rows = queries.extent_int(0);
  int const pool = library.extent_int(0);
  bool const normalise = metric == Metric::cosine;
  std::vector<std::vector<Neighbour>> result(static_cast<std::size_t>(rows));
  for (int first = 0; first < rows; first += query_block) {
    int const count = std::min(query_block, rows - first);
    auto const from = detail::wide_rows(space, queries, first, count, normalise, "nearest: query");
    for (int start = 0; start < pool; start += library_block) {
      int const size = std::min(library_block, pool - start);
      auto const to = detail::wide_rows(space, library, start, size, normalise, "nearest: library");
      auto const products = make_matrix<double>(space, "m2u::retrieve::products", count, size);
      gemm(space, from.rows, to.rows, products, {.transpose_b = true});
      auto const host = to_host(space, products);
      auto const host_space = detail::host_instance(space);
      Kokkos::parallel_for(
          "m2u::retrieve::keep_best", Kokkos::RangePolicy<Host>(host_space, 0, count), [&](int i) {
            auto const scores = detail::scores_of(
                metric, host.data() + static_cast<std::ptrdiff_t>(i) * size,
                from.squares[static_cast<std::size_t>(i)], to.squares, queries.extent_int(1));
            detail::keep_best(result[static_cast<std::size_t>(first + i)],
                              static_cast<std::size_t>(k), detail::Nearer{metric}, start, scores);
          });
      host_space.fence("m2u::retrieve::keep_best");
    }
  }
  for (auto& best : result) {
    std::sort(best.begin(), best.end(), detail::Nearer{metric});
  }
  return result;
}

}  // namespace m2u
