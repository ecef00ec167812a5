// SPDX-License-Identifier: Apache-2.0
// The registered list of gradient checks: one place that runs them all, so that none is skipped.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "m2u/autodiff/gradient_check.hpp"
#include "support/spaces.hpp"

namespace m2u::test {

struct GradientCase {
  std::string op;    ///< the header in include/m2u/ops, without its ending
  std::string what;  ///< "one row", "empty segments", … and the space's name
  std::function<GradientReport()> run;
};

std::vector<GradientCase>& gradient_cases();

/// Registers a check on every execution space: `make(space)` runs gradient_check. Use at namespace
/// scope: `bool const linear_relu = add_gradient_case("linear", "relu", [](auto space) { return …;
/// });`
template <class Make>
bool add_gradient_case(std::string const& op, std::string const& what, Make make) {
  for_each_space([&]<class S>(std::type_identity<S>) {
    gradient_cases().push_back({op, what + " on " + S::name(), [=] { return make(S{}); }});
  });
  return true;
}

}  // namespace m2u::test
