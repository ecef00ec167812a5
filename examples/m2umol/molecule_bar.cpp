// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "m2umol/program.hpp"

namespace m2umol {

void MoleculeBar::operator()(std::size_t done, std::size_t total, std::size_t rejected) {
  bool const terminal = ::isatty(STDERR_FILENO) == 1;
  auto const now = std::chrono::steady_clock::now();
  bool const last = done == total;
  if (!last &&
      now - last_ < (terminal ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000))) {
    return;
  }
  last_ = now;
  double const seconds = std::chrono::duration<double>(now - start_).count();
  double const share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  double const rate = static_cast<double>(done) / std::max(seconds, 1e-9);
  constexpr int width = 24;
  std::string bar(static_cast<std::size_t>(share * width), '=');
  bar.resize(width, ' ');
  auto const without = rejected == 0 ? std::string() : std::to_string(rejected) + " rejected, ";
  std::fprintf(stderr, "%s%s [%s] %zu/%zu molecules, %s%.0f/s, %.0f s left%s", terminal ? "\r" : "",
               verb_.c_str(), bar.c_str(), done, total, without.c_str(), rate,
               rate > 0.0 ? static_cast<double>(total - done) / rate : 0.0,
               terminal ? "   " : "\n");
  drawn_ = terminal;
}

void MoleculeBar::done() {
  if (drawn_) {
    std::fputc('\n', stderr);
  }
}

}  // namespace m2umol
