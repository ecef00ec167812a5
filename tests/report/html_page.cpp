// SPDX-License-Identifier: Apache-2.0
#include "m2u/report/html_page.hpp"

#include "report/markup_checker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>

using Catch::Matchers::ContainsSubstring;
using m2u::HtmlPage;
using m2u::test::MarkupChecker;
using m2u::test::occurrences;

namespace {

std::string const evil = "</p><script>\"x\" & 'y'";
std::string const drawing =
    "<?xml version='1.0'?>\n<svg viewBox='0 0 1 1'><!-- END --><path d='M0 0'/></svg>\n";

}  // namespace

TEST_CASE("an empty page is whole", "[report]") {
  auto const page = HtmlPage("Title").str();
  CHECK(MarkupChecker::fault(page) == "");
  CHECK_THAT(page, ContainsSubstring("<html lang=\"en\">") &&
                       ContainsSubstring("name=\"viewport\"") &&
                       ContainsSubstring("<title>Title</title>") && ContainsSubstring("<main>") &&
                       !ContainsSubstring("<section"));
}

TEST_CASE("everything given to a page is escaped, wherever it goes", "[report]") {
  HtmlPage page(evil, evil);
  page.lead(evil).paragraph(evil).section(evil).heading(evil).heading(evil, 4).paragraph(evil);
  page.preformatted(evil).preformatted(evil, evil).facts({{evil, evil}}).footer(evil).section(evil);
  page.figure(drawing, evil).figure(drawing, evil, true);
  page.table({evil, {evil, evil}, {{evil, evil}}, {1}, {0}, false});
  page.table({evil, {evil}, {{evil}}, {}, {}, true});
  page.cards({{drawing, evil, {evil, evil}, true}, {"", evil, {}, false}});
  auto const text = page.str();
  CHECK(MarkupChecker::fault(text) == "");
  CHECK(occurrences(text, "<script") == 0);
  CHECK(occurrences(text, "<?xml") == 0);
  CHECK(occurrences(text, "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;") >= 30);
  // Nothing is fetched.
  CHECK(occurrences(text, "http") == 0);
  CHECK(occurrences(text, "url(") == 0);
}

TEST_CASE("a page has landmarks, contents and a table that scrolls by itself", "[report]") {
  HtmlPage page("T");
  page.section("One").table({"Numbers", {"name", "n"}, {{"a", "1"}, {"b", "22"}}, {1}, {1}, false});
  page.section("Two");
  auto const text = page.str();
  CHECK(MarkupChecker::fault(text) == "");
  CHECK_THAT(text, ContainsSubstring("<a href=\"#section-2\">Two</a>") &&
                       ContainsSubstring("<section aria-labelledby=\"section-2\">"));
  CHECK_THAT(text, ContainsSubstring("role=\"region\" tabindex=\"0\" aria-label=\"Numbers\""));
  CHECK_THAT(text,
             ContainsSubstring("<caption>Numbers</caption>") &&
                 ContainsSubstring("<th scope=\"col\" class=\"number\">n</th>") &&
                 ContainsSubstring("<tr><th scope=\"row\">a</th><td class=\"number\">1</td></tr>"));
  CHECK(occurrences(text, "<tr class=\"strong\">") == 1);
  CHECK(page.str() == text);
}

TEST_CASE("empty parts of a page leave no trace", "[report]") {
  HtmlPage page("T");
  auto const before = page.section("S").str();
  CHECK(page.facts({}).figures({}).cards({}).str() == before);
  page.table({"", {}, {}, {}, {}, false});
  CHECK(MarkupChecker::fault(page.str()) == "");
}

TEST_CASE("a page refuses what it can't show", "[report]") {
  HtmlPage page("T");
  CHECK_THROWS_WITH(page.figure("PNG"), ContainsSubstring("no <svg element"));
  CHECK_THROWS_WITH(page.heading("x", 2), ContainsSubstring("level 3 or 4, not 2"));
  CHECK_THROWS_WITH(HtmlPage("T").table({"Numbers", {"a", "b"}, {{"1"}}, {}, {}, false}),
                    ContainsSubstring("row 0 of the table \"Numbers\" has 1 cells, its header 2"));
}
