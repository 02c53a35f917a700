# SPDX-License-Identifier: Apache-2.0
# libquern: every module in one shared library (and a static one), the public symbols and no others,
# installed with a CMake package and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY QN_MODULES)
set(objects)
foreach(module ${modules})
  list(APPEND objects $<TARGET_OBJECTS:${module}>)
endforeach()

function(quern_library target kind)
  add_library(${target} ${kind} ${objects})
  add_library(quern::${target} ALIAS ${target})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:ZLIB::ZLIB>
    $<BUILD_INTERFACE:PkgConfig::ZSTD> $<BUILD_INTERFACE:PkgConfig::JANSSON>
    $<BUILD_INTERFACE:PkgConfig::XXHASH> Threads::Threads ${CMAKE_DL_LIBS} m)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
endfunction()

quern_library(quern SHARED)
set(version_map ${PROJECT_SOURCE_DIR}/cmake/quern.map)
set_target_properties(quern PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${version_map})
target_link_options(quern PRIVATE -Wl,--version-script=${version_map})
if(NOT QUERN_SANITIZE)
  target_link_options(quern PRIVATE -Wl,--no-undefined)
endif()

add_library(quern_objects INTERFACE)
target_link_libraries(quern_objects INTERFACE ${modules})

# The program, when the cli folder is there.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
if(cli_sources)
  add_executable(quern_cli ${cli_sources})
  set_target_properties(quern_cli PROPERTIES OUTPUT_NAME quern)
  target_include_directories(quern_cli PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(quern_cli PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_libraries(quern_cli PRIVATE quern PkgConfig::JANSSON)
  set_target_properties(quern_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS quern_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(TARGETS quern EXPORT quernTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/quern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT quernTargets NAMESPACE quern:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
configure_package_config_file(cmake/quernConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/quernConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/quernConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quernConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/quernConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
# Relative to the file's own place, so that cmake --install --prefix and a moved tree work.
file(RELATIVE_PATH QN_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/quern.pc.in ${CMAKE_CURRENT_BINARY_DIR}/quern.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
