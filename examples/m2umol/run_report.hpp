// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a training run was, did and learned, as one HTML page.
#pragma once

#include "m2u/report/html_page.hpp"
#include "m2u/report/line_chart.hpp"
#include "training_log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace m2umol {

/// How well molecules and one modality find each other among the molecules that training never saw.
struct RetrievalRow {
  std::string modality;   ///< for example "text"
  std::string direction;  ///< for example "molecule → text"
  double recall1 = 0, recall5 = 0, recall10 = 0, mrr = 0, median_rank = 0;
  int pool = 0;  ///< number of candidates
};

/// A molecule, what matters in it, and those nearest to it, once per way of comparing them.
struct MoleculeView {
  struct Hit {
    std::string id, name, smiles, svg, note;
    double similarity = 0;
    std::string conformer_svg = {};       ///< empty: none is known
    std::vector<std::string> about = {};  ///< description, targets
  };
  struct Group {
    std::string by;  ///< for example "joint embedding"
    std::vector<Hit> hits;
  };
  std::string name, smiles, svg;
  std::vector<Group> groups;
  std::vector<m2u::HtmlFigure> maps = {};   ///< drawings with the importance of atoms and bonds
  std::vector<m2u::HtmlTable> tables = {};  ///< ranked groups of atoms
};

/// What run_report_html shows; whatever is empty is left out.
struct RunReport {
  std::string title;
  std::string program_version;
  nlohmann::json configuration;
  TrainingLog log;
  std::vector<RetrievalRow> before, after;  ///< before and after training
  std::vector<MoleculeView> examples;
  std::vector<std::pair<std::string, std::string>> facts;  ///< headline names and values
  std::string command;                                     ///< that repeats the run
};

namespace detail {

/// JSON as text; what is not UTF-8 becomes U+FFFD.
inline std::string text_of(nlohmann::json const& value, int indent = -1) {
  return value.is_string()
             ? value.get<std::string>()
             : value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

inline m2u::LineChart over_epochs_chart(std::string title, std::string y_label,
                                        std::vector<m2u::LineSeries> series) {
  m2u::LineChart chart;
  chart.title = std::move(title);
  chart.x_label = "epoch";
  chart.y_label = std::move(y_label);
  chart.series = std::move(series);
  return chart;
}

inline void add_training(m2u::HtmlPage& page, RunReport const& report) {
  auto const total = over_epochs(report.log, "loss", {"loss"});
  auto const terms = loss_terms(report.log);
  std::vector<m2u::LineSeries> recall;
  for (auto const& modality : keys_of(report.log, "retrieval")) {
    recall.push_back(over_epochs(report.log, modality, {"retrieval", modality, "recall_at_10"}));
  }
  std::vector<m2u::HtmlFigure> figures{
      {m2u::line_chart_svg(over_epochs_chart("Total loss", "loss", {total})),
       "What training minimises: mean over the batches of each epoch.", false}};
  if (!terms.empty()) {
    figures.push_back(
        {m2u::line_chart_svg(over_epochs_chart("Loss of each objective", "loss", terms)),
         "The parts that the total is made of.", false});
  }
  if (!recall.empty()) {
    auto chart = over_epochs_chart("Held-out Recall@10", "Recall@10", recall);
    chart.y_low = 0;
    chart.y_high = 1;
    figures.push_back({m2u::line_chart_svg(chart),
                       "Share of held-out molecules whose own partner is among the ten nearest.",
                       false});
  }
  auto const validation = over_epochs(report.log, "validation", {"validation"});
  if (!validation.x.empty()) {
    figures.push_back({m2u::line_chart_svg(over_epochs_chart(
                           "Validation score", "ROC-AUC, RMSE or accuracy", {validation})),
                       "By which the best epoch is chosen.", false});
  }
  page.section("Training").figures(figures);
  std::vector<m2u::LineSeries> columns{total, validation};
  auto const add = [&](char const* what, std::vector<m2u::LineSeries> const& curves) {
    for (auto const& curve : curves) {
      columns.push_back(curve);
      columns.back().name.insert(0, what);
    }
  };
  add("loss: ", terms);
  add("Recall@10: ", recall);
  columns.push_back(over_epochs(report.log, "learning rate", {"learning_rate"}));
  columns.push_back(over_epochs(report.log, "samples per second", {"samples_per_second"}));
  columns.push_back(over_epochs(report.log, "seconds", {"seconds"}));
  std::erase_if(columns, [](auto const& series) { return series.x.empty(); });
  if (!columns.empty()) {
    page.table(log_table(columns));
  }
}

inline void add_retrieval_row(m2u::HtmlTable& table, RetrievalRow const& row,
                              std::string const& when) {
  auto const chance =
      row.pool > 0 ? std::min(1.0, 10.0 / row.pool) : std::numeric_limits<double>::quiet_NaN();
  std::string direction;  // in one line
  for (char const c : row.direction) {
    direction += c == ' ' ? "\u00a0" : std::string(1, c);
  }
  table.rows.push_back({row.modality, direction, when, m2u::number_text(row.recall1, 3),
                        m2u::number_text(row.recall5, 3), m2u::number_text(row.recall10, 3),
                        m2u::number_text(row.mrr, 3), m2u::number_text(row.median_rank, 1),
                        std::to_string(row.pool), m2u::number_text(chance, 3)});
}

inline void add_retrieval(m2u::HtmlPage& page, RunReport const& report) {
  m2u::HtmlTable table{
      "Retrieval among held-out molecules", {}, {}, {3, 4, 5, 6, 7, 8, 9}, {}, false};
  table.header = {"Modality",  "Direction", "Training",    "Recall@1", "Recall@5",
                  "Recall@10", "MRR",       "Median rank", "Pool",     "Chance at 10"};
  std::vector<bool> used(report.before.size());
  for (auto const& row : report.after) {
    for (std::size_t i = 0; i < report.before.size(); ++i) {
      auto const& earlier = report.before[i];
      if (!used[i] && earlier.modality == row.modality && earlier.direction == row.direction) {
        used[i] = true;
        add_retrieval_row(table, earlier, "before");
      }
    }
    table.strong.push_back(table.rows.size());
    add_retrieval_row(table, row, "after");
  }
  for (std::size_t i = 0; i < report.before.size(); ++i) {
    if (!used[i]) {
      add_retrieval_row(table, report.before[i], "before");
    }
  }
  page.section("Held-out retrieval")
      .paragraph(
          "Each held-out molecule asks for its own partner, and each partner for its molecule, "
          "among all candidates of the pool, ordered by similarity.")
      .table(table)
      .paragraph(
          "Recall@k: share of queries whose partner is among the k nearest (1 is perfect). MRR: "
          "mean of 1 / rank of the partner (1 is perfect). Median rank: half of the queries find "
          "their partner at this rank or better (1 is perfect). Pool: number of candidates; "
          "guessing reaches a Recall@k of k / pool (last column: k = 10) and a median rank of "
          "about half the pool, so "
          "numbers from pools of different sizes don't compare.");
}

inline m2u::HtmlCard card_of(MoleculeView::Hit const& hit) {
  m2u::HtmlCard card{hit.svg + hit.conformer_svg, hit.name.empty() ? hit.id : hit.name, {}, false};
  card.lines.push_back("similarity " + m2u::number_text(hit.similarity, 3));
  for (auto const* line : {&hit.note, hit.name.empty() ? nullptr : &hit.id, &hit.smiles}) {
    if (line && !line->empty()) {
      card.lines.push_back(*line);
    }
  }
  for (auto const& line : hit.about) {
    card.lines.push_back(line);
  }
  return card;
}

/// A molecule with what matters in it and what is near, within a section.
inline void add_view(m2u::HtmlPage& page, MoleculeView const& view) {
  page.heading(view.name.empty() ? view.smiles : view.name);
  page.cards(
      {{view.svg, view.name.empty() ? view.smiles : view.name, {"query", view.smiles}, true}});
  if (!view.maps.empty()) {
    page.heading("What matters in it", 4).figures(view.maps);
  }
  for (auto const& table : view.tables) {
    page.table(table);
  }
  for (auto const& group : view.groups) {
    page.heading("Nearest by " + group.by, 4);
    std::vector<m2u::HtmlCard> cards;
    for (auto const& hit : group.hits) {
      cards.push_back(card_of(hit));
    }
    page.cards(cards);
    if (cards.empty()) {
      page.paragraph("None.");
    }
  }
}

inline void add_examples(m2u::HtmlPage& page, RunReport const& report) {
  page.section("Nearest molecules");
  for (auto const& example : report.examples) {
    add_view(page, example);
  }
}

/// Puts nested settings below each other: {"a": {"b": 1}} becomes the row a.b, 1.
inline void add_settings(m2u::HtmlTable& table, nlohmann::json const& value,
                         std::string const& path) {
  if (value.is_object() && !value.empty()) {
    for (auto const& item : value.items()) {
      add_settings(table, item.value(), path.empty() ? item.key() : path + "." + item.key());
    }
  } else {
    table.rows.push_back({path, text_of(value)});
  }
}

inline void add_configuration(m2u::HtmlPage& page, RunReport const& report) {
  bool const settings = report.configuration.is_object() && !report.configuration.empty();
  page.section("Configuration and reproduction");
  page.paragraph("Made with version " + report.program_version +
                 ". The same version, data and configuration, the seed included, repeat the run.");
  if (!report.command.empty()) {
    page.preformatted(report.command);
  }
  if (settings) {
    m2u::HtmlTable table{"Configuration", {"Setting", "Value"}, {}, {}, {}, false};
    add_settings(table, report.configuration, "");
    page.table(table).preformatted(text_of(report.configuration, 2), "The configuration as JSON");
  }
}

}  // namespace detail

/// The page, as text of an .html file. Drawings are trusted, all else is escaped.
/// @throws m2u::Error if a drawing is neither empty nor SVG.
inline std::string run_report_html(RunReport const& report) {
  m2u::HtmlPage page(report.title);
  page.lead("Report of a training run, version " + report.program_version);
  if (!report.facts.empty()) {
    page.section("At a glance").facts(report.facts);
  }
  if (!report.log.empty()) {
    detail::add_training(page, report);
  }
  if (!report.before.empty() || !report.after.empty()) {
    detail::add_retrieval(page, report);
  }
  if (!report.examples.empty()) {
    detail::add_examples(page, report);
  }
  detail::add_configuration(page, report);
  return page.str();
}

}  // namespace m2umol
