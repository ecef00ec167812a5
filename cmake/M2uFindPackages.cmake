# SPDX-License-Identifier: Apache-2.0
# How each component's packages are found: shared by our own build and by the installed package.
# Each macro sets <result> to TRUE or FALSE in the caller, and <result>_missing to what was not found.
# RDKit's package file looks for Boost; without this, CMake 3.30 and later warn about the old module.
# The macros remember it, and the including file has its own policy again.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)
endif()

macro(m2u_found result)
  set(${result} TRUE)
  set(${result}_missing "")
  foreach(_m2u_package ${ARGN})
    if(NOT ${_m2u_package}_FOUND)
      set(${result} FALSE)
      list(APPEND ${result}_missing ${_m2u_package})
    endif()
  endforeach()
endmacro()

macro(m2u_find_core result)
  find_package(Kokkos 4.6 QUIET)
  find_package(Eigen3 3.3 QUIET NO_MODULE)
  find_package(nlohmann_json 3 QUIET)
  set(_m2u_packages Kokkos Eigen3 nlohmann_json)
  if(Kokkos_ENABLE_CUDA)
    find_package(CUDAToolkit QUIET)
    list(APPEND _m2u_packages CUDAToolkit)
  endif()
  if(Kokkos_ENABLE_HIP)
    find_package(hipblas QUIET)
    list(APPEND _m2u_packages hipblas)
  endif()
  m2u_found(${result} ${_m2u_packages})
endmacro()

macro(m2u_find_data result)
  find_package(TBB QUIET)
  find_package(ZLIB QUIET)
  m2u_found(${result} TBB ZLIB)
endmacro()

macro(m2u_find_bgl result)
  find_package(Boost QUIET CONFIG)
  if(NOT Boost_FOUND)
    find_package(Boost QUIET)
  endif()
  m2u_found(${result} Boost)
endmacro()

macro(m2u_find_chem result)
  # RDKit's drawing library names a Cairo::Cairo target that it does not define.
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND AND NOT TARGET Cairo::Cairo)
    pkg_check_modules(M2U_CAIRO QUIET IMPORTED_TARGET GLOBAL cairo)
    if(TARGET PkgConfig::M2U_CAIRO)
      add_library(Cairo::Cairo ALIAS PkgConfig::M2U_CAIRO)
    endif()
  endif()
  find_package(RDKit QUIET)
  m2u_found(${result} RDKit)
endmacro()

macro(m2u_find_mpi result)
  find_package(MPI QUIET COMPONENTS CXX)
  m2u_found(${result} MPI)
endmacro()

macro(m2u_find_compiled result)  # what it needs are the other components
  m2u_found(${result})
endmacro()
