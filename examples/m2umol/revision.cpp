// SPDX-License-Identifier: Apache-2.0
// Declared in program.hpp, which it does not include: every commit compiles this file anew.
namespace m2umol {

char const* git_revision() { return M2U_GIT_REVISION; }

}  // namespace m2umol
