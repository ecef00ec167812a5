// SPDX-License-Identifier: Apache-2.0
/// @file
/// RDKit's log, caught per thread: silent, and the source of the reasons why a molecule was
/// refused.
#pragma once

#include <RDGeneral/RDLog.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace m2u {

namespace detail {

/// Where the calling thread's log goes; null: where it went before m2u took part.
inline std::string*& caught_log() {
  thread_local std::string* text = nullptr;
  return text;
}

/// RDKit's loggers are global. This buffer sends each message to the thread that caused it.
class LogBuffer : public std::streambuf {
 public:
  LogBuffer(std::ostream* other, bool keep) : other_(other), keep_(keep) {}

 protected:
  std::streamsize xsputn(char const* text, std::streamsize size) override {
    if (auto* const caught = caught_log()) {
      if (keep_) {
        caught->append(text, static_cast<std::size_t>(size));
      }
    } else if (other_ != nullptr) {
      other_->write(text, size);
    }
    return size;
  }
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) {
      char const byte = traits_type::to_char_type(c);
      xsputn(&byte, 1);
    }
    return traits_type::not_eof(c);
  }
  int sync() override {
    if (caught_log() == nullptr && other_ != nullptr) {
      other_->flush();
    }
    return 0;
  }

 private:
  std::ostream* other_;
  bool keep_;
};

/// Replaces a logger; the old one is kept for threads that do not catch.
inline void install_log(RDLogger& logger, bool keep) {
  static auto* const kept =
      new std::vector<RDLogger>;  // RDKit may log until the very end: never freed
  bool const shown = logger != nullptr && logger->df_enabled;
  auto* const buffer = new LogBuffer(shown ? logger->dp_dest : nullptr, keep);
  kept->push_back(logger);
  logger = std::make_shared<boost::logging::rdLogger>(new std::ostream(buffer));
}

/// While it lives, RDKit's error log is enabled, whoever disabled it. RDKit itself disables its
/// logs during some steps and puts back what it found: two threads that do so at once can leave
/// them disabled for good. One thread at a time.
class EnabledErrorLog {
 public:
  EnabledErrorLog()
      : lock_(mutex()),
        log_(rdErrorLog),
        before_(log_ != nullptr && std::exchange(log_->df_enabled, true)) {}
  EnabledErrorLog(EnabledErrorLog const&) = delete;
  EnabledErrorLog& operator=(EnabledErrorLog const&) = delete;
  ~EnabledErrorLog() {
    if (log_ != nullptr) {
      log_->df_enabled = before_;
    }
  }

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }

  std::lock_guard<std::mutex> lock_;
  RDLogger log_;
  bool before_;
};

}  // namespace detail

/// While it lives, RDKit logs nothing from this thread; `reason` gives the first error. Other
/// threads are not affected. They nest. While RDKit's error log is disabled, or if the program puts
/// another in its place after the first use, there are no reasons to catch.
class RdkitLog {
 public:
  RdkitLog() : before_(std::exchange(detail::caught_log(), &text_)) {
    static bool const installed = [] {
      detail::install_log(rdErrorLog, true);
      detail::install_log(rdWarningLog, false);
      detail::install_log(rdInfoLog, false);
      return true;
    }();
    static_cast<void>(installed);
  }
  RdkitLog(RdkitLog const&) = delete;
  RdkitLog& operator=(RdkitLog const&) = delete;
  ~RdkitLog() { detail::caught_log() = before_; }

  /// The first error since the beginning, without its time, or `otherwise`.
  std::string reason(std::string_view otherwise) const {
    std::string_view text = text_;
    text = text.substr(0, text.find('\n'));
    if (auto const bracket = text.find("] "); text.starts_with('[') && bracket == 9) {
      text.remove_prefix(bracket + 2);
    }
    if (text.empty()) {
      return std::string(otherwise);
    }
    constexpr std::string_view around = "around position ";
    auto const place = text_.find(around);
    auto const stop = std::min(text_.find(':', place), text_.find('\n', place));
    return std::string(text) +
           (place == std::string::npos ? "" : " (" + text_.substr(place, stop - place) + ')');
  }

 private:
  std::string text_;
  std::string* before_;
};

}  // namespace m2u
