# SPDX-License-Identifier: Apache-2.0
# m2u::compiled: what is the same in most programs, compiled once. It links all components there are; a
# program that links it sees declarations where header-only use has definitions.
add_library(m2u_compiled STATIC src/core.cpp src/encoders.cpp src/ops.cpp src/training.cpp)
if(TARGET m2u_chem)
  target_sources(m2u_compiled PRIVATE src/chem.cpp)
endif()
add_library(m2u::compiled ALIAS m2u_compiled)
set_target_properties(m2u_compiled PROPERTIES EXPORT_NAME compiled)
target_compile_definitions(m2u_compiled PUBLIC M2U_COMPILED)
foreach(component ${M2U_COMPONENTS})
  target_link_libraries(m2u_compiled PUBLIC m2u_${component})
endforeach()
target_link_libraries(m2u_compiled PRIVATE $<BUILD_INTERFACE:m2u_build_flags>)
