// SPDX-License-Identifier: Apache-2.0
#include "support/gradient_cases.hpp"

namespace m2u::test {

std::vector<GradientCase>& gradient_cases() {
  static std::vector<GradientCase> cases;
  return cases;
}

}  // namespace m2u::test
