// SPDX-License-Identifier: Apache-2.0
/// @file
/// Curves as SVG that reads well alone or in a page, on light and on dark ground.
#pragma once

#include "m2u/report/markup.hpp"
#include "m2u/report/plot_area.hpp"
#include "m2u/report/ticks.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace m2u {

namespace detail {

/// Six colours that differ in hue and lightness (after Okabe and Ito), with a contrast of at least
/// 4.5:1 to the ground, and a grey; the markers tell the series apart without colour.
inline constexpr std::string_view line_chart_style =
    ".m2u-chart{color-scheme:light dark;color:inherit;font:13px system-ui,sans-serif;"
    "--m2u-0:#0072b2;--m2u-1:#c24e00;--m2u-2:#007f5f;--m2u-3:#b0578d;--m2u-4:#8a6d00;--m2u-5:#"
    "7a3db8;"
    "--m2u-6:#5a5a5a}"
    "@media (prefers-color-scheme:dark){.m2u-chart{--m2u-0:#56b4e9;--m2u-1:#f58a42;--m2u-2:#2fc79a;"
    "--m2u-3:#e39bc4;--m2u-4:#f0c94a;--m2u-5:#a48bf0;--m2u-6:#b8bec6}}"
    "svg.m2u-chart:root{color:CanvasText}"
    ".m2u-chart text{fill:currentColor}.m2u-chart .tick{font-size:12px;opacity:.8}"
    ".m2u-chart .grid{stroke:currentColor;opacity:.15}.m2u-chart "
    ".axis{stroke:currentColor;opacity:.6}"
    // Small screens shrink the drawing; its text shrinks less.
    "@media (max-width:30rem){.m2u-chart{font-size:15px}.m2u-chart .tick{font-size:14px}}";

/// Draws one chart; line_chart_svg is its only user.
class LineChartWriter {
 public:
  explicit LineChartWriter(LineChart const& chart) : chart_(chart), area_(chart) {}

  std::string str() {
    auto const size = number(chart_.width) + " " + number(chart_.height);
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"m2u-chart\" role=\"img\" viewBox=\"0 "
           "0 " +
           size + "\"><title>" + escape_markup(chart_.title) + "</title><desc>" +
           escape_markup(description()) + "</desc><style>" + std::string(line_chart_style) +
           "</style>";
    svg_ += "<text x=\"1\" y=\"19\" style=\"font-size:15px;font-weight:600\">" +
            escape_markup(chart_.title) + "</text>";
    if (area_.legend) {
      legend();
    }
    axes();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      curve(i);
    }
    end_labels();
    return svg_ + "</svg>\n";
  }

 private:
  struct Label {
    std::size_t series;
    double y;
  };

  static constexpr double label_height = PlotArea::label_height;

  static std::string number(double value) { return number_text(value, 1, true); }

  std::string description() const {
    if (!chart_.description.empty()) {
      return chart_.description;
    }
    std::string text = "Line chart of " + chart_.y_label + " against " + chart_.x_label + ".";
    for (auto const& series : chart_.series) {
      auto const end = area_.drawn_end(series);
      std::size_t first = 0;
      while (first < end && !area_.drawn(series, first)) {
        ++first;
      }
      auto const point = [&](std::size_t i) {
        return significant_text(series.y[i]) + " at " + significant_text(series.x[i]);
      };
      text += " " + series.name + ": " +
              (end == 0 ? "no values" : "from " + point(first) + " to " + point(end - 1)) + ".";
    }
    return text;
  }

  static std::string colour(std::size_t series) {
    return "var(--m2u-" + std::to_string(series % 7) + ")";
  }

  /// A circle, square, triangle or diamond of the series' colour.
  static std::string marker(std::size_t series, double x, double y, std::string const& tip = {}) {
    static constexpr char const* shapes[] = {"a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
                                             "v-3.2h7v6.4h-7z", "v3.2h7l-3.5 -7z",
                                             "l3.5 -4.3 3.5 4.3 -3.5 4.3z"};
    return "<path style=\"fill:" + colour(series) + "\" d=\"M" + number(x - 3.5) + " " + number(y) +
           shapes[series % 4] + "\">" +
           (tip.empty() ? "" : "<title>" + escape_markup(tip) + "</title>") + "</path>";
  }

  void line(char const* kind, double x1, double y1, double x2, double y2) {
    svg_ += std::string("<path class=\"") + kind + "\" d=\"M" + number(x1) + " " + number(y1) +
            "L" + number(x2) + " " + number(y2) + "\"/>";
  }
  void text(double x, double y, char const* anchor, std::string const& content,
            char const* kind = nullptr) {
    svg_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\"" +
            (kind ? std::string(" class=\"") + kind + "\"" : "") + ">" + escape_markup(content) +
            "</text>";
  }

  void legend() {
    double x = 1, y = 42;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      auto const wide = area_.legend_width(chart_.series[i].name);
      if (x > 1 && x + wide > chart_.width) {
        x = 1;
        y += 19;
      }
      svg_ += "<path style=\"stroke:" + colour(i) + ";stroke-width:2\" d=\"M" + number(x) + " " +
              number(y - 4.5) + "h16\"/>" + marker(i, x + 8, y - 4.5);
      text(x + 20, y, "start", chart_.series[i].name);
      x += wide;
    }
  }

  void axes() {
    for (auto const tick : area_.y_ticks.values) {
      line("grid", area_.left, area_.at_y(tick), area_.right, area_.at_y(tick));
      text(area_.left - 6, area_.at_y(tick) + 4, "end", tick_label(tick, area_.y_ticks.step),
           "tick");
    }
    auto const rounding = 1e-9 * area_.x_ticks.step;
    for (auto const tick : area_.x_ticks.values) {
      if (tick >= area_.x_low - rounding && tick <= area_.x_high + rounding) {
        line("axis", area_.at_x(tick), area_.bottom, area_.at_x(tick), area_.bottom + 4);
        text(area_.at_x(tick), area_.bottom + 18, "middle", tick_label(tick, area_.x_ticks.step),
             "tick");
      }
    }
    line("axis", area_.left, area_.bottom, area_.right, area_.bottom);
    text((area_.left + area_.right) / 2, area_.bottom + 38, "middle", chart_.x_label);
    text(1, area_.top - 13, "start", chart_.y_label + (chart_.log_y ? " (logarithmic)" : ""),
         "tick");
    if (area_.empty) {
      text((area_.left + area_.right) / 2, (area_.top + area_.bottom) / 2, "middle", "no data");
    }
  }

  void curve(std::size_t index) {
    auto const& series = chart_.series[index];
    auto const count = series.x.size();
    std::string path, markers;
    for (std::size_t i = 0; i < count; ++i) {
      if (!area_.drawn(series, i)) {
        continue;
      }
      bool const starts = i == 0 || !area_.drawn(series, i - 1);
      bool const stops = i + 1 == count || !area_.drawn(series, i + 1);
      auto const x = area_.at_x(series.x[i]), y = area_.at_y(series.y[i]);
      path += (starts ? "M" : "L") + number(x) + " " + number(y);
      // Over many points markers would hide the curve; a point alone has nothing else.
      if (count <= 40 || (starts && stops) || i + 1 == area_.drawn_end(series)) {
        markers += marker(index, x, y,
                          series.name + ": " + significant_text(series.y[i]) + " at " +
                              significant_text(series.x[i]));
      }
    }
    if (!path.empty()) {
      svg_ += "<path style=\"fill:none;stroke:" + colour(index) +
              ";stroke-width:2;stroke-linejoin:round\" d=\"" + path + "\"/>" + markers;
    }
  }

  /// Moves labels, sorted by height, as little as possible until none touches the next: those that
  /// would touch form a block around their mean.
  void spread(std::vector<Label>& labels) const {
    struct Block {
      double sum = 0, count = 0;
    };
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      Block block{labels[i].y - label_height * static_cast<double>(i), 1};
      while (!blocks.empty() && blocks.back().sum / blocks.back().count > block.sum / block.count) {
        block = {block.sum + blocks.back().sum, block.count + blocks.back().count};
        blocks.pop_back();
      }
      blocks.push_back(block);
    }
    std::size_t i = 0;
    auto const room = label_height * (static_cast<double>(labels.size()) - 1);
    for (auto const& [sum, count] : blocks) {
      auto const first = std::clamp(sum / count, area_.top + 4, area_.bottom + 4 - room);
      for (auto const end = i + static_cast<std::size_t>(count); i < end; ++i) {
        labels[i].y = first + label_height * static_cast<double>(i);
      }
    }
  }

  /// Names beside the last points, moved apart where they would touch.
  void end_labels() {
    std::vector<Label> labels;
    for (std::size_t i = 0; area_.direct && i < chart_.series.size(); ++i) {
      if (auto const end = area_.drawn_end(chart_.series[i]); end > 0) {
        labels.push_back({i, area_.at_y(chart_.series[i].y[end - 1]) + 4});
      }
    }
    std::stable_sort(labels.begin(), labels.end(), [](auto& a, auto& b) { return a.y < b.y; });
    spread(labels);
    for (auto const& [series, y] : labels) {
      auto const& name = chart_.series[series].name;
      svg_ += "<text x=\"" + number(area_.right + 9) + "\" y=\"" + number(y) +
              "\" style=\"fill:" + colour(series) + ";font-weight:600\">" + escape_markup(name) +
              "</text>";
    }
  }

  LineChart const& chart_;
  PlotArea area_;
  std::string svg_;
};

}  // namespace detail

/// The chart as one `<svg>` element: ticks at round numbers, a legend, each curve's name at its
/// last point, values as tooltips. It scales with its container and takes over its text colour;
/// colours can be set anew by the CSS variables --m2u-0 … --m2u-6. All text is escaped.
/// @throws Error if a series' x and y differ in length, or if the chart is too small for its
/// labels.
inline std::string line_chart_svg(LineChart const& chart) {
  return detail::LineChartWriter(chart).str();
}

}  // namespace m2u
