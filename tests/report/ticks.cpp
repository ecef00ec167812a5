// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/ticks.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>
#include <vector>

namespace {

std::vector<std::string> labels(m2u::Ticks const& ticks) {
  std::vector<std::string> result;
  for (auto const value : ticks.values) {
    result.push_back(m2u::tick_label(value, ticks.step));
  }
  return result;
}
using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("linear ticks are round and cover the range", "[report]") {
  CHECK(labels(m2u::nice_ticks(0, 1, 5)) == Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels(m2u::nice_ticks(1, 20, 7)) == Labels{"0", "5", "10", "15", "20"});
  CHECK(labels(m2u::nice_ticks(-0.003, 0.004, 5)) ==
        Labels{"-0.004", "-0.002", "0.000", "0.002", "0.004"});
  CHECK(labels(m2u::nice_ticks(1, 3, 7, 1)) == Labels{"1", "2", "3"});
  CHECK(labels(m2u::nice_ticks(0, 3e7, 3)) == Labels{"0", "1e+07", "2e+07", "3e+07"});
  CHECK(labels(m2u::nice_ticks(0, 3e-8, 3)) == Labels{"0", "1e-08", "2e-08", "3e-08"});
}

TEST_CASE("ticks stay few and increasing for any range", "[report]") {
  for (double const low : {-1e12, -7.3, 0.0, 1e-9, 0.999, 123456.789}) {
    for (double const range : {1e-3, 0.11, 1.0, 9.99, 1e5, 1e80}) {
      for (int const about : {1, 5, 7}) {
        CAPTURE(low, range, about);
        auto const ticks = m2u::nice_ticks(low, low + range, about).values;
        REQUIRE(ticks.size() >= 2);
        CHECK(ticks.size() <= 2 * static_cast<std::size_t>(about) + 2);
        CHECK(ticks.front() <= low + 1e-6 * range);
        CHECK(ticks.back() >= low + range - 1e-6 * range);
        for (std::size_t i = 1; i < ticks.size(); ++i) {
          CHECK(ticks[i - 1] < ticks[i]);
        }
      }
    }
  }
  CHECK(m2u::nice_ticks(1, 1 + 2e-16 * 2, 5).values.size() >= 2);
  CHECK_THROWS_WITH(m2u::nice_ticks(1, 1, 5),
                    Catch::Matchers::ContainsSubstring("no ticks from 1"));
}

TEST_CASE("logarithmic ticks", "[report]") {
  CHECK(labels(m2u::log_ticks(2.3, 4.1)) == Labels{"2", "5"});
  CHECK(labels(m2u::log_ticks(0.3, 12)) == Labels{"0.2", "0.5", "1", "2", "5", "10", "20"});
  CHECK(labels(m2u::log_ticks(0.02, 30)) == Labels{"0.01", "0.1", "1", "10", "100"});
  CHECK(labels(m2u::log_ticks(1, 10)) == Labels{"1", "2", "5", "10"});
  auto const wide = m2u::log_ticks(1e-30, 1e30).values;
  CHECK(wide.size() <= 10);
  CHECK(wide.front() <= 1e-30 * (1 + 1e-9));
  CHECK(wide.back() >= 1e30 * (1 - 1e-9));
  CHECK(m2u::log_ticks(10, 10 * (1 + 1e-15)).values.size() >= 1);
  CHECK_THROWS_WITH(m2u::log_ticks(0, 1), Catch::Matchers::ContainsSubstring("logarithmic"));
}
