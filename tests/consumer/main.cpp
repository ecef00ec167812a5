// SPDX-License-Identifier: Apache-2.0
// Two translation units with the same templates: they link, and compute the same.
#include <cstdio>

#include "m2u/core/version.hpp"

#include "toy_gradients.hpp"

std::vector<float> other_gradients();  // in other.cpp

int main(int argc, char** argv) {
  Kokkos::ScopeGuard const kokkos(argc, argv);
  auto const gradients = toy_gradients(Kokkos::DefaultExecutionSpace{});
  bool moved = false;
  for (float const value : gradients) {
    moved = moved || value != 0.0F;
  }
  bool const same = gradients == other_gradients();
  std::printf("m2u %s: %zu gradients, %s, %s\n", m2u::version, gradients.size(),
              moved ? "not all zero" : "ALL ZERO", same ? "the same from both" : "DIFFERENT");
  return moved && same ? 0 : 1;
}
