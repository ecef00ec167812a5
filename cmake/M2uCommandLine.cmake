# SPDX-License-Identifier: Apache-2.0
# m2u_command_line: CLI11 compiled once, for m2umol and the benchmarks; no target where it is not
# found.
include_guard(GLOBAL)
find_package(CLI11 QUIET)
if(CLI11_FOUND)
  add_library(m2u_command_line STATIC ${PROJECT_SOURCE_DIR}/examples/command_line.cpp)
  target_compile_features(m2u_command_line PUBLIC cxx_std_20)
  target_compile_definitions(m2u_command_line PUBLIC CLI11_COMPILE)
  target_link_libraries(m2u_command_line PUBLIC CLI11::CLI11 PRIVATE m2u_build_flags)
  if(Kokkos_ENABLE_HIP)
    # hipcc compiles everything as HIP, where clang 17 (ROCm 5.7) refuses CLI11's
    # `shared_ptr<T> member{new T}`: it takes the device's operator delete for it.
    target_compile_options(m2u_command_line PRIVATE -x c++)
  endif()
endif()
