// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code of the search for nearest rows: the filter behind the product, and the exact scores
/// of what passes it.
#pragma once

#include <cstddef>

#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// What a search keeps for each of `queries` queries.
struct TopKState {
  int queries = 0;
  int k = 0;
  int capacity = 0;              ///< candidates of a query that fit
  bool euclidean = false;        ///< else cosine
  float* slope = nullptr;        ///< [queries], of the filter; NaN: everything passes
  float* offset = nullptr;       ///< [queries], of the filter
  int* counts = nullptr;         ///< [queries] rows that passed the filter since the last keep_best
  int* candidates = nullptr;     ///< [queries, capacity]: these rows
  float* scores = nullptr;       ///< [queries, capacity]
  int* kept = nullptr;           ///< [queries]: how many of the best there are
  int* best = nullptr;           ///< [queries, k]: a heap with the worst on top
  float* best_scores = nullptr;  ///< [queries, k]
};

/// Behind a product of library rows with queries: notes the rows that may be among the best.
///
/// A row of length l passes if its product is not below slope · l + offset (+ l²/2, Euclidean),
/// which keep_best has put so low that rounding hides no row.
struct FilterRows {
  TopKState state;
  float const* lengths;  ///< of the rows that are multiplied
  int first_row;         ///< number of the first of them

  /// block: [last - first, queries]
  template <class Team>
  KOKKOS_INLINE_FUNCTION void operator()(Team const& team, int first, int last,
                                         float const* block) const {
    if constexpr (on_host<typename Team::execution_space>) {
      for (int i = first; i < last; ++i, block += state.queries) {
        filter_row(i, block);
      }
    } else {
      filter_block(team, first, last, block);
    }
  }

 private:
  static constexpr float epsilon = 5.9604645e-8F;  // 2^-24: half a unit in the last place of 1

  KOKKOS_INLINE_FUNCTION float half_square(float length) const {
    return state.euclidean ? 0.5F * length * length * (1.0F - 16.0F * epsilon) : 0.0F;
  }
  /// Rows of zeros have the cosine 0: the product 0 of a row of length 1.
  KOKKOS_INLINE_FUNCTION float reach(float length) const {
    return !state.euclidean && length == 0.0F ? 1.0F : length;
  }
  KOKKOS_INLINE_FUNCTION bool passes(int query, float product, float length, float half) const {
    return !(product < state.slope[query] * length + (state.offset[query] + half));
  }
  KOKKOS_INLINE_FUNCTION void note(int query, int row) const {
    int const place = Kokkos::atomic_fetch_add(state.counts + query, 1);
    if (place < state.capacity) {
      state.candidates[static_cast<std::ptrdiff_t>(query) * state.capacity + place] =
          first_row + row;
    }
  }

  /// A row on the host.
  KOKKOS_INLINE_FUNCTION void filter_row(int row, float const* products) const {
    float const length = reach(lengths[row]);
    float const half = half_square(lengths[row]);
    int query = filter_groups<64>(0, row, products, length, half);
    query = filter_groups<8>(query, row, products, length, half);
    note_passing(query, state.queries, row, products, length, half);
  }
  /// A group of queries at once, in which hardly ever one passes. @return the first query that is
  /// left
  template <int group>
  KOKKOS_INLINE_FUNCTION int filter_groups(int query, int row, float const* products, float length,
                                           float half) const {
    for (; query + group <= state.queries; query += group) {
      int any = 0;
      for (int j = 0; j < group; ++j) {
        any |= static_cast<int>(passes(query + j, products[query + j], length, half));
      }
      if (any != 0) {
        note_passing(query, query + group, row, products, length, half);
      }
    }
    return query;
  }
  KOKKOS_INLINE_FUNCTION void note_passing(int query, int end, int row, float const* products,
                                           float length, float half) const {
    for (; query < end; ++query) {
      if (passes(query, products[query], length, half)) {
        note(query, row);
      }
    }
  }

  /// A block on a GPU.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void filter_block(Team const& team, int first, int last,
                                           float const* block) const {
    Kokkos::parallel_for(
        Kokkos::TeamVectorRange(team, (last - first) * state.queries), [&](int place) {
          int const row = first + place / state.queries;
          int const query = place % state.queries;
          if (passes(query, block[place], reach(lengths[row]), half_square(lengths[row]))) {
            note(query, row);
          }
        });
  }
};

/// Sums in double of products of floats, which are exact.
struct ExactScore {
  bool euclidean;
  int cols;

  /// The cosine of the angle between two rows (0 if one is zero), or their distance: exactly 1 or 0
  /// for equal rows.
  KOKKOS_INLINE_FUNCTION float operator()(float const* a, float const* b) const {
    constexpr int lanes = 8;
    double sums[3][lanes] = {};
    for (int j = 0; j < cols; j += lanes) {
      int const count = Kokkos::min(lanes, cols - j);
      if (count == lanes) {
        add(a + j, b + j, lanes, sums);
      } else {
        add(a + j, b + j, count, sums);
      }
    }
    double total[3] = {};
    for (int s = 0; s < 3; ++s) {
      for (int l = 0; l < lanes; ++l) {
        total[s] += sums[s][l];
      }
    }
    if (euclidean) {
      return static_cast<float>(Kokkos::sqrt(total[0]));
    }
    double const squares = total[1] * total[2];
    return squares > 0.0 ? static_cast<float>(total[0] / Kokkos::sqrt(squares)) : 0.0F;
  }

 private:
  template <int lanes>
  KOKKOS_INLINE_FUNCTION void add(float const* a, float const* b, int count,
                                  double (&sums)[3][lanes]) const {
    for (int l = 0; l < count; ++l) {
      auto const x = static_cast<double>(a[l]);
      auto const y = static_cast<double>(b[l]);
      if (euclidean) {
        sums[0][l] += (x - y) * (x - y);
      } else {
        sums[0][l] += x * y;
        sums[1][l] += x * x;
        sums[2][l] += y * y;
      }
    }
  }
};

/// The best of a query, as a heap with the worst on top; of equal scores the higher row is worse.
struct BestRows {
  int* rows;
  float* scores;
  bool euclidean;

  KOKKOS_INLINE_FUNCTION bool nearer(float score, int row, int place) const {
    float const other = scores[place];
    return score == other ? row < rows[place] : (euclidean ? score < other : score > other);
  }
  KOKKOS_INLINE_FUNCTION void put(int place, float score, int row) const {
    scores[place] = score;
    rows[place] = row;
  }
  /// Adds a row to `size` others.
  KOKKOS_INLINE_FUNCTION void push(int size, float score, int row) const {
    int place = size;
    while (place > 0 && !nearer(score, row, (place - 1) / 2)) {
      put(place, scores[(place - 1) / 2], rows[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, score, row);
  }
  /// Puts a row in the place of the worst.
  KOKKOS_INLINE_FUNCTION void replace_worst(int size, float score, int row) const {
    int place = 0;
    for (int child = 1; child < size; child = 2 * place + 1) {
      if (child + 1 < size && !nearer(scores[child + 1], rows[child + 1], child)) {
        ++child;
      }
      if (!nearer(score, row, child)) {
        break;
      }
      put(place, scores[child], rows[child]);
      place = child;
    }
    put(place, score, row);
  }
};

/// Takes each query's candidates into its best by their exact scores, and sets its filter.
/// queries: [queries, cols] as they were given. lengths: theirs. library: of `cols` columns, its
/// row 0 being the row `first_row` of the numbers in the state.
template <ExecutionSpace S>
void keep_best(S const& space, TopKState const& state, float const* queries,
               float const* query_lengths, float const* library, int first_row, int cols) {
  Kokkos::parallel_for(
      "m2u::kernels::keep_best", team_policy(space, state.queries),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        int const q = team.league_rank();
        int const count = state.counts[q];
        if (count == 0) {
          return;
        }
        ExactScore const score{state.euclidean, cols};
        std::ptrdiff_t const start = static_cast<std::ptrdiff_t>(q) * state.capacity;
        float const* const query = queries + static_cast<std::ptrdiff_t>(q) * cols;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, count), [&](int c) {
          std::ptrdiff_t const row = state.candidates[start + c] - first_row;
          state.scores[start + c] = score(query, library + row * cols);
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          std::ptrdiff_t const own = static_cast<std::ptrdiff_t>(q) * state.k;
          BestRows const best{state.best + own, state.best_scores + own, state.euclidean};
          int size = state.kept[q];
          for (int c = 0; c < count; ++c) {
            float const value = state.scores[start + c];
            int const row = state.candidates[start + c];
            if (size < state.k) {
              best.push(size++, value, row);
            } else if (best.nearer(value, row, 0)) {
              best.replace_worst(size, value, row);
            }
          }
          state.kept[q] = size;
          state.counts[q] = 0;
          if (size < state.k) {
            return;
          }
          // The error of a product in float is at most about cols · 2^-24 · both lengths; the rest
          // is for the few roundings of the filter itself, of lengths and of scores.
          double const epsilon = 0x1p-24;
          double const length = query_lengths[q];  // NaN: all later rows pass
          double const worst = best.scores[0];
          double const slack = 1.01 * (cols + 16) * epsilon;
          if (state.euclidean) {
            double const sum = length * length + worst * worst;
            state.slope[q] = static_cast<float>(-slack * length);
            state.offset[q] =
                static_cast<float>(0.5 * (length * length - worst * worst) - 8.0 * epsilon * sum);
          } else {
            // Nothing is nearer to zeros than what came first.
            state.slope[q] = length == 0.0 ? Kokkos::Experimental::finite_max_v<float>
                                           : static_cast<float>(worst - slack + 0.0 * length);
            state.offset[q] = 0.0F;
          }
        });
      });
}

}  // namespace m2u::kernels
