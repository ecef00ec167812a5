// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reports as one HTML file that needs nothing else.
#pragma once

#include "m2u/core/error.hpp"
#include "m2u/report/markup.hpp"
#include "m2u/report/page_style.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace m2u {

/// A picture with a line below it.
struct HtmlFigure {
  std::string svg;        ///< trusted, see inline_svg
  std::string caption;    ///< may be empty
  bool on_white = false;  ///< for drawings in dark colours without a ground of their own
};

/// Rows of text under a header.
struct HtmlTable {
  std::string caption;  ///< says what the table shows; also its name for those who can't see it
  std::vector<std::string> header;
  std::vector<std::vector<std::string>>
      rows;                          ///< each as long as the header; the first cell names it
  std::vector<std::size_t> numeric;  ///< columns that are aligned to the right
  std::vector<std::size_t> strong;   ///< rows that stand out
  bool folded = false;               ///< shown when the caption is clicked
};

/// A molecule, or anything else with a drawing, a title and a few lines of text.
struct HtmlCard {
  std::string svg;  ///< trusted, see inline_svg; shown on white; may be empty
  std::string title;
  std::vector<std::string> lines;
  bool strong = false;
};

/// A page that is put together from top to bottom: everything goes into the section begun last. One
/// self-contained file: no scripts, nothing from the network; for wide and narrow screens, light
/// and dark. All text is escaped; only drawings are taken as they are.
class HtmlPage {
 public:
  /// @param language of the text, as in `<html lang>`.
  explicit HtmlPage(std::string title, std::string language = "en")
      : title_(std::move(title)), language_(std::move(language)) {}

  /// A line below the title.
  HtmlPage& lead(std::string_view text) { return add(lead_, "<p class=\"lead\">", text, "</p>\n"); }
  /// A line at the end of the page.
  HtmlPage& footer(std::string_view text) { return add(footer_, "<p>", text, "</p>\n"); }

  /// Begins a section; the page's contents list it.
  HtmlPage& section(std::string_view heading) {
    auto const id = "section-" + std::to_string(sections_.size() + 1);
    body_ += sections_.empty() ? "" : "</section>\n";
    body_ += "<section aria-labelledby=\"" + id + "\">\n<h2 id=\"" + id + "\">" +
             escape_markup(heading) + "</h2>\n";
    sections_.emplace_back(heading);
    return *this;
  }
  /// A heading within a section. @param level 3, or 4 within 3.
  HtmlPage& heading(std::string_view text, int level = 3) {
    expects(level == 3 || level == 4, "headings within a section have level 3 or 4, not ", level);
    auto const tag = "h" + std::to_string(level);
    return add(body_, "<" + tag + ">", text, "</" + tag + ">\n");
  }
  HtmlPage& paragraph(std::string_view text) { return add(body_, "<p>", text, "</p>\n"); }

  /// Text whose lines and spaces stay as they are, such as a command or JSON.
  /// @param summary unless empty, the text is shown when this is clicked.
  HtmlPage& preformatted(std::string_view text, std::string_view summary = {}) {
    open_details(summary);
    // Lines that don't fit are scrolled to, with the keyboard as well.
    add(body_, "<pre tabindex=\"0\">", text, "</pre>\n");
    return close_details(summary);
  }

  /// Names and values that matter most.
  HtmlPage& facts(std::vector<std::pair<std::string, std::string>> const& facts) {
    body_ += facts.empty() ? "" : "<dl class=\"facts\">\n";
    for (auto const& [name, value] : facts) {
      body_ +=
          "<div><dt>" + escape_markup(name) + "</dt><dd>" + escape_markup(value) + "</dd></div>\n";
    }
    body_ += facts.empty() ? "" : "</dl>\n";
    return *this;
  }

  /// Figures side by side where there is room. @throws Error if one has no `<svg`.
  HtmlPage& figures(std::vector<HtmlFigure> const& figures) {
    body_ += figures.empty() ? "" : "<div class=\"figures\">\n";
    for (auto const& figure : figures) {
      body_ += "<figure>";
      body_ += figure.on_white ? "<div class=\"drawing\">" : "";
      body_ += inline_svg(figure.svg);
      body_ += figure.on_white ? "</div>" : "";
      if (!figure.caption.empty()) {
        add(body_, "<figcaption>", figure.caption, "</figcaption>");
      }
      body_ += "</figure>\n";
    }
    body_ += figures.empty() ? "" : "</div>\n";
    return *this;
  }
  /// One figure. @throws Error if it has no `<svg`.
  HtmlPage& figure(std::string svg, std::string caption = {}, bool on_white = false) {
    return figures({{std::move(svg), std::move(caption), on_white}});
  }

  /// @throws Error if a row is not as long as the header.
  HtmlPage& table(HtmlTable const& table) {
    open_details(table.folded ? table.caption : std::string());
    body_ += "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" +
             escape_markup(table.caption) + "\">\n<table>\n";
    if (!table.folded && !table.caption.empty()) {
      add(body_, "<caption>", table.caption, "</caption>\n");
    }
    body_ += "<thead><tr>";
    for (std::size_t column = 0; column < table.header.size(); ++column) {
      body_ += "<th scope=\"col\"" + alignment(table, column) + ">" +
               escape_markup(table.header[column]) + "</th>";
    }
    body_ += "</tr></thead>\n<tbody>\n";
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      table_row(table, row);
    }
    body_ += "</tbody>\n</table>\n</div>\n";
    return close_details(table.folded ? table.caption : std::string());
  }

  /// Cards in a grid; one alone takes a row, with its text beside the drawing. @throws Error if a
  /// drawing is neither empty nor has an `<svg`.
  HtmlPage& cards(std::vector<HtmlCard> const& cards) {
    body_ += cards.empty() ? "" : "<ul class=\"cards\">\n";
    for (auto const& card : cards) {
      body_ += card.strong ? "<li class=\"strong\">" : "<li>";
      if (card.svg.empty()) {
        body_ += "<div class=\"drawing none\">no drawing</div>";
      } else {
        body_ += "<div class=\"drawing\" role=\"img\" aria-label=\"Drawing of " +
                 escape_markup(card.title) + "\">";
        body_ += inline_svg(card.svg);
        body_ += "</div>";
      }
      body_ += "<div class=\"about\">";
      add(body_, "<p class=\"title\">", card.title, "</p>");
      for (auto const& line : card.lines) {
        add(body_, "<p class=\"line\">", line, "</p>");
      }
      body_ += "</div></li>\n";
    }
    body_ += cards.empty() ? "" : "</ul>\n";
    return *this;
  }

  /// The whole page; it can be asked for at any time.
  std::string str() const {
    std::string page = "<!DOCTYPE html>\n<html lang=\"" + escape_markup(language_) +
                       "\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                       "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>" +
                       escape_markup(title_) + "</title>\n<style>";
    page += detail::page_style;
    page += "</style>\n</head>\n<body>\n<header>\n<h1>" + escape_markup(title_) + "</h1>\n" + lead_;
    if (sections_.size() > 1) {
      page += "<nav aria-label=\"Contents\"><ul>\n";
      for (std::size_t i = 0; i < sections_.size(); ++i) {
        page += "<li><a href=\"#section-" + std::to_string(i + 1) + "\">" +
                escape_markup(sections_[i]) + "</a></li>\n";
      }
      page += "</ul></nav>\n";
    }
    page += "</header>\n<main>\n" + body_ + (sections_.empty() ? "" : "</section>\n") + "</main>\n";
    page += footer_.empty() ? "" : "<footer>\n" + footer_ + "</footer>\n";
    return page + "</body>\n</html>\n";
  }

 private:
  HtmlPage& add(std::string& part, std::string_view before, std::string_view text,
                std::string_view after) {
    part.append(before).append(escape_markup(text)).append(after);
    return *this;
  }
  HtmlPage& open_details(std::string_view summary) {
    return summary.empty() ? *this : add(body_, "<details><summary>", summary, "</summary>\n");
  }
  HtmlPage& close_details(std::string_view summary) {
    body_ += summary.empty() ? "" : "</details>\n";
    return *this;
  }
  static std::string alignment(HtmlTable const& table, std::size_t column) {
    return std::count(table.numeric.begin(), table.numeric.end(), column) ? " class=\"number\""
                                                                          : "";
  }
  void table_row(HtmlTable const& table, std::size_t row) {
    auto const& cells = table.rows[row];
    expects(cells.size() == table.header.size(), "row ", row, " of the table \"", table.caption,
            "\" has ", cells.size(), " cells, its header ", table.header.size());
    bool const strong = std::count(table.strong.begin(), table.strong.end(), row) > 0;
    body_ += strong ? "<tr class=\"strong\">" : "<tr>";
    for (std::size_t column = 0; column < cells.size(); ++column) {
      std::string const tag = column == 0 ? "th" : "td";
      body_ += "<" + tag + (column == 0 ? " scope=\"row\"" : "") + alignment(table, column) + ">" +
               escape_markup(cells[column]) + "</" + tag + ">";
    }
    body_ += "</tr>\n";
  }

  std::string title_, language_, lead_, body_, footer_;
  std::vector<std::string> sections_;
};

}  // namespace m2u
