// SPDX-License-Identifier: Apache-2.0
// Catch2's session inside Kokkos' lifetime.
#include <Kokkos_Core.hpp>
#include <catch2/catch_session.hpp>

int main(int argc, char* argv[]) {
  Kokkos::ScopeGuard const guard;
  return Catch::Session().run(argc, argv);
}
