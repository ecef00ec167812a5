// SPDX-License-Identifier: Apache-2.0
/// @file
/// Lines of a text file, plain or gzipped.
#pragma once

#include <zlib.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// Reads a file line by line. Gzipped content is recognised by itself; line ends may be LF or CRLF;
/// a UTF-8 byte order mark at the start is dropped. A file that ends in ".gz" must be gzipped.
class LineReader {
 public:
  /// Longest line by default, in bytes.
  static constexpr std::size_t longest_line = std::size_t{64} << 20U;

  /// @throws Error naming the file if it can't be opened.
  explicit LineReader(std::filesystem::path path, std::size_t longest = longest_line)
      : path_(std::move(path)), longest_(longest), buffer_(std::size_t{1} << 17U) {
    file_.reset(::gzopen(path_.c_str(), "rb"));
    expects(file_ != nullptr, "cannot read ", path_.string(), ": ", std::strerror(errno));
    ::gzbuffer(file_.get(), static_cast<unsigned>(buffer_.size()));
  }

  std::filesystem::path const& path() const { return path_; }

  /// Number of the line that `next` gave last, from 1; 0 before the first.
  std::size_t line() const { return line_; }

  /// Gives the next line without its end. False at the end of the file.
  /// @throws Error naming file and line if a line is too long or the file is damaged or cut off;
  /// the
  ///   part of a line that comes before the damage is not given.
  bool next(std::string& text) {
    text.clear();
    bool found = false;
    while (begin_ < end_ || fill()) {
      found = true;
      char const* const first = buffer_.data() + begin_;
      auto const available = end_ - begin_;
      auto const* const stop = static_cast<char const*>(std::memchr(first, '\n', available));
      auto const length = stop != nullptr ? static_cast<std::size_t>(stop - first) : available;
      expects(length <= longest_ - text.size(), path_.string(), ", line ", line_ + 1,
              ": the line is longer than ", longest_, " bytes; is this a text file?");
      text.append(first, length);
      begin_ += length;
      if (stop != nullptr) {
        ++begin_;
        break;
      }
    }
    if (!found) {
      return false;
    }
    if (!text.empty() && text.back() == '\r') {
      text.pop_back();
    }
    if (++line_ == 1 && text.starts_with("\xEF\xBB\xBF")) {
      text.erase(0, 3);
    }
    return true;
  }

 private:
  struct Close {
    void operator()(gzFile file) const { ::gzclose_r(file); }
  };

  /// Reads the next bytes. False at the end of an undamaged file.
  bool fill() {
    int const got = ::gzread(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
    int status = Z_OK;
    char const* const message = ::gzerror(file_.get(), &status);
    if (status == Z_ERRNO) {
      fail("cannot read ", path_.string(), " after line ", line_, ": ", std::strerror(errno));
    }
    expects(got >= 0 && (status == Z_OK || status == Z_STREAM_END), path_.string(), ", after line ",
            line_, ": the gzip data is damaged or cut off (", message, ")");
    // zlib passes anything without gzip's magic number through as plain text.
    expects(path_.extension() != ".gz" || ::gzdirect(file_.get()) == 0, path_.string(),
            " is not gzipped, although its name ends in .gz");
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    return got > 0;
  }

  std::filesystem::path path_;
  std::size_t longest_;
  std::vector<char> buffer_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t line_ = 0;
};

}  // namespace m2u
