// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/heat_map.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "report/markup_checker.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

/// Relative luminance of the sRGB colour, as the Web Content Accessibility Guidelines define it.
double luminance(m2u::Rgb const& colour) {
  auto const linear = [](double c) {
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
}

}  // namespace

TEST_CASE("colours go from blue over white to orange and keep black text readable", "[report]") {
  CHECK(m2u::css_colour(m2u::heat_colour(0.0)) == "#ffffff");
  CHECK(m2u::css_colour(m2u::heat_colour(std::numeric_limits<double>::quiet_NaN())) == "#ffffff");
  CHECK(m2u::heat_colour(-3.0) == m2u::heat_colour(-1.0));
  CHECK(m2u::heat_colour(3.0) == m2u::heat_colour(1.0));
  CHECK(m2u::heat_colour(1.0)[0] > m2u::heat_colour(1.0)[2] + 0.5);
  CHECK(m2u::heat_colour(-1.0)[2] > m2u::heat_colour(-1.0)[0] + 0.5);
  for (int sign : {-1, 1}) {
    for (int i = 1; i <= 10; ++i) {
      auto const light = luminance(m2u::heat_colour(sign * 0.1 * i));
      CHECK(light < luminance(m2u::heat_colour(sign * 0.1 * (i - 1))));
      CHECK((light + 0.05) / 0.05 > 7.0);
    }
  }
  // Seen in grey the two ends are about as dark.
  CHECK(std::abs(luminance(m2u::heat_colour(1.0)) - luminance(m2u::heat_colour(-1.0))) < 0.1);
}

TEST_CASE("a heat map has a colour bar with numbers and tells what it shows", "[report]") {
  auto const svg = m2u::heat_map_svg({.drawing = "<?xml version='1.0'?><svg width='9'></svg>",
                                      .width = 300,
                                      .height = 200,
                                      .scale = 2.5,
                                      .title = "a < b",
                                      .description = "Atoms & bonds"});
  CHECK(svg.starts_with("<svg"));
  CHECK_THAT(svg, ContainsSubstring("width='300px' height='258px'") &&
                      ContainsSubstring("role='img'") &&
                      ContainsSubstring("<title>a &lt; b</title>") &&
                      ContainsSubstring("<desc>Atoms &amp; bonds</desc>"));
  CHECK(svg.find("<?xml") == std::string::npos);
  CHECK(m2u::test::MarkupChecker::fault(svg).empty());
  for (auto const* const number : {">-2.5<", ">-1.25<", ">0<", ">1.25<", ">2.5<"}) {
    CHECK_THAT(svg, ContainsSubstring(number));
  }
  CHECK_THROWS_WITH(m2u::heat_map_svg({.drawing = "no drawing"}),
                    ContainsSubstring("has no <svg element"));
}
