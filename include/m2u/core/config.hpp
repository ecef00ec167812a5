// SPDX-License-Identifier: Apache-2.0
/// @file
/// The library's macros: hints to the host's compiler for loops, of which nvcc's front end sees
/// nothing, as it knows neither and warns; and what nvcc needs to be told.
#pragma once

#if defined(__CUDACC__) || !defined(__GNUC__)
#define M2U_UNROLL(times)
#define M2U_INDEPENDENT
#elif defined(__clang__)
#define M2U_PRAGMA(text) _Pragma(#text)
#define M2U_UNROLL(times) M2U_PRAGMA(clang loop unroll_count(times))
#define M2U_INDEPENDENT M2U_PRAGMA(clang loop vectorize(assume_safety))
#else
#define M2U_PRAGMA(text) _Pragma(#text)
/// Before a loop: unroll it that many times.
#define M2U_UNROLL(times) M2U_PRAGMA(GCC unroll times)
/// Before a loop: its steps do not depend on each other.
#define M2U_INDEPENDENT M2U_PRAGMA(GCC ivdep)
#endif

/// Before a function for host and device of which a branch of `if constexpr` calls what is for the
/// host alone: nvcc warns of that where the function is used on the host.
#if defined(__CUDACC__)
#define M2U_HOST_BRANCH _Pragma("nv_exec_check_disable")
#else
#define M2U_HOST_BRANCH
#endif
