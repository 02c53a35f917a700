# SPDX-License-Identifier: Apache-2.0
# Device code under the host's compiler and sanitizers: the conformance suite of the operations over
# fibers (tests/kernels/fiber_driver.c). Plain, and with ASan and UBSan whatever the build is.
set(QN_FIBER_SOURCES conformance/test_ops.c conformance/ops_statistics.c
  conformance/ops_program.c conformance/ops_programs.c conformance/ops_functions.c
  conformance/ops_csr.c conformance/ops_arrays.c conformance/ops_moves.c conformance/ops_reduce.c conformance/ops_covariance.c conformance/ops_neighbours.c conformance/ops_lines.c conformance/ops_fixture.c unit/reference.c
  kernels/fibers.c kernels/fiber_driver.c)
file(GLOB QN_OPS_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/ops/*.c)

function(qn_fiber_test name flags)
  target_compile_definitions(test_${name} PRIVATE QN_TEST_FIBERS=1
    "QN_FIBER_CC=\"${CMAKE_C_COMPILER}\"" "QN_FIBER_FLAGS=\"${flags}\"")
  set_target_properties(test_${name} PROPERTIES ENABLE_EXPORTS ON)
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()

# ThreadSanitizer does not know these fibers.
if(NOT QUERN_SANITIZE MATCHES "thread")
  set(flags "")
  if(QUERN_SANITIZE)
    set(flags "-fsanitize=${QUERN_SANITIZE} -fno-sanitize-recover=all")
  endif()
  qn_test(NAME kernels_fibers MODULES core memory device ops kernels cpu opencl cuda
    SOURCES ${QN_FIBER_SOURCES} LABELS kernels)
  qn_fiber_test(kernels_fibers "${flags}")
  if(NOT QUERN_SANITIZE)
    set(flags -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all)
    qn_test(NAME kernels_fibers_asan MODULES core memory device kernels cpu opencl cuda
      SOURCES ${QN_FIBER_SOURCES} ${QN_OPS_SOURCES} LABELS kernels)
    target_compile_options(test_kernels_fibers_asan PRIVATE ${flags} -g1)
    target_link_options(test_kernels_fibers_asan PRIVATE ${flags})
    list(JOIN flags " " flags)
    qn_fiber_test(kernels_fibers_asan "${flags}")
    # The plain one has the large sizes.
    set_tests_properties(kernels_fibers_asan PROPERTIES ENVIRONMENT QUERN_TEST_SMALL=1)
  endif()
endif()

# Every kernel and several generated programs through nvcc for each architecture.
add_test(NAME kernels_nvcc COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-cuda-kernels
  ${CMAKE_BINARY_DIR}/kernels $<TARGET_FILE:test_generated_texts> ${CMAKE_BINARY_DIR}/cuda-check
  ${CMAKE_BINARY_DIR}/generated)
set_tests_properties(kernels_nvcc PROPERTIES LABELS kernels SKIP_RETURN_CODE 77 TIMEOUT 900)

# The generator: its text depends on the shape alone. With an argument it writes its texts there.
qn_test(NAME generated_texts MODULES core ops memory device kernels cpu opencl cuda
  SOURCES kernels/test_generated_texts.c LABELS kernels)

# Through NVRTC, as at run time.
qn_test(NAME nvrtc MODULES core ops memory device kernels cpu opencl cuda
  SOURCES kernels/test_nvrtc.c LABELS kernels)
