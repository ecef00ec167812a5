// SPDX-License-Identifier: Apache-2.0
/// @file
/// Device code: lengths of rows, and rows of length one.
#pragma once

#include <cstddef>

#include "m2u/core/matrix.hpp"

namespace m2u::kernels {

/// The lengths between which products and squares in float lose nothing but rounding.
inline constexpr double shortest_length = 1e-12;
inline constexpr double longest_length = 1e15;

/// lengths(i) = length of row i of x: 0 only for zeros, and NaN outside shortest_length …
/// longest_length, whose rows only exact scores can rank. first_bad: the first row that holds a
/// number that is not finite, or the number of rows. Waits.
template <ExecutionSpace S>
void row_lengths(S const& space, Matrix<float, S> const& x, Vector<float, S> const& lengths,
                 int& first_bad) {
  int const rows = x.extent_int(0);
  int const cols = x.extent_int(1);
  float const* const from = x.data();
  float* const to = lengths.data();
  Kokkos::parallel_reduce(
      "m2u::kernels::row_lengths", Kokkos::RangePolicy<S>(space, 0, rows),
      KOKKOS_LAMBDA(int i, int& bad) {
        constexpr int lanes = 8;  // sums that do not wait for each other
        float const* const row = from + static_cast<std::ptrdiff_t>(i) * cols;
        double sums[lanes] = {};
        int j = 0;
        for (; j + lanes <= cols; j += lanes) {
          for (int l = 0; l < lanes; ++l) {
            sums[l] += static_cast<double>(row[j + l]) * static_cast<double>(row[j + l]);
          }
        }
        double square = 0.0;
        for (; j < cols; ++j) {
          square += static_cast<double>(row[j]) * static_cast<double>(row[j]);
        }
        for (int l = 0; l < lanes; ++l) {
          square += sums[l];
        }
        double const length = Kokkos::sqrt(square);
        bool const plain = length == 0.0 || (length >= shortest_length && length <= longest_length);
        to[i] = plain ? static_cast<float>(length) : Kokkos::Experimental::quiet_NaN_v<float>;
        if (!Kokkos::isfinite(square) && i < bad) {
          bad = i;
        }
      },
      Kokkos::Min<int>(first_bad));
  first_bad = Kokkos::min(first_bad, rows);  // Min's identity if there are no rows
}

/// unit(i) = x(first + i) / lengths(first + i); rows of zeros stay.
template <ExecutionSpace S>
void unit_rows(S const& space, Matrix<float, S> const& x, Vector<float, S> const& lengths,
               int first, Matrix<float, S> const& unit) {
  int const cols = x.extent_int(1);
  float const* const from = x.data() + static_cast<std::ptrdiff_t>(first) * cols;
  float const* const length = lengths.data() + first;
  float* const to = unit.data();
  Kokkos::parallel_for(
      "m2u::kernels::unit_rows", team_policy(space, unit.extent_int(0)),
      KOKKOS_LAMBDA(TeamMember<S> const& team) {
        std::ptrdiff_t const row = static_cast<std::ptrdiff_t>(team.league_rank()) * cols;
        float const own = length[team.league_rank()];
        float const divisor = own == 0.0F ? 1.0F : own;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, cols),
                             [&](int j) { to[row + j] = from[row + j] / divisor; });
      });
}

}  // namespace m2u::kernels
