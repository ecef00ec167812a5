// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/markup.hpp"

#include "report/markup_checker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <limits>

using m2u::test::MarkupChecker;

TEST_CASE("markup is escaped for text and for attributes", "[report]") {
  CHECK(m2u::escape_markup("<a href=\"x\">&'</a>") ==
        "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  CHECK(m2u::escape_markup("µ → 日\t\n") == "µ → 日\t\n");
  CHECK(m2u::escape_markup(std::string_view("a\0b\x1b", 4)) == "a\ufffd"
                                                               "b\ufffd");
  CHECK(m2u::escape_markup("").empty());
}

TEST_CASE("numbers become short text", "[report]") {
  auto const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(m2u::number_text(0.12345, 3) == "0.123");
  CHECK(m2u::number_text(2, 3) == "2.000");
  CHECK(m2u::number_text(2.5, 3, true) == "2.5");
  CHECK(m2u::number_text(200, 3, true) == "200");
  CHECK(m2u::number_text(-0.0001, 2) == "0.00");
  CHECK(m2u::number_text(-0.0001, 2, true) == "0");
  CHECK(m2u::number_text(1e300, 1) == "1.0e+300");
  CHECK(m2u::number_text(nan, 1) == "–");
  CHECK(m2u::significant_text(1.0 / 3) == "0.33333");
  CHECK(m2u::significant_text(2e-7) == "2e-07");
  CHECK(m2u::significant_text(-std::numeric_limits<double>::infinity()) == "–");
}

TEST_CASE("drawings lose what stands before <svg", "[report]") {
  CHECK(m2u::inline_svg("<?xml version='1.0'?>\n<svg><g/></svg>") == "<svg><g/></svg>");
  CHECK_THROWS_WITH(m2u::inline_svg("PNG"), Catch::Matchers::ContainsSubstring("no <svg element"));
}

TEST_CASE("the markup checker finds faults", "[report]") {
  CHECK(MarkupChecker::fault("<!DOCTYPE html>\n<a b=\"1\"><c/>&amp;<!-- < --></a>\n").empty());
  for (auto const* wrong : {"", "<a>", "<a></b>", "</a>", "<a b=c></a>", "<a b=\"1\" b=\"1\"/>",
                            "<a>&x</a>", "<a/><b/>", "<a b=\"<\"/>", "<a b=\"1/>", "<a><!-- </a>",
                            "<a/>x", "<a><b id=\"1\"/><c id=\"1\"/></a>"}) {
    CAPTURE(wrong);
    CHECK_FALSE(MarkupChecker::fault(wrong).empty());
  }
}
