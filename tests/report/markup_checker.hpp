// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads a page or drawing as XML and says what is wrong with it.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace m2u::test {

/// Checks elements (balanced, one root), attributes (quoted, not repeated), references and repeated
/// ids; not names.
class MarkupChecker {
 public:
  /// Empty if all is well, else the first fault and the text after it.
  static std::string fault(std::string_view text) {
    MarkupChecker checker(text);
    auto const fault = checker.run();
    return fault.empty() ? "" : fault + " at: " + std::string(text.substr(checker.at_, 60));
  }

 private:
  explicit MarkupChecker(std::string_view text) : text_(text) {}

  bool skip(std::string_view token) {
    bool const found = text_.substr(at_, token.size()) == token;
    at_ += found ? token.size() : 0;
    return found;
  }
  bool skip_past(std::string_view token) {
    auto const found = text_.find(token, at_);
    at_ = found == std::string_view::npos ? at_ : found + token.size();
    return found != std::string_view::npos;
  }
  std::string name() {
    auto const start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
            std::string_view("-:_").find(text_[at_]) != std::string_view::npos)) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  void spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) {
      ++at_;
    }
  }
  bool reference() {
    for (auto const* known : {"amp;", "lt;", "gt;", "quot;", "#39;"}) {
      if (text_.substr(at_ + 1).starts_with(known)) {
        return true;
      }
    }
    return false;
  }

  std::string run() {
    skip("<!DOCTYPE html>");
    bool root = false;
    for (; at_ < text_.size();) {
      if (skip("<!--")) {
        if (!skip_past("-->")) {
          return "an open comment";
        }
      } else if (skip("</")) {
        auto const closed = name();
        if (open_.empty() || open_.back() != closed || !skip(">")) {
          return "</" + closed + "> closes " + (open_.empty() ? "nothing" : open_.back());
        }
        open_.pop_back();
      } else if (skip("<")) {
        if (open_.empty() && root) {
          return "a second root";
        }
        root = true;
        if (auto const wrong = element(); !wrong.empty()) {
          return wrong;
        }
      } else if (text_[at_] == '&' && !reference()) {
        return "an unknown reference";
      } else if (open_.empty() && !std::isspace(static_cast<unsigned char>(text_[at_]))) {
        return "text outside the root";
      } else {
        ++at_;
      }
    }
    return open_.empty() ? (root ? "" : "no element") : "<" + open_.back() + "> is not closed";
  }

  std::string element() {
    auto const element = name();
    if (element.empty()) {
      return "an element without a name";
    }
    std::set<std::string> attributes;
    for (;;) {
      spaces();
      if (skip("/>")) {
        return {};
      }
      if (skip(">")) {
        open_.push_back(element);
        return {};
      }
      auto const attribute = name();
      if (attribute.empty() || !attributes.insert(attribute).second || !skip("=")) {
        return "a bad attribute of <" + element + ">";
      }
      auto const quote = at_ < text_.size() ? text_[at_++] : ' ';
      auto const start = at_;
      for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
        if (text_[at_] == '<' || (text_[at_] == '&' && !reference())) {
          return "a bad value of " + attribute;
        }
      }
      if ((quote != '"' && quote != '\'') || at_ >= text_.size()) {
        return "an open value of " + attribute;
      }
      if (attribute == "id" && !ids_.insert(std::string(text_.substr(start, at_ - start))).second) {
        return "a repeated id";
      }
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  std::set<std::string> ids_;
};

/// How often a text occurs in another, without overlaps.
inline int occurrences(std::string_view text, std::string_view part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

}  // namespace m2u::test
