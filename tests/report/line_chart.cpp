// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/line_chart.hpp"

#include "report/markup_checker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <limits>
#include <regex>
#include <string>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using m2u::test::MarkupChecker;
using m2u::test::occurrences;

namespace {

double const nan_value = std::numeric_limits<double>::quiet_NaN();

m2u::LineChart chart_of(std::vector<m2u::LineSeries> series) {
  m2u::LineChart chart;
  chart.title = "Loss";
  chart.x_label = "epoch";
  chart.y_label = "loss";
  chart.series = std::move(series);
  return chart;
}

/// The `d` of every curve.
std::vector<std::string> curves(std::string const& svg) {
  std::regex const pattern("stroke-linejoin:round\" d=\"([^\"]*)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator match(svg.begin(), svg.end(), pattern), end; match != end; ++match) {
    found.push_back((*match)[1]);
  }
  return found;
}

}  // namespace

TEST_CASE("a line chart draws every series, with a legend and names at the ends", "[report]") {
  auto const svg = m2u::line_chart_svg(
      chart_of({{"text", {1, 2, 3}, {3, 2, 1}}, {"3D", {1, 2, 3}, {3.5, 2.5, 1.0}}}));
  CHECK(MarkupChecker::fault(svg) == "");
  CHECK(curves(svg).size() == 2);
  CHECK(occurrences(svg, ">text</text>") == 2);
  CHECK(occurrences(svg, ">3D</text>") == 2);
  CHECK_THAT(svg, ContainsSubstring("role=\"img\"") && ContainsSubstring("<title>Loss</title>") &&
                      ContainsSubstring("text: from 3 at 1 to 1 at 3."));
  CHECK_THAT(svg,
             ContainsSubstring("prefers-color-scheme:dark") && ContainsSubstring("currentColor"));
  CHECK_THAT(svg, ContainsSubstring("<title>3D: 2.5 at 2</title>"));
}

TEST_CASE("names at the ends don't touch", "[report]") {
  std::vector<m2u::LineSeries> series;
  for (int i = 0; i < 6; ++i) {
    series.push_back({"n" + std::to_string(i), {0, 1}, {1.0 * i, 0.001 * i}});
  }
  auto const svg = m2u::line_chart_svg(chart_of(series));
  std::regex const pattern("y=\"([0-9.]+)\" style=\"fill:var[^>]*font-weight:600\">n");
  std::vector<double> heights;
  for (std::sregex_iterator match(svg.begin(), svg.end(), pattern), end; match != end; ++match) {
    heights.push_back(std::stod((*match)[1]));
  }
  REQUIRE(heights.size() == 6);
  for (std::size_t i = 1; i < heights.size(); ++i) {
    CHECK(heights[i] - heights[i - 1] >= 14.9);
  }
  CHECK(heights.back() < 330);
}

TEST_CASE("what is not a number leaves a gap", "[report]") {
  auto const infinity = std::numeric_limits<double>::infinity();
  auto const svg =
      m2u::line_chart_svg(chart_of({{"a", {1, 2, 3, 4, 5, 6}, {1, 2, nan_value, infinity, 5, 6}}}));
  REQUIRE(curves(svg).size() == 1);
  CHECK(occurrences(curves(svg)[0], "M") == 2);
  CHECK(occurrences(curves(svg)[0], "L") == 2);
  CHECK(occurrences(svg, "nan") == 0);
  CHECK(occurrences(svg, "inf") == 0);

  // A point between two gaps shows as a marker even where markers are left out.
  m2u::LineSeries many{"many", {}, {}};
  for (int i = 0; i < 100; ++i) {
    many.x.push_back(i);
    many.y.push_back(i == 49 || i == 51 ? nan_value : i);
  }
  auto const dense = m2u::line_chart_svg(chart_of({many}));
  CHECK_THAT(dense, ContainsSubstring("many: 50 at 50") && ContainsSubstring("many: 99 at 99") &&
                        !ContainsSubstring("many: 20 at 20"));
}

TEST_CASE("a logarithmic chart leaves out what is not positive", "[report]") {
  auto chart = chart_of({{"a", {1, 2, 3, 4}, {0.01, 1, 0, 100}}});
  chart.log_y = true;
  chart.y_low = 0;
  auto const svg = m2u::line_chart_svg(chart);
  CHECK(MarkupChecker::fault(svg) == "");
  CHECK(occurrences(curves(svg).at(0), "M") == 2);
  CHECK_THAT(svg, ContainsSubstring(">0.01</text>") && ContainsSubstring(">100</text>") &&
                      ContainsSubstring("(logarithmic)"));
  std::smatch points;
  auto const curve = curves(svg)[0];
  REQUIRE(std::regex_match(curve, points, std::regex("M\\S+ (\\S+)L\\S+ (\\S+)M\\S+ (\\S+)")));
  // Equal factors are equal distances.
  CHECK(std::abs(std::stod(points[1]) - 2 * std::stod(points[2]) + std::stod(points[3])) < 0.3);
}

TEST_CASE("charts without data, with one point, with equal values", "[report]") {
  for (auto const& svg :
       {m2u::line_chart_svg(chart_of({})), m2u::line_chart_svg(chart_of({{"a", {}, {}}})),
        m2u::line_chart_svg(chart_of({{"a", {1, 2}, {nan_value, nan_value}}}))}) {
    CHECK(MarkupChecker::fault(svg) == "");
    CHECK(curves(svg).empty());
    CHECK_THAT(svg, ContainsSubstring(">no data</text>"));
  }
  for (auto const& y : std::vector<std::vector<double>>{{2}, {2, 2}, {0, 0}, {1e-200, 1e-200}}) {
    for (bool const log : {false, true}) {
      auto chart = chart_of({{"a", std::vector<double>(y.size(), 3), y}});
      chart.log_y = log;
      auto const svg = m2u::line_chart_svg(chart);
      CHECK(MarkupChecker::fault(svg) == "");
      CHECK(occurrences(svg, "nan") == 0);
      CHECK(curves(svg).size() == (log && y[0] < 1e-150 ? 0 : 1));
    }
  }
}

TEST_CASE("the y axis reaches the bounds asked for", "[report]") {
  auto chart = chart_of({{"a", {1, 2}, {0.4, 0.5}}});
  CHECK_THAT(m2u::line_chart_svg(chart), !ContainsSubstring(">1.0</text>"));
  chart.y_low = 0;
  chart.y_high = 1;
  CHECK_THAT(m2u::line_chart_svg(chart),
             ContainsSubstring(">0.0</text>") && ContainsSubstring(">1.0</text>"));
}

TEST_CASE("a chart's text is escaped and its errors are clear", "[report]") {
  auto chart = chart_of({{"<b>&\"'", {1, 2}, {1, 2}}});
  chart.title = chart.x_label = chart.y_label = "</svg><script>";
  auto const svg = m2u::line_chart_svg(chart);
  CHECK(MarkupChecker::fault(svg) == "");
  CHECK_THAT(svg, !ContainsSubstring("<script") && ContainsSubstring("&lt;b&gt;&amp;&quot;&#39;"));

  CHECK_THROWS_WITH(m2u::line_chart_svg(chart_of({{"a", {1, 2}, {1}}})),
                    ContainsSubstring("the series \"a\" has 2 x but 1 y"));
  chart.height = 100;
  CHECK_THROWS_WITH(m2u::line_chart_svg(chart), ContainsSubstring("more height than 100"));
  chart = chart_of({});
  chart.width = 50;
  CHECK_THROWS_WITH(m2u::line_chart_svg(chart), ContainsSubstring("more width than 50"));
}
