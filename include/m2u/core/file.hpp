// SPDX-License-Identifier: Apache-2.0
/// @file
/// Files: written whole or not at all, mapped for reading, and checked by a checksum. POSIX.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "m2u/core/error.hpp"

namespace m2u {

/// 64-bit checksum of bytes, incremental: FNV-1a over little-endian 8-byte words, the rest by
/// bytes, then the length. Finds damage, not malice.
class Checksum {
 public:
  void add(std::span<std::byte const> bytes) {
    // To the end of a word, then whole words at once, then what is left.
    auto const before = std::min(bytes.size(), static_cast<std::size_t>((8 - length_ % 8) % 8));
    add_single(bytes.first(before));
    bytes = bytes.subspan(before);
    static_assert(std::endian::native == std::endian::little);
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), 8);
      mix(word);
      length_ += 8;
    }
    add_single(bytes);
  }
  std::uint64_t value() const {
    Checksum last = *this;
    last.mix(word_);
    last.mix(length_);
    return last.hash_;
  }

 private:
  void add_single(std::span<std::byte const> bytes) {
    for (std::byte const byte : bytes) {
      word_ |= static_cast<std::uint64_t>(byte) << (8U * (length_ % 8U));
      if (++length_ % 8U == 0) {
        mix(word_);
        word_ = 0;
      }
    }
  }
  void mix(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x100000001b3ULL;
    hash_ ^= hash_ >> 29U;
  }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::uint64_t word_ = 0;
  std::uint64_t length_ = 0;
};

inline std::uint64_t checksum(std::span<std::byte const> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

/// A file being written under a temporary name in the same folder. `commit` flushes it to the disk
/// and renames it; without a commit nothing is left behind.
class AtomicFile {
 public:
  /// @throws Error naming the file if it can't be made.
  explicit AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
    temporary_ = target_;
    temporary_ += ".tmp" + std::to_string(::getpid());
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    expects(file_ >= 0, "cannot write ", target_.string(), ": ", std::strerror(errno));
  }
  AtomicFile(AtomicFile const&) = delete;
  AtomicFile& operator=(AtomicFile const&) = delete;
  ~AtomicFile() {
    if (file_ >= 0) {
      ::close(file_);
      ::unlink(temporary_.c_str());
    }
  }

  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) {
        continue;
      }
      expects(written >= 0, "cannot write ", target_.string(), ": ", std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

  /// @throws Error naming the file if the disk refuses it.
  void commit() {
    expects(::fsync(file_) == 0, "cannot flush ", target_.string(), ": ", std::strerror(errno));
    int const file = std::exchange(file_, -1);
    int const closed = ::close(file);
    int const renamed = closed == 0 ? ::rename(temporary_.c_str(), target_.c_str()) : -1;
    if (renamed != 0) {
      int const reason = errno;
      ::unlink(temporary_.c_str());
      fail("cannot write ", target_.string(), ": ", std::strerror(reason));
    }
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int file_ = -1;
};

/// Removes what killed programs were writing for this target under a temporary name.
inline void remove_unfinished(std::filesystem::path const& target) {
  std::error_code ignored;
  auto const folder = target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
  auto const start = target.filename().string() + ".tmp";
  for (auto const& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(start)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

/// Writes a whole file, atomically.
inline void write_file(std::filesystem::path const& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

/// A file mapped for reading. Pages come from the disk when they are touched.
class MappedFile {
 public:
  /// @throws Error naming the file if it can't be read.
  explicit MappedFile(std::filesystem::path const& path) {
    int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    expects(file >= 0, "cannot read ", path.string(), ": ", std::strerror(errno));
    struct stat status{};
    bool const regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    size_ = regular ? static_cast<std::size_t>(status.st_size) : 0;
    if (size_ > 0) {
      void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      data_ = mapped == MAP_FAILED ? nullptr : static_cast<std::byte const*>(mapped);
    }
    ::close(file);
    expects(regular, "cannot read ", path.string(), ": it is not a regular file");
    expects(size_ == 0 || data_ != nullptr, "cannot map ", path.string(), " (", size_, " bytes)");
  }
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile() {
    if (data_ != nullptr) {
      ::munmap(const_cast<std::byte*>(data_), size_);
    }
  }

  std::span<std::byte const> bytes() const { return {data_, size_}; }

 private:
  std::byte const* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace m2u
