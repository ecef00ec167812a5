# SPDX-License-Identifier: Apache-2.0
# cmake -P: builds and runs the consumer against m2u, installed (HOW=installed) or as a subdirectory.
# Needs HOW, SOURCE and BINARY (of m2u), VERSION, OPTIONS (for the consumer's configuration), and COMPILED:
# whether m2u::compiled is among what is installed.
set(work ${BINARY}/consume_${HOW})
file(REMOVE_RECURSE ${work})
set(prefix ${work}/prefix)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  message(STATUS "${what}:\n${text}")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result})")
  endif()
endfunction()

if(HOW STREQUAL "installed")
  run("install" ${CMAKE_COMMAND} --install ${BINARY} --prefix ${prefix})
  # What is installed stands alone: it names neither the source nor the build folder.
  file(GLOB_RECURSE files ${prefix}/*.cmake)
  foreach(file ${files})
    file(READ ${file} text)
    foreach(unwanted ${SOURCE}/ ${BINARY}/ m2u_build_flags -march)
      string(FIND "${text}" "${unwanted}" found)
      if(found GREATER_EQUAL 0)
        message(FATAL_ERROR "${file} names ${unwanted}")
      endif()
    endforeach()
  endforeach()
endif()
run("configure" ${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${work}/build ${OPTIONS}
  -DM2U_CONSUME=${HOW} -DM2U_SOURCE=${SOURCE} -DM2U_VERSION=${VERSION} -Dm2u_ROOT=${prefix})
run("build" ${CMAKE_COMMAND} --build ${work}/build)
run("run" ${work}/build/consumer)
if(COMPILED)
  run("run, compiled" ${work}/build/consumer_compiled)
endif()
