// SPDX-License-Identifier: Apache-2.0
// Linked with a source per public header: that it links at all is the test.
#include <cstdio>

#include "m2u/core/version.hpp"

int main() {
  std::printf("m2u %s: every public header compiles alone, twice, and links with all others\n",
              m2u::version);
  return 0;
}
