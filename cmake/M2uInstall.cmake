# SPDX-License-Identifier: Apache-2.0
# Headers and package files: find_package(m2u COMPONENTS core chem). One export set per component, so
# that a project needs only the packages of the components that it asks for.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_m2u_package ${CMAKE_INSTALL_LIBDIR}/cmake/m2u)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/m2u DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp")
set(M2U_INSTALLED ${M2U_COMPONENTS})
set(_m2u_any_machine ARCH_INDEPENDENT)
if(TARGET m2u_compiled)
  list(APPEND M2U_INSTALLED compiled)
  set(_m2u_any_machine)
endif()
foreach(component ${M2U_INSTALLED})
  install(TARGETS m2u_${component} EXPORT m2u_${component}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT m2u_${component} FILE m2u_${component}.cmake NAMESPACE m2u::
    DESTINATION ${_m2u_package})
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/m2uConfig.cmake.in
  ${PROJECT_BINARY_DIR}/m2uConfig.cmake INSTALL_DESTINATION ${_m2u_package}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/m2uConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ${_m2u_any_machine})
install(FILES
  ${PROJECT_BINARY_DIR}/m2uConfig.cmake
  ${PROJECT_BINARY_DIR}/m2uConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/M2uFindPackages.cmake
  DESTINATION ${_m2u_package})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
