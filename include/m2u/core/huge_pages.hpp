// SPDX-License-Identifier: Apache-2.0
/// @file
/// Large pages for large host buffers: a step that walks through hundreds of megabytes otherwise
/// spends much of its time looking up addresses.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace m2u {

/// Asks the system to back host memory that was not written yet with huge pages, where it has them.
/// Only advice: nothing depends on whether it is taken.
inline void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t page = std::uintptr_t{1} << 21U;
  auto const start = reinterpret_cast<std::uintptr_t>(data);
  std::uintptr_t const first = (start + page - 1) / page * page;
  std::uintptr_t const last = (start + bytes) / page * page;
  if (first < last) {
    madvise(static_cast<char*>(data) + (first - start), last - first, MADV_HUGEPAGE);
  }
#endif
}

}  // namespace m2u
