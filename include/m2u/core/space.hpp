// SPDX-License-Identifier: Apache-2.0
/// @file
/// Execution spaces: the concept, the host space, and how kernels split rows over teams.
#pragma once

#include <Kokkos_Core.hpp>

namespace m2u {

/// A Kokkos execution space (Serial, OpenMP, Cuda, HIP, …).
template <class S>
concept ExecutionSpace = Kokkos::is_execution_space_v<S>;

/// The execution space in which data is prepared.
using Host = Kokkos::DefaultHostExecutionSpace;

#if !defined(M2U_DEVICE_PATHS)
/// True where the host can read the space's memory directly.
template <ExecutionSpace S>
inline constexpr bool on_host =
    Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename S::memory_space>::accessible;
#else
/// For tests without a GPU: everything goes the way that it goes there, with real teams, on the
/// host.
template <ExecutionSpace S>
inline constexpr bool on_host = false;
#endif

/// The handle that a team kernel receives.
template <ExecutionSpace S>
using TeamMember = typename Kokkos::TeamPolicy<S>::member_type;

/// A policy of one team per league member, for kernels whose inner loop runs over the columns of a
/// row: one thread on the host (the loop vectorises), a block of threads on a GPU. The league is a
/// property of the problem, never of the number of threads, so results do not depend on the latter.
/// @param threads of a team on a GPU, with 32 lanes each; 0: as many as Kokkos thinks best
template <ExecutionSpace S>
Kokkos::TeamPolicy<S> team_policy(S const& space, int league, [[maybe_unused]] int threads = 0) {
#if defined(M2U_DEVICE_PATHS)
  return Kokkos::TeamPolicy<S>(space, league, Kokkos::min(space.concurrency(), 2), 1);
#endif
  if constexpr (on_host<S>) {
    return Kokkos::TeamPolicy<S>(space, league, 1, 1);
  } else if (threads > 0) {
    return Kokkos::TeamPolicy<S>(space, league, threads, 32);
  } else {
    return Kokkos::TeamPolicy<S>(space, league, Kokkos::AUTO, 32);
  }
}

/// Rows that one team handles in kernels that reduce over rows: a fixed partition, so that sums
/// come out the same whatever runs them. A few: the rows of a block stay in cache from the product
/// that makes them to what is done with them.
inline constexpr int rows_per_block = 48;

/// Number of blocks of `rows_per_block` rows.
constexpr int row_blocks(int rows) { return (rows + rows_per_block - 1) / rows_per_block; }

/// Rows that one team handles in kernels where rows do not depend on each other: many on the host,
/// where handing out a team costs as much as a row.
template <ExecutionSpace S>
inline constexpr int rows_per_team = on_host<S> ? 32 : 1;

/// A policy for such kernels. The body calls for_team_rows.
template <ExecutionSpace S>
Kokkos::TeamPolicy<S> rows_policy(S const& space, int rows) {
  return team_policy(space, (rows + rows_per_team<S> - 1) / rows_per_team<S>);
}

/// Calls f(row) for the rows of a team of rows_policy.
template <class Team, class F>
KOKKOS_INLINE_FUNCTION void for_team_rows(Team const& team, int rows, F const& f) {
  constexpr int count = rows_per_team<typename Team::execution_space>;
  int const first = team.league_rank() * count;
  int const last = Kokkos::min(rows, first + count);
  for (int row = first; row < last; ++row) {
    f(row);
  }
}

}  // namespace m2u
