// SPDX-License-Identifier: Apache-2.0
/// @file
/// One exception type and one check for everything that can be wrong.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace m2u {

/// Every error that m2u reports. The message is a whole sentence: what was asked, what was found,
/// and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws m2u::Error with the parts streamed one after another. Cold: compiled for size, which is
/// quicker, and kept out of its callers.
template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

/// Throws m2u::Error with the streamed parts unless `condition` holds. Always on: it guards shapes
/// and sizes on the host, where it costs a branch. The parts are only put into text on failure.
template <class... Parts>
void expects(bool condition, Parts const&... parts) {
  if (!condition) [[unlikely]] {
    fail(parts...);
  }
}

}  // namespace m2u
