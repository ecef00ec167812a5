# SPDX-License-Identifier: Apache-2.0
# Options of a build of m2u itself. Users of the installed package see none of this.
option(M2U_BUILD_EXAMPLES "Build the examples and the program m2umol" ${PROJECT_IS_TOP_LEVEL})
option(M2U_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(M2U_BUILD_BENCH "Build the benchmarks" OFF)
option(M2U_COMPILED "Build m2u::compiled, the library for programs that shall compile fast"
  ${PROJECT_IS_TOP_LEVEL})
option(M2U_INSTALL "Install the headers and the package files" ${PROJECT_IS_TOP_LEVEL})
option(M2U_NATIVE "Compile for this machine's processor (-march=native)" OFF)
option(M2U_WERROR "Treat warnings as errors" OFF)
option(M2U_UNITY "Compile the sources of m2umol and of some tests together, a few files at a time: \
what they instantiate alike is compiled once. Off: less to compile after a small change" ON)
option(M2U_BOUNDS_CHECK "Check subscripts of the standard library's containers and of views" OFF)
set(M2U_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
set(M2U_GIT_REVISION "unknown" CACHE STRING "The revision that programs print")
foreach(component DATA BGL CHEM MPI)
  set(M2U_WITH_${component} AUTO CACHE STRING "Component ${component}: AUTO (if found), ON or OFF")
  set_property(CACHE M2U_WITH_${component} PROPERTY STRINGS AUTO ON OFF)
endforeach()

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# Flags of our own programs; the interface targets carry none of them.
add_library(m2u_build_flags INTERFACE)
target_compile_options(m2u_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  # GCC's -Wconversion leaves this out in C++, Clang's does not.
  $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-sign-conversion>
  $<$<BOOL:${M2U_WERROR}>:-Werror>
  $<$<BOOL:${M2U_NATIVE}>:-march=native>)
if(M2U_BOUNDS_CHECK)
  # Kokkos's check lives in its headers, so it works with any installed Kokkos.
  target_compile_definitions(m2u_build_flags INTERFACE
    _GLIBCXX_ASSERTIONS KOKKOS_ENABLE_DEBUG_BOUNDS_CHECK)
endif()
if(M2U_SANITIZE)
  target_compile_options(m2u_build_flags INTERFACE
    -fsanitize=${M2U_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  target_link_options(m2u_build_flags INTERFACE -fsanitize=${M2U_SANITIZE})
endif()

# m2u_compile_together(TARGET GROUP SOURCES…): as one file, if M2U_UNITY.
function(m2u_compile_together target group)
  if(M2U_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    set_source_files_properties(${ARGN} PROPERTIES UNITY_GROUP ${group})
  endif()
endfunction()
