// SPDX-License-Identifier: Apache-2.0
#include "../../examples/m2umol/run_report.hpp"

#include "report/markup_checker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cmath>
#include <string>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using m2u::test::MarkupChecker;
using m2u::test::occurrences;
using nlohmann::json;

namespace {

std::string const drawing =
    "<?xml version='1.0'?>\n<svg viewBox='0 0 1 1'><path d='M0 0'/></svg>\n";

m2umol::RunReport full_report() {
  m2umol::RunReport report;
  report.title = "Run <1>";
  report.program_version = "0.1.0";
  report.command = "m2umol --config \"a&b.json\"";
  report.configuration = {
      {"seed", 7}, {"train", {{"epochs", 2}, {"name", "<x>"}}}, {"empty", json::object()}};
  report.log = {{{"epoch", 1}, {"loss", 5.5}, {"terms", {{"3d", 2.5}, {"text", 3.0}}}},
                {{"epoch", 2},
                 {"loss", 4.25},
                 {"terms", {{"3d", 2.0}, {"text", nullptr}}},
                 {"learning_rate", 0.5},
                 {"retrieval", {{"text", {{"recall_at_10", 0.625}}}}}}};
  report.before = {{"text", "molecule → text", 0.005, 0.025, 0.05, 0.03, 100, 200},
                   {"bio", "molecule → bio", 0.5, 0.5, 0.5, 0.5, 1, 4}};
  report.after = {{"text", "molecule → text", 0.5, 0.75, 0.875, 0.6, 2, 200}};
  report.examples = {
      {"aspirin",
       "CC(=O)Oc1ccccc1C(=O)O",
       drawing,
       {{"text",
         {{"m1", "salsalate", "O=C", drawing, "note <n>", 0.875}, {"m2", "", "C", "", "", 0.5}}},
        {"3D", {}}}}};
  report.facts = {{"molecules", "300"}};
  return report;
}

}  // namespace

TEST_CASE("a run's report shows what was given", "[report]") {
  auto const page = m2umol::run_report_html(full_report());
  CHECK(MarkupChecker::fault(page) == "");
  CHECK(occurrences(page, "class=\"m2u-chart\"") == 3);
  CHECK_THAT(page, ContainsSubstring("Run &lt;1&gt;") && ContainsSubstring("<dd>300</dd>") &&
                       ContainsSubstring("m2umol --config &quot;a&amp;b.json&quot;"));
  CHECK_THAT(page, ContainsSubstring("<th scope=\"row\">train.name</th><td>&lt;x&gt;</td>") &&
                       ContainsSubstring("<th scope=\"row\">empty</th><td>{}</td>"));
  CHECK_THAT(page, ContainsSubstring("text: 0.625 at 2") &&
                       ContainsSubstring("3d: from 2.5 at 1 to 2 at 2."));
  CHECK_THAT(page, ContainsSubstring("similarity 0.875") && ContainsSubstring("note &lt;n&gt;") &&
                       ContainsSubstring(">m2</p>") && ContainsSubstring("Nearest by text"));
}

TEST_CASE("the retrieval table pairs before and after", "[report]") {
  auto const page = m2umol::run_report_html(full_report());
  auto const at = [&](std::string const& text) { return page.find(text); };
  auto const before = at("<td>before</td><td class=\"number\">0.005</td>");
  auto const after = at("<td>after</td><td class=\"number\">0.500</td>");
  auto const alone = at("<th scope=\"row\">bio</th>");
  REQUIRE(alone != std::string::npos);
  CHECK(before < after);
  CHECK(after < alone);
  CHECK_THAT(page,
             ContainsSubstring("<td class=\"number\">200</td><td class=\"number\">0.050</td>"));
  // In a pool of four every candidate is among the ten nearest.
  CHECK_THAT(page, ContainsSubstring("<td class=\"number\">4</td><td class=\"number\">1.000</td>"));
}

TEST_CASE("epochs without an evaluation are passed over, lost values are gaps", "[report]") {
  m2umol::TrainingLog const log{
      {{"epoch", 5}, {"loss", 3}, {"retrieval", {{"text", {{"mrr", 0.5}}}}}},
      {{"epoch", 6}, {"loss", nullptr}},
      {{"loss", 1}, {"terms", {{"joint", 1}, {"text", 2}}}}};
  auto const loss = m2umol::detail::over_epochs(log, "loss", {"loss"});
  CHECK(loss.x == std::vector<double>{5, 6, 3});
  CHECK(loss.y[0] == 3);
  CHECK(std::isnan(loss.y[1]));
  CHECK(m2umol::detail::over_epochs(log, "mrr", {"retrieval", "text", "mrr"}).x ==
        std::vector<double>{5});

  auto const terms = m2umol::detail::loss_terms(log);
  REQUIRE(terms.size() == 2);
  CHECK(terms[0].name == "text");  // a modality, so in the same place as among the modalities

  auto const table = m2umol::detail::log_table({loss, terms[0]});
  CHECK(table.header == std::vector<std::string>{"epoch", "loss", "text"});
  CHECK(table.rows ==
        std::vector<std::vector<std::string>>{{"3", "1", "2"}, {"5", "3", ""}, {"6", "–", ""}});
}

TEST_CASE("a run's report bears missing and odd parts", "[report]") {
  m2umol::RunReport report;
  CHECK(MarkupChecker::fault(m2umol::run_report_html(report)) == "");
  report.log = {json::object(),
                json(3),
                {{"loss", "high"}},
                {{"terms", 1}, {"retrieval", {{"a", 2}}}},
                {{"epoch", nullptr}, {"loss", nullptr}}};
  report.configuration = json::array({1, 2});
  auto const page = m2umol::run_report_html(report);
  CHECK(MarkupChecker::fault(page) == "");
  CHECK_THAT(page, ContainsSubstring("no data"));
  report.configuration = {{"bad", "\xff"}};
  CHECK_NOTHROW(m2umol::run_report_html(report));
}
