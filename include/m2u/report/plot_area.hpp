// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a line chart consists of, and where its parts go.
#pragma once

#include "m2u/core/error.hpp"
#include "m2u/report/ticks.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace m2u {

/// One named curve. A point whose x or y is not a number (or, with log_y, whose y is not positive)
/// is a gap in the curve.
struct LineSeries {
  std::string name;
  std::vector<double> x, y;
};

/// What line_chart_svg draws.
struct LineChart {
  std::string title, x_label, y_label;
  std::vector<LineSeries> series;
  bool log_y = false;
  /// The y axis reaches at least from y_low to y_high.
  std::optional<double> y_low, y_high;
  /// Read out in place of the picture, after the title; empty: the series' first and last values.
  std::string description;
  /// Of the view box; the drawing itself takes the width that the page gives it.
  double width = 480, height = 330;
};

namespace detail {

/// The room of a chart's curves in its view box, and the ranges of its axes. It refers to the
/// chart.
class PlotArea {
 public:
  explicit PlotArea(LineChart const& chart) : chart_(chart) {
    for (auto const& series : chart.series) {
      expects(series.x.size() == series.y.size(), "the series \"", series.name, "\" has ",
              series.x.size(), " x but ", series.y.size(), " y");
    }
    choose_ranges();
    lay_out();
  }

  static constexpr double label_height = 15;
  // The edges of the plot, in the view box's units.
  double left = 0, right = 0, top = 0, bottom = 0;
  double x_low = 0, x_high = 1;
  Ticks x_ticks, y_ticks;
  bool empty = true;    ///< no point to draw
  bool legend = false;  ///< names stand above the plot
  bool direct = false;  ///< names stand at the ends of the curves

  static double text_width(std::string_view text) {
    // Code points times a mean advance: no fonts are known here.
    return 7.2 * static_cast<double>(std::count_if(text.begin(), text.end(),
                                                   [](char c) { return (c & '\xc0') != '\x80'; }));
  }
  /// Of a line, a marker and the name.
  static double legend_width(std::string_view name) { return 36 + text_width(name); }
  bool drawn(LineSeries const& series, std::size_t i) const {
    auto const y = series.y[i];
    return std::abs(series.x[i]) < 1e150 && std::abs(y) < 1e150 && (!chart_.log_y || y > 1e-150);
  }
  double at_x(double x) const { return left + (x - x_low) / (x_high - x_low) * (right - left); }
  double at_y(double y) const {
    auto const scaled = [&](double v) { return chart_.log_y ? std::log10(v) : v; };
    auto const low = scaled(y_ticks.values.front());
    return bottom - (scaled(y) - low) / (scaled(y_ticks.values.back()) - low) * (bottom - top);
  }
  /// The index after the last drawn point, 0 if there is none.
  std::size_t drawn_end(LineSeries const& series) const {
    auto end = series.x.size();
    while (end > 0 && !drawn(series, end - 1)) {
      --end;
    }
    return end;
  }

 private:
  void choose_ranges() {
    std::vector<double> xs, ys;
    bool whole = true;
    for (auto const& series : chart_.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        if (drawn(series, i)) {
          xs.push_back(series.x[i]);
          ys.push_back(series.y[i]);
          whole = whole && xs.back() == std::floor(xs.back());
        }
      }
    }
    empty = xs.empty();
    for (auto const& bound : {chart_.y_low, chart_.y_high}) {
      if (bound && std::isfinite(*bound) && (!chart_.log_y || *bound > 0)) {
        ys.push_back(*bound);
      }
    }
    std::tie(x_low, x_high) = range(xs, false);
    auto const [y_low, y_high] = range(ys, chart_.log_y);
    x_ticks = nice_ticks(x_low, x_high, 7, whole ? 1 : 0);
    y_ticks = chart_.log_y ? log_ticks(y_low, y_high) : nice_ticks(y_low, y_high, 5);
  }

  static std::pair<double, double> range(std::vector<double> const& values, bool log) {
    if (values.empty()) {
      return log ? std::pair{1.0, 10.0} : std::pair{0.0, 1.0};
    }
    auto const [low, high] = std::minmax_element(values.begin(), values.end());
    if (*low < *high) {
      return {*low, *high};
    }
    auto const pad = std::max(0.5, 0.1 * std::abs(*low));
    return log ? std::pair{*low / 2, *low * 2} : std::pair{*low - pad, *low + pad};
  }

  void lay_out() {
    double widest = 0, longest = 0;
    for (auto const tick : y_ticks.values) {
      widest = std::max(widest, text_width(tick_label(tick, y_ticks.step)));
    }
    for (auto const& series : chart_.series) {
      longest = std::max(longest, text_width(series.name));
    }
    left = 14 + widest;
    bool const short_names = longest < 0.3 * chart_.width;
    legend = chart_.series.size() > 1 || !short_names;
    top = 54;
    double x = chart_.width;
    for (auto const& series : chart_.series) {
      auto const wide = legend_width(series.name);
      if (legend && x + wide > chart_.width) {
        top += 19;
        x = 1;
      }
      x += wide;
    }
    bottom = chart_.height - 46;
    expects(bottom - top > 40, "the chart \"", chart_.title, "\" needs more height than ",
            chart_.height);
    auto const count = static_cast<double>(chart_.series.size());
    // Many or long names stand in the legend alone.
    direct = !empty && short_names && label_height * count <= bottom - top;
    right = chart_.width - (direct ? longest + 18 : 14);
    expects(right - left > 40, "the chart \"", chart_.title, "\" needs more width than ",
            chart_.width);
  }

  LineChart const& chart_;
};

}  // namespace detail

}  // namespace m2u
