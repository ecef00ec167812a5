# SPDX-License-Identifier: Apache-2.0
# C++ code out of Markdown documents. A fenced block that begins with ```cpp must follow a line
#
#     <!-- compile: NAME -->
#
# Blocks with the same name in one document are joined in their order, so that a document may explain a
# program piece by piece.

# m2u_extract_snippets(DOCUMENT FOLDER): writes FOLDER/NAME.cpp for each name in the document and sets
# M2U_SNIPPETS to the names. Files are rewritten only if they differ.
function(m2u_extract_snippets document folder)
  file(READ ${document} rest)
  get_filename_component(title ${document} NAME)
  set(names)
  set(line 1)
  set(name "")
  while(TRUE)
    string(FIND "${rest}" "\n```cpp\n" fence)
    if(fence LESS 0)
      break()
    endif()
    string(SUBSTRING "${rest}" 0 ${fence} before)
    math(EXPR begin "${fence} + 8")
    string(SUBSTRING "${rest}" ${begin} -1 rest)
    string(REGEX REPLACE "[^\n]" "" newlines "${before}")
    string(LENGTH "${newlines}" count)
    math(EXPR line "${line} + ${count} + 2")
    if(NOT before MATCHES "<!-- compile: ([a-z0-9_]+) -->$")
      message(FATAL_ERROR "${title}, line ${line}: this C++ block is not preceded by a line "
        "<!-- compile: NAME -->, so no test would compile it")
    endif()
    set(name ${CMAKE_MATCH_1})
    string(FIND "${rest}" "\n```" end)
    if(end LESS 0)
      message(FATAL_ERROR "${title}, line ${line}: the C++ block is not closed")
    endif()
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${rest}" 0 ${end} code)
    string(SUBSTRING "${rest}" ${end} -1 rest)
    if(NOT name IN_LIST names)
      list(APPEND names ${name})
      set(code_of_${name} "")
    endif()
    # The compiler's messages then name the document and its line.
    string(APPEND code_of_${name} "#line ${line} \"${document}\"\n${code}")
    string(REGEX REPLACE "[^\n]" "" newlines "${code}")
    string(LENGTH "${newlines}" count)
    math(EXPR line "${line} + ${count}")
  endwhile()
  foreach(name IN LISTS names)
    set(content "// Extracted from ${title}.\n${code_of_${name}}")
    set(known "")
    if(EXISTS ${folder}/${name}.cpp)
      file(READ ${folder}/${name}.cpp known)
    endif()
    if(NOT known STREQUAL content)
      file(WRITE ${folder}/${name}.cpp "${content}")
    endif()
  endforeach()
  set(M2U_SNIPPETS ${names} PARENT_SCOPE)
endfunction()
