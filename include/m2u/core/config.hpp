// SPDX-License-Identifier: Apache-2.0
/// @file
/// The library's macros: where definitions are; hints to the host's compiler for loops, of which
/// nvcc's front end sees nothing, as it knows neither and warns; and what nvcc needs to be told.
#pragma once

// Functions that are no templates but long to compile are declared first and defined at the end of
// their header, in a block under M2U_DEFINES_CORE or M2U_DEFINES_CHEM. Header-only, that is always
// there. A program that links m2u::compiled, which defines M2U_COMPILED, sees the declarations
// alone; each block is in one of the library's sources.
#if !defined(M2U_COMPILED)
#define M2U_DEFINES_CORE 1
#define M2U_DEFINES_CHEM 1
/// Before the definition of such a function.
#define M2U_INLINE inline
#else
#if !defined(M2U_DEFINES_CORE)
#define M2U_DEFINES_CORE 0
#endif
#if !defined(M2U_DEFINES_CHEM)
#define M2U_DEFINES_CHEM 0
#endif
#define M2U_INLINE
#endif

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
