// SPDX-License-Identifier: Apache-2.0
/// @file
/// A drawing in the colours of heat_colour, with a colour bar and a description in words.
#pragma once

#include <string>
#include <string_view>

#include "m2u/explain/heat_colour.hpp"
#include "m2u/report/markup.hpp"

namespace m2u {

struct HeatMap {
  std::string_view drawing = {};  ///< an SVG element of width × height pixels; trusted
  int width = 320;
  int height = 240;
  double scale = 1.0;      ///< what the full colours stand for: the bar goes from -scale to scale
  std::string title = {};  ///< in a few words, shown above the bar
  std::string description = {};  ///< what is to be seen, for those who can't see it
};

namespace detail {

inline std::string svg_text(double x, double y, std::string_view anchor, int size,
                            std::string_view text) {
  return "<text x='" + number_text(x, 1, true) + "' y='" + number_text(y, 1, true) +
         "' text-anchor='" + std::string(anchor) + "' font-size='" + std::to_string(size) +
         "' font-family='sans-serif' fill='#222222'>" + escape_markup(text) + "</text>\n";
}

/// The bar, and numbers at five places.
inline std::string heat_bar(double left, double top, double length, double scale) {
  constexpr int steps = 64;
  constexpr double thickness = 12.0;
  auto const number = [](double value) { return number_text(value, 2, true); };
  std::string svg = "<g shape-rendering='crispEdges'>\n";
  for (int i = 0; i < steps; ++i) {
    double const at = (2.0 * i + 1.0) / steps - 1.0;
    svg += "<rect x='" + number(left + length * i / steps) + "' y='" + number(top) + "' width='" +
           number(length / steps + 0.5) + "' height='" + number(thickness) + "' fill='" +
           css_colour(heat_colour(at)) + "'/>\n";
  }
  svg += "<rect x='" + number(left) + "' y='" + number(top) + "' width='" + number(length) +
         "' height='" + number(thickness) + "' fill='none' stroke='#666666'/>\n</g>\n";
  for (double const at : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    double const x = left + length * (at + 1.0) / 2.0;
    svg += "<path d='M" + number(x) + ' ' + number(top + thickness) + "v4' stroke='#666666'/>\n" +
           svg_text(x, top + thickness + 15.0, "middle", 11, significant_text(at * scale, 3));
  }
  return svg;
}

}  // namespace detail

/// Height of the strip that heat_map_svg adds below the drawing, in pixels.
inline constexpr int heat_bar_height = 58;

/// The drawing with its colour bar below, on white, as one SVG element: width × (height +
/// heat_bar_height) pixels. `<title>` and `<desc>` come first, for screen readers.
/// @throws Error if the drawing is no SVG.
inline std::string heat_map_svg(HeatMap const& map) {
  auto const width = std::to_string(map.width);
  auto const height = std::to_string(map.height + heat_bar_height);
  auto const left = 0.12 * map.width;
  std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' role='img' width='" + width +
                    "px' height='" + height + "px' viewBox='0 0 " + width + ' ' + height + "'>\n";
  svg += "<title>" + escape_markup(map.title) + "</title>\n<desc>" +
         escape_markup(map.description) + "</desc>\n<rect width='" + width + "' height='" + height +
         "' fill='#ffffff'/>\n";
  svg += inline_svg(map.drawing);
  svg += detail::svg_text(map.width / 2.0, map.height + 14.0, "middle", 12, map.title);
  svg += detail::heat_bar(left, map.height + 22.0, map.width - 2.0 * left, map.scale);
  return svg + "</svg>\n";
}

}  // namespace m2u
