// SPDX-License-Identifier: Apache-2.0
#include "parity/report.hpp"

#include <cmath>
#include <cstdio>

#include "m2u/core/error.hpp"

namespace m2u::parity {

namespace {

constexpr double value_tolerance = 1e-5;
constexpr double gradient_tolerance = 1e-4;
constexpr double error_factor = 4.0;

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", x);
  return text;
}

/// Largest |a - b|, and the norms of a - b and of b; infinite where something is not finite.
struct Difference {
  double absolute = 0.0;
  double norm = 0.0;
  double reference = 0.0;

  double relative() const {
    return reference > 0.0 ? norm / reference : norm > 0.0 ? HUGE_VAL : 0.0;
  }
};

Difference difference(std::vector<double> const& ours, std::vector<double> const& recorded) {
  Difference result;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    double const d = std::isfinite(ours[i]) ? std::abs(ours[i] - recorded[i]) : HUGE_VAL;
    result.absolute = std::max(result.absolute, d);
    result.norm += d * d;
    result.reference += recorded[i] * recorded[i];
  }
  result.norm = std::sqrt(result.norm);
  result.reference = std::sqrt(result.reference);
  return result;
}

}  // namespace

char const* const tolerance_text =
    "Let d be our tensor minus the recorded one, r. A tensor passes if |d| <= t |r| in the\n"
    "Euclidean norm, with t = 1e-5 for values and 1e-4 for gradients, or if the largest |d_i| is "
    "at\n"
    "most 4 times the reference's own error: the manifest's fp32_error, the largest difference of\n"
    "its float32 and float64 runs. Each is measured in its own norm; neither is converted to the\n"
    "other. Integers and flags must be equal. Numbers that are not finite never pass.\n"
    "The table's columns: the largest |d_i|, |d| / |r|, and both limits.\n";

Report::Report() {
  std::printf("%-62s %9s %9s  %-23s %s\n", "name", "absolute", "relative", "tolerance", "pass");
}

void Report::row(std::string const& name, double absolute, double relative,
                 std::string const& tolerance, bool passed) {
  char line[256];
  std::snprintf(line, sizeof line, "%-62s %9s %9s  %-23s %s", name.c_str(),
                number(absolute).c_str(), number(relative).c_str(), tolerance.c_str(),
                passed ? "yes" : "NO");
  std::puts(line);
  ++compared_;
  if (!passed) {
    failed_.emplace_back(line);
  }
}

void Report::failure(std::string const& name, std::string const& reason) {
  ++compared_;
  failed_.push_back(name + "  " + reason + "  NO");
  std::puts(failed_.back().c_str());
}

void Report::not_compared(std::string const& name, std::string const& reason) {
  std::printf("%-62s not compared: %s\n", name.c_str(), reason.c_str());
}

bool Report::finish() const {
  for (auto const& line : failed_) {
    std::puts(line.c_str());
  }
  std::printf("parity: %d compared, %zu failed\n", compared_, failed_.size());
  return failed_.empty() && compared_ > 0;
}

Recorded::Recorded(std::string label, std::filesystem::path const& path,
                   nlohmann::json const& notes, Report& report)
    : label_(std::move(label)), file_(path), report_(report) {
  for (auto const& name : file_.names()) {
    left_.insert(name);
  }
  auto const start = label_ + ":";
  for (auto const& [name, note] : notes.items()) {
    if (!name.starts_with(start)) {
      continue;
    }
    auto const inner = name.substr(start.size());
    if (!file_.contains(inner)) {
      report_.failure(name, "the manifest lists it, but the file lacks it");
    } else if (note.contains("fp32_error")) {
      errors_[inner] = note.at("fp32_error").get<double>();
    }
  }
}

std::vector<double> Recorded::values(std::string const& name) const {
  auto const& info = file_.info(name);
  if (info.type == "F64") {
    return detail::convert_elements<double, double>(file_.bytes(name), [](double x) { return x; });
  }
  if (SafetensorsFile::holds_floats(info)) {
    auto const values = file_.tensor(name).values;
    return {values.begin(), values.end()};
  }
  std::vector<double> result;
  for (auto const x : file_.integers(name)) {
    result.push_back(static_cast<double>(x));
  }
  return result;
}

std::vector<float> Recorded::feed(std::string const& name) {
  auto const wide = values(name);
  fed_.insert(name);
  std::vector<float> result;
  for (double const x : wide) {
    result.push_back(static_cast<float>(x));
  }
  return result;
}

std::vector<int> Recorded::feed_integers(std::string const& name) {
  auto const wide = file_.integers(name);
  fed_.insert(name);
  std::vector<int> result;
  for (auto const x : wide) {
    result.push_back(static_cast<int>(x));
  }
  return result;
}

void Recorded::compare(std::string const& name, std::span<float const> ours, Kind kind,
                       std::vector<bool> const& rows) {
  if (!has(name)) {
    return;
  }
  left_.erase(name);
  auto recorded = values(name);
  std::vector<double> mine(ours.begin(), ours.end());
  if (mine.size() != recorded.size()) {
    report_.failure(label_ + ":" + name, "ours has " + std::to_string(mine.size()) +
                                             " numbers, but " + std::to_string(recorded.size()) +
                                             " are recorded");
    return;
  }
  if (!rows.empty()) {
    auto const width = mine.size() / rows.size();
    auto const keep = [&](std::vector<double>& all) {
      std::vector<double> kept;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (rows[i / width]) {
          kept.push_back(all[i]);
        }
      }
      all = kept;
    };
    keep(mine);
    keep(recorded);
  }
  auto const d = difference(mine, recorded);
  if (kind == Kind::exact) {
    report_.row(label_ + ":" + name, d.absolute, d.relative(), "equal", d.absolute == 0.0);
    return;
  }
  double const relative = kind == Kind::value ? value_tolerance : gradient_tolerance;
  auto const error = errors_.find(name);
  double const absolute = error == errors_.end() ? 0.0 : error_factor * error->second;
  report_.row(label_ + ":" + name, d.absolute, d.relative(),
              number(relative) + " r, " + number(absolute) + " a",
              d.norm <= relative * d.reference || d.absolute <= absolute);
}

void Recorded::skip(std::string const& name, std::string const& reason) {
  if (left_.erase(name) != 0) {
    report_.not_compared(label_ + ":" + name, reason);
  }
}

void Recorded::finish() {
  for (auto const& name : left_) {
    if (fed_.contains(name)) {
      report_.not_compared(label_ + ":" + name, "fed to our model");
    } else {
      report_.failure(label_ + ":" + name, "recorded, but our model has nothing to compare");
    }
  }
  left_.clear();
}

}  // namespace m2u::parity
