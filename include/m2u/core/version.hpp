// SPDX-License-Identifier: Apache-2.0
/// @file
/// The library's version, for `#if` and for messages.
#pragma once

#define M2U_VERSION_MAJOR 0
#define M2U_VERSION_MINOR 1
#define M2U_VERSION_PATCH 0

namespace m2u {

/// The version as text, for example "0.1.0".
inline constexpr char const* version = "0.1.0";

}  // namespace m2u
