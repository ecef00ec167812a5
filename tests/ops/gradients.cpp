// SPDX-License-Identifier: Apache-2.0
// Runs every registered gradient check, and fails if an op's header has none.
#include <filesystem>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "support/gradient_cases.hpp"

TEST_CASE("gradients of every op agree with central differences", "[gradients]") {
  REQUIRE_FALSE(m2u::test::gradient_cases().empty());
  for (auto const& check : m2u::test::gradient_cases()) {
    DYNAMIC_SECTION(check.op << ": " << check.what) {
      auto const report = check.run();
      INFO(report);
      CHECK(report.difference_error < 1e-6);
      CHECK(report.float_error < 1e-4);
    }
  }
}

TEST_CASE("every header in ops has a gradient check", "[gradients]") {
  std::set<std::string> const helpers{"column_sum"};  // not differentiable ops themselves
  std::set<std::string> checked;
  for (auto const& check : m2u::test::gradient_cases()) {
    checked.insert(check.op);
  }
  for (auto const& file : std::filesystem::directory_iterator(M2U_SOURCE_DIR "/include/m2u/ops")) {
    auto const op = file.path().stem().string();
    INFO("include/m2u/ops/" << op << ".hpp");
    CHECK((checked.contains(op) || helpers.contains(op)));
  }
}
