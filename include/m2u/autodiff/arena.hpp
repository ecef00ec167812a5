// SPDX-License-Identifier: Apache-2.0
/// @file
/// Bump allocation for one training step: device memory for matrices, host memory for closures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "m2u/core/matrix.hpp"

namespace m2u {

/// Memory of a space, handed out in order and taken back all at once, or earlier by release. It
/// grows when a step needs more than any step before; `reset` then joins it into one block, so
/// later steps allocate nothing.
template <ExecutionSpace S>
class Arena {
 public:
  static constexpr std::size_t alignment = 256;

  /// `bytes` of uninitialised memory, valid until the next reset or its release. What was released
  /// last is handed out first: it is still in a cache.
  /// @param borrow takes what is lent as well
  void* allocate(S const& space, std::size_t bytes, bool borrow = false) {
    std::size_t const padded = pad(bytes);
    void* found = take(free_, padded);
    if (found == nullptr && borrow) {
      found = take(lent_, padded);
    }
    if (found != nullptr) {
      return found;
    }
    if (blocks_.empty() || used_in_last_ + padded > blocks_.back().extent(0)) {
      std::size_t const size = std::max({padded, total() / 2, std::size_t{1} << 20U});
      blocks_.push_back(make_vector<std::byte>(space, "m2u::autodiff::arena", size));
      used_in_last_ = 0;
    }
    void* const result = blocks_.back().data() + used_in_last_;
    used_in_last_ += padded;
    used_ += padded;
    high_water_ = std::max(high_water_, used_);
    return result;
  }

  /// Takes back what allocate gave for so many bytes. Work that was launched before may still use
  /// it, what is launched later on the same space instance comes after.
  void release(void* data, std::size_t bytes) {
    if (bytes > 0) {
      free_.push_back({data, pad(bytes)});
    }
  }

  /// As release, but only those who borrow get it.
  void lend(void* data, std::size_t bytes) {
    if (bytes > 0) {
      lent_.push_back({data, pad(bytes)});
    }
  }

  /// Takes everything back. Waits for `space` only when the blocks have to be joined.
  void reset(S const& space) {
    if (blocks_.size() > 1) {
      space.fence("m2u::autodiff::arena_grow");
      blocks_.clear();
      blocks_.push_back(make_vector<std::byte>(space, "m2u::autodiff::arena", high_water_));
    }
    free_.clear();
    lent_.clear();
    used_ = 0;
    used_in_last_ = 0;
  }

  /// The most bytes that were in use at once.
  std::size_t high_water() const { return high_water_; }

 private:
  struct Piece {
    void* data;
    std::size_t bytes;
  };

  /// The last of the pieces that is large enough and not much larger, or nullptr.
  static void* take(std::vector<Piece>& pieces, std::size_t bytes) {
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (piece->bytes >= bytes && piece->bytes <= bytes + bytes / 4) {
        void* const result = piece->data;
        pieces.erase(std::next(piece).base());
        return result;
      }
    }
    return nullptr;
  }
  static std::size_t pad(std::size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }
  std::size_t total() const {
    std::size_t sum = 0;
    for (auto const& block : blocks_) {
      sum += block.extent(0);
    }
    return sum;
  }

  std::vector<Vector<std::byte, S>> blocks_;
  std::vector<Piece> free_;
  std::vector<Piece> lent_;
  std::size_t used_in_last_ = 0;
  std::size_t used_ = 0;
  std::size_t high_water_ = 0;
};

/// An arena that also takes back at once all that was asked for as scratch since a mark.
template <ExecutionSpace S>
class ScratchArena : public Arena<S> {
 public:
  void* scratch(S const& space, std::size_t bytes) {
    void* const data = this->allocate(space, bytes);
    pieces_.push_back({data, bytes});
    return data;
  }

  std::size_t mark() const { return pieces_.size(); }

  /// Takes back the scratch since the mark, but for what begins at `keep`: that stays scratch.
  void release_since(std::size_t mark, void const* keep = nullptr) {
    auto const from = pieces_.begin() + static_cast<std::ptrdiff_t>(mark);
    auto const last = std::partition(from, pieces_.end(),
                                     [&](Scratch const& piece) { return piece.data == keep; });
    for (auto piece = last; piece != pieces_.end(); ++piece) {
      this->release(piece->data, piece->bytes);
    }
    pieces_.erase(last, pieces_.end());
  }

  void reset(S const& space) {
    pieces_.clear();
    Arena<S>::reset(space);
  }

 private:
  struct Scratch {
    void* data;
    std::size_t bytes;
  };
  std::vector<Scratch> pieces_;
};

/// Host memory for the closures of a tape; it keeps its chunks across resets.
class ClosureArena {
 public:
  ClosureArena() = default;
  ClosureArena(ClosureArena const&) = delete;
  ClosureArena& operator=(ClosureArena const&) = delete;
  ~ClosureArena() = default;

  /// Moves `closure` into the arena. The caller destroys it before the next reset.
  template <class F>
  F* emplace(F&& closure) {
    static_assert(sizeof(F) <= chunk_size && alignof(F) <= alignof(std::max_align_t));
    std::size_t const padded = (sizeof(F) + alignof(std::max_align_t) - 1) /
                               alignof(std::max_align_t) * alignof(std::max_align_t);
    if (used_ + padded > chunk_size || chunks_.empty()) {
      ++current_;
      used_ = 0;
      if (current_ > chunks_.size()) {
        chunks_.push_back(std::make_unique<Chunk>());
      }
    }
    void* const place = chunks_[current_ - 1]->bytes + used_;
    used_ += padded;
    return new (place) F(std::forward<F>(closure));
  }

  void reset() {
    current_ = chunks_.empty() ? 0 : 1;
    used_ = 0;
  }

 private:
  static constexpr std::size_t chunk_size = std::size_t{64} * 1024;
  struct Chunk {
    alignas(std::max_align_t) std::byte bytes[chunk_size];
  };
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::size_t current_ = 0;  // chunks in use
  std::size_t used_ = 0;     // bytes of the last of them
};

}  // namespace m2u
