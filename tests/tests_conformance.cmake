# SPDX-License-Identifier: Apache-2.0
# Every operation on every device that is present.
qn_test(NAME ops MODULES core memory device ops kernels cpu opencl cuda
  SOURCES conformance/test_ops.c conformance/ops_statistics.c
  conformance/ops_program.c conformance/ops_programs.c conformance/ops_functions.c
  conformance/ops_csr.c conformance/ops_arrays.c conformance/ops_moves.c conformance/ops_reduce.c conformance/ops_covariance.c conformance/ops_neighbours.c conformance/ops_lines.c conformance/ops_fixture.c unit/reference.c LABELS conformance)
set_tests_properties(ops PROPERTIES
  ENVIRONMENT "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache" TIMEOUT 600)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/pocl-cache)

# The same on a simulator that watches for races, uninitialised reads and bounds, at small sizes.
find_library(QUERN_OCLGRIND_RT NAMES oclgrind-rt
  PATHS /usr/lib/oclgrind /usr/lib/x86_64-linux-gnu/oclgrind /usr/lib/aarch64-linux-gnu/oclgrind)
mark_as_advanced(QUERN_OCLGRIND_RT)
find_package(OpenCL QUIET)
if(QUERN_OCLGRIND_RT AND OpenCL_FOUND AND NOT QUERN_SANITIZE)
  add_library(simulator SHARED kernels/simulator.c)
  target_include_directories(simulator SYSTEM PRIVATE ${OpenCL_INCLUDE_DIRS})
  target_link_libraries(simulator PRIVATE ${QUERN_OCLGRIND_RT} ${CMAKE_DL_LIBS})
  target_link_options(simulator PRIVATE -Wl,-soname,libOpenCL.so.1 -Wl,--no-as-needed)
  set_target_properties(simulator PROPERTIES OUTPUT_NAME OpenCL SUFFIX .so.1
    C_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/simulator)
  # Oclgrind's runtime calls itself libOpenCL.so; by that name the loader looks for it.
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/simulator)
  file(CREATE_LINK ${QUERN_OCLGRIND_RT} ${CMAKE_BINARY_DIR}/simulator/libOpenCL.so SYMBOLIC)
  add_dependencies(test_ops simulator)
  add_test(NAME ops_races COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-races
    ${CMAKE_BINARY_DIR}/simulator $<TARGET_FILE:test_ops>)
  set_tests_properties(ops_races PROPERTIES LABELS kernels SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
