// SPDX-License-Identifier: Apache-2.0
/// @file
/// How far a run is, for people.
#pragma once

#include <chrono>
#include <iostream>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "m2u/core/config.hpp"
#include "m2u/train/info.hpp"

namespace m2u {

struct ProgressOptions {
  std::string unit = "samples";  ///< what the rate counts
  std::ostream* out = &std::cerr;
  std::optional<bool> terminal = {};  ///< whether `out` is one; else asked of standard error
  double interval = 0.0;              ///< seconds between writes; 0: 0.1 on a terminal, 3 elsewhere
};

/// Callback that draws one line with a bar on a terminal, and elsewhere writes a line per epoch, at
/// most one every few seconds besides the first and the last.
class ProgressBar {
 public:
  explicit ProgressBar(ProgressOptions options = {});

  void on_start(StartInfo const& info) {
    start_ = Clock::now();
    first_epoch_ = info.first_epoch;
    drawn_ = false;
    started_ = true;
    last_line_.clear();
  }

  void on_batch(BatchInfo const& info);

  void on_epoch(EpochInfo const& info);

  void on_end(EndInfo const& info);

 private:
  using Clock = std::chrono::steady_clock;

  bool due();

  void draw(std::string const& line);

  static std::string number(char const* format, double value);
  static std::string of(int part, int all) {
    return std::to_string(part) + "/" + std::to_string(all);
  }
  std::string rate(double per_second) const;
  // Time left, from the epochs of this run so far.
  std::string left(double done, int all) const;
  static std::string duration(double seconds);

  ProgressOptions options_;
  bool terminal_;
  double interval_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = Clock::now();
  int first_epoch_ = 1;
  bool started_ = false;
  bool drawn_ = false;
  std::string last_line_;
};

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstdio>

namespace m2u {

M2U_INLINE ProgressBar::ProgressBar(ProgressOptions options)
    : options_(std::move(options)),
      terminal_(
          options_.terminal.value_or(options_.out == &std::cerr && ::isatty(STDERR_FILENO) == 1)),
      interval_(options_.interval > 0.0 ? options_.interval : (terminal_ ? 0.1 : 3.0)) {}

M2U_INLINE void ProgressBar::on_batch(BatchInfo const& info) {
  if (!terminal_ || !due()) {
    return;
  }
  double const done = static_cast<double>(info.batch) / info.batches;
  constexpr int width = 24;
  int const full = std::clamp(static_cast<int>(done * width), 0, width);
  std::string bar(static_cast<std::size_t>(full), '=');
  bar.resize(width, ' ');
  draw("epoch " + of(info.epoch, info.epochs) + " [" + bar + "] loss " + number("%.4f", info.loss) +
       ", " + rate(static_cast<double>(info.samples) / std::max(info.seconds, 1e-9)) + ", " +
       left(info.epoch - first_epoch_ + done, info.epochs - first_epoch_ + 1));
}

M2U_INLINE void ProgressBar::on_epoch(EpochInfo const& info) {
  auto const line = "epoch " + of(info.epoch, info.epochs) + ": loss " + number("%.4f", info.loss) +
                    ", " + rate(info.samples_per_second) + ", " +
                    left(info.epoch - first_epoch_ + 1, info.epochs - first_epoch_ + 1);
  bool const always = info.epoch == first_epoch_ || info.epoch == info.epochs || info.stop;
  if (terminal_) {
    draw(line);
  } else if (due() || always) {
    *options_.out << line << '\n' << std::flush;
  }
}

M2U_INLINE void ProgressBar::on_end(EndInfo const& info) {
  if (!started_) {
    return;  // the run was refused, for example for its checkpoint: the error says all
  }
  if (terminal_ && drawn_) {
    *options_.out << '\n';
  }
  *options_.out << (info.completed ? "trained " : "stopped after ") << info.epochs << " epochs in "
                << duration(info.seconds) << '\n'
                << std::flush;
}

M2U_INLINE bool ProgressBar::due() {
  auto const now = Clock::now();
  if (drawn_ && std::chrono::duration<double>(now - last_).count() < interval_) {
    return false;
  }
  last_ = now;
  drawn_ = true;
  return true;
}

M2U_INLINE void ProgressBar::draw(std::string const& line) {
  auto padded = line;
  padded.resize(std::max(line.size(), last_line_.size()), ' ');  // covers what was there
  *options_.out << '\r' << padded << std::flush;
  last_line_ = line;
  drawn_ = true;
}

M2U_INLINE std::string ProgressBar::number(char const* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

M2U_INLINE std::string ProgressBar::rate(double per_second) const {
  return number(per_second < 10.0 ? "%.2f " : "%.0f ", per_second) + options_.unit + "/s";
}

M2U_INLINE std::string ProgressBar::left(double done, int all) const {
  double const elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  return duration(elapsed * (all - done) / std::max(done, 1e-9)) + " left";
}

M2U_INLINE std::string ProgressBar::duration(double seconds) {
  auto const whole = std::llround(std::min(seconds, 1e9));
  char text[64];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld s", whole);
  }
  return text;
}

}  // namespace m2u

#endif
