# SPDX-License-Identifier: Apache-2.0
# The interface targets: m2u::core and, where their packages are found, m2u::data, m2u::bgl, m2u::chem,
# m2u::mpi; m2u::m2u is all of them.
set(M2U_COMPONENTS core)

include(M2uFindPackages)
m2u_find_core(found)
if(NOT found)
  message(FATAL_ERROR "m2u needs these packages, which were not found (or too old): ${found_missing}. "
    "Kokkos >= 4.6, Eigen3 >= 3.3 and nlohmann_json >= 3 are needed; set CMAKE_PREFIX_PATH or "
    "<Package>_ROOT to where they are")
endif()

add_library(m2u_core INTERFACE)
add_library(m2u::core ALIAS m2u_core)
set_target_properties(m2u_core PROPERTIES EXPORT_NAME core)
target_compile_features(m2u_core INTERFACE cxx_std_20)
target_include_directories(m2u_core INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
target_link_libraries(m2u_core INTERFACE
  Kokkos::kokkos Eigen3::Eigen nlohmann_json::nlohmann_json)
if(Kokkos_ENABLE_CUDA)
  target_link_libraries(m2u_core INTERFACE CUDA::cublas)
  target_compile_definitions(m2u_core INTERFACE M2U_ENABLE_CUBLAS)
endif()
if(Kokkos_ENABLE_HIP)
  target_link_libraries(m2u_core INTERFACE roc::hipblas)
  target_compile_definitions(m2u_core INTERFACE M2U_ENABLE_HIPBLAS)
endif()

# m2u_component(NAME FOUND NEEDS… ): decides from M2U_WITH_<NAME> and what was found.
function(m2u_component name found)
  string(TOUPPER ${name} upper)
  set(wish ${M2U_WITH_${upper}})
  if(wish STREQUAL "OFF" OR (wish STREQUAL "AUTO" AND NOT found))
    message(STATUS "m2u: component ${name} is left out (not found: ${found_missing})")
    return()
  endif()
  if(NOT found)
    message(FATAL_ERROR "m2u: component ${name} was asked for (M2U_WITH_${upper}=ON), but what it "
      "needs was not found: ${found_missing}")
  endif()
  add_library(m2u_${name} INTERFACE)
  add_library(m2u::${name} ALIAS m2u_${name})
  set_target_properties(m2u_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(m2u_${name} INTERFACE m2u_core ${ARGN})
  set(M2U_COMPONENTS ${M2U_COMPONENTS} ${name} PARENT_SCOPE)
endfunction()

if(NOT M2U_WITH_DATA STREQUAL "OFF")
  m2u_find_data(found)
  m2u_component(data ${found} TBB::tbb ZLIB::ZLIB)
endif()
if(NOT M2U_WITH_BGL STREQUAL "OFF")
  m2u_find_bgl(found)
  m2u_component(bgl ${found} Boost::headers)
endif()
if(NOT M2U_WITH_CHEM STREQUAL "OFF" AND TARGET m2u_data AND TARGET m2u_bgl)
  m2u_find_chem(found)
  m2u_component(chem ${found} m2u_data m2u_bgl RDKit::FileParsers RDKit::SmilesParse
    RDKit::Descriptors RDKit::Fingerprints RDKit::DistGeomHelpers RDKit::ForceFieldHelpers
    RDKit::GraphMol RDKit::MolDraw2D RDKit::FilterCatalog)
endif()
if(NOT M2U_WITH_MPI STREQUAL "OFF")
  m2u_find_mpi(found)
  m2u_component(mpi ${found} MPI::MPI_CXX)
endif()

add_library(m2u_m2u INTERFACE)
add_library(m2u::m2u ALIAS m2u_m2u)
set_target_properties(m2u_m2u PROPERTIES EXPORT_NAME m2u)
foreach(component ${M2U_COMPONENTS})
  target_link_libraries(m2u_m2u INTERFACE m2u_${component})
endforeach()
message(STATUS "m2u ${PROJECT_VERSION}: components ${M2U_COMPONENTS}")
