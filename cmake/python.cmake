# SPDX-License-Identifier: Apache-2.0
# quern._core, the extension module of the Python package: over the limited API of 3.11, so one binary
# serves every CPython from there on. The library is linked into it, with the static archives of what is
# underneath where the system has them: the binary depends on the C library alone, and the wheel is smaller than
# with libquern.so and copies of four shared libraries beside it. Calls take the same time either way.
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)

function(qn_static name shared out)
  find_library(QUERN_STATIC_${name} NAMES lib${name}.a)
  if(QUERN_STATIC_${name} AND QUERN_PYTHON_STATIC)
    set(${out} ${QUERN_STATIC_${name}} PARENT_SCOPE)
  else()
    set(${out} ${shared} PARENT_SCOPE)
  endif()
endfunction()
qn_static(z ZLIB::ZLIB python_zlib)
qn_static(zstd PkgConfig::ZSTD python_zstd)
qn_static(jansson PkgConfig::JANSSON python_jansson)
qn_static(xxhash PkgConfig::XXHASH python_xxhash)

# Archives made for programs hold one relocation that a shared object cannot: jansson's load.o compares
# a file with stdin, for the name in a message. Here nothing is ever loaded from a FILE, so the symbol
# is renamed to one of ours (python/src/jansson.c).
if(python_jansson MATCHES "\\.a$")
  if(CMAKE_OBJCOPY)
    set(renamed ${CMAKE_BINARY_DIR}/generated/libjansson_python.a)
    add_custom_command(OUTPUT ${renamed}
      COMMAND ${CMAKE_OBJCOPY} --redefine-sym stdin=qn_py_no_stdin ${python_jansson} ${renamed}
      DEPENDS ${python_jansson} VERBATIM)
    add_custom_target(quern_python_jansson DEPENDS ${renamed})
    set(python_jansson ${renamed})
  else()
    set(python_jansson PkgConfig::JANSSON)
  endif()
endif()

file(GLOB python_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/src/*.c)
add_library(quern_python MODULE ${python_sources} ${objects})
if(TARGET quern_python_jansson)
  add_dependencies(quern_python quern_python_jansson)
endif()
set_target_properties(quern_python PROPERTIES
  OUTPUT_NAME _core PREFIX "" SUFFIX ".abi3.so" C_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/python/quern)
target_include_directories(quern_python PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_include_directories(quern_python SYSTEM PRIVATE ${Python_INCLUDE_DIRS})
target_compile_definitions(quern_python PRIVATE Py_LIMITED_API=0x030B0000 QUERN_STATIC
                           _POSIX_C_SOURCE=200809L)
# Slots of types hold functions as void *, which ISO C does not know and POSIX demands.
target_compile_options(quern_python PRIVATE -Wno-pedantic)
target_link_libraries(quern_python PRIVATE ${python_zlib} ${python_zstd} ${python_jansson}
  ${python_xxhash} Threads::Threads ${CMAKE_DL_LIBS} m)
target_link_options(quern_python PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/python.map)
set_property(TARGET quern_python APPEND PROPERTY LINK_DEPENDS
             ${PROJECT_SOURCE_DIR}/cmake/python.map)

# The package beside the module, so that PYTHONPATH=build/…/python runs the tree that is edited.
file(GLOB python_files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/python/quern
     ${PROJECT_SOURCE_DIR}/python/quern/*)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/python/quern)
foreach(file ${python_files})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/quern/${file}
       ${CMAKE_BINARY_DIR}/python/quern/${file} SYMBOLIC)
endforeach()

install(TARGETS quern_python LIBRARY DESTINATION quern COMPONENT python)
