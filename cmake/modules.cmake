# SPDX-License-Identifier: Apache-2.0
# One object library per folder: qn_core, qn_data, … A folder's sources are its *.c files; a test
# links the folders that it needs, the library links them all.
function(qn_module name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
  if(NOT sources)
    return()
  endif()
  add_library(qn_${name} OBJECT ${sources})
  target_include_directories(qn_${name} PRIVATE ${PROJECT_SOURCE_DIR} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(qn_${name} PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m PRIVATE ZLIB::ZLIB
    PkgConfig::ZSTD PkgConfig::JANSSON PkgConfig::XXHASH)
  target_compile_definitions(qn_${name} PRIVATE _POSIX_C_SOURCE=200809L)
  set_property(GLOBAL APPEND PROPERTY QN_MODULES qn_${name})
endfunction()

qn_module(core host/core)
qn_module(data host/data)
qn_module(memory host/memory)
qn_module(device host/device)
qn_module(ops host/ops)
qn_module(arrays host/arrays)
qn_module(stats host/stats)
qn_module(estimators host/estimators)
qn_module(pipeline host/pipeline)
qn_module(measure host/measure)
qn_module(api host/api)
qn_module(cpu backends/cpu)
set_source_files_properties(${PROJECT_SOURCE_DIR}/backends/cpu/bins.c
  ${PROJECT_SOURCE_DIR}/backends/cpu/functions.c ${PROJECT_SOURCE_DIR}/backends/cpu/nquantile.c
  ${PROJECT_SOURCE_DIR}/backends/cpu/powers.c
  ${PROJECT_SOURCE_DIR}/backends/cpu/spline.c PROPERTIES
  COMPILE_OPTIONS "-fno-math-errno;-fno-trapping-math")
qn_module(opencl backends/opencl)
qn_module(cuda backends/cuda)

# The CUDA headers are used where they are installed; without them the backend still builds, from
# its own declarations of the driver's stable ABI.
