# SPDX-License-Identifier: Apache-2.0
# The C++ code of README.md and docs/*.md: compiled, and run where it has a main function. Included by
# tests/CMakeLists.txt.
include(${CMAKE_CURRENT_LIST_DIR}/extract_snippets.cmake)

file(GLOB documents CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
list(PREPEND documents ${PROJECT_SOURCE_DIR}/README.md)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${documents})

# Programs run here, where paths relative to the checkout work and what they write does no harm.
set(work ${CMAKE_CURRENT_BINARY_DIR}/snippets/work)
file(MAKE_DIRECTORY ${work})
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/examples ${work}/examples SYMBOLIC)

set(library_sources)
foreach(document IN LISTS documents)
  get_filename_component(title ${document} NAME_WE)
  string(TOLOWER ${title} title)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/snippets/${title})
  m2u_extract_snippets(${document} ${folder})
  foreach(name IN LISTS M2U_SNIPPETS)
    file(READ ${folder}/${name}.cpp code)
    if(code MATCHES "m2u/data(\\.|/(delimited|line_reader|loader))" AND NOT TARGET m2u::data
       OR code MATCHES "m2u/chem[./]" AND NOT TARGET m2u::chem
       OR code MATCHES "from_boost_graph" AND NOT TARGET m2u::bgl)
      continue()
    endif()
    if(NOT code MATCHES "int main\\(")
      list(APPEND library_sources ${folder}/${name}.cpp)
      continue()
    endif()
    set(program snippet_${title}_${name})
    add_executable(${program} ${folder}/${name}.cpp)
    target_link_libraries(${program} PRIVATE m2u::m2u ${M2U_COMPILED_LIBRARY} m2u_build_flags)
    target_compile_options(${program} PRIVATE -O1)  # they run for seconds; compiling is what takes long
    add_test(NAME ${program} COMMAND ${program})
    set_tests_properties(${program} PROPERTIES TIMEOUT 300 PROCESSORS 2 WORKING_DIRECTORY ${work})
  endforeach()
endforeach()
if(library_sources)
  # Nothing to run: that it compiles, which `all` sees to, is the test.
  add_library(snippets OBJECT ${library_sources})
  target_link_libraries(snippets PRIVATE m2u::m2u ${M2U_COMPILED_LIBRARY} m2u_build_flags)
endif()
