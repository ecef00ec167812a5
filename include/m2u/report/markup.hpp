// SPDX-License-Identifier: Apache-2.0
/// @file
/// Text and numbers on their way into HTML or SVG.
#pragma once

#include "m2u/core/error.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace m2u {

/// The text for use between tags or in a quoted attribute, in HTML as well as in XML: `& < > " '`
/// become references, and control characters that XML forbids become U+FFFD.
inline std::string escape_markup(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (char const c : text) {
    auto const code = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        if (code >= 0x20 ? code != 0x7f : c == '\t' || c == '\n' || c == '\r') {
          result += c;
        } else {
          result += "\xef\xbf\xbd";
        }
    }
  }
  return result;
}

/// A number with at most (or, unless `trimmed`, exactly) so many decimals, always with a decimal
/// point whatever the locale; scientific from 1e15 on. Not a number and infinities become an en
/// dash.
inline std::string number_text(double value, int decimals, bool trimmed = false) {
  if (!std::isfinite(value)) {
    return "–";
  }
  std::array<char, 64> buffer{};
  auto const format =
      std::abs(value) < 1e15 ? std::chars_format::fixed : std::chars_format::scientific;
  auto const end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, decimals).ptr;
  std::string text(buffer.data(), end);
  if (trimmed && format == std::chars_format::fixed && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text.find_first_not_of("-0.") == std::string::npos && text.front() == '-' ? text.substr(1)
                                                                                   : text;
}

/// A number with up to so many significant digits, scientific where that is shorter to read.
inline std::string significant_text(double value, int digits = 5) {
  if (!std::isfinite(value)) {
    return "–";
  }
  std::array<char, 64> buffer{};
  auto const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::general, digits)
                       .ptr;
  return {buffer.data(), end};
}

/// A drawing without what HTML does not know in front of `<svg` (XML declaration, document type).
/// The drawing is trusted: it must come from a program, not from a user.
/// @throws Error if there is no `<svg`.
inline std::string_view inline_svg(std::string_view drawing) {
  auto const start = drawing.find("<svg");
  expects(start != std::string_view::npos, "the drawing has no <svg element; it starts with \"",
          drawing.substr(0, 40), '"');
  return drawing.substr(start);
}

}  // namespace m2u
