# SPDX-License-Identifier: Apache-2.0
# The null driver belongs to the tests, not to the library; others link it as module `null`.
if(NOT TARGET qn_null)
  qn_module(null backends/null)
endif()

qn_test(NAME null_driver MODULES core null SOURCES unit/test_null_driver.c LABELS unit)

# One suite over every driver of this build.
set(driver_modules "")
set(driver_definitions "")
foreach(backend cpu opencl cuda)
  if(EXISTS ${PROJECT_SOURCE_DIR}/backends/${backend}/driver.c)
    string(TOUPPER ${backend} upper)
    list(APPEND driver_modules ${backend})
    list(APPEND driver_definitions QN_WITH_${upper}=1)
  endif()
endforeach()
qn_test(NAME driver MODULES core null ${driver_modules} SOURCES conformance/test_driver.c
        conformance/driver_memory.c conformance/driver_kernels.c conformance/driver_rig.c
        conformance/drivers.c LABELS conformance)
target_compile_definitions(test_driver PRIVATE ${driver_definitions})
if(TARGET qn_opencl)
  # A libOpenCL.so.1 with devices and failures that no machine has at hand.
  add_library(fake_opencl SHARED unit/fake_opencl.c unit/fake_opencl_absent.c)
  set_target_properties(fake_opencl PROPERTIES OUTPUT_NAME OpenCL SUFFIX .so.1
    C_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fake-opencl)
  target_compile_definitions(fake_opencl PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_options(fake_opencl PRIVATE -Wl,-soname,libOpenCL.so.1)
  qn_test(NAME opencl_driver MODULES core opencl SOURCES unit/test_opencl_driver.c LABELS unit)
  target_compile_definitions(test_opencl_driver PRIVATE
    QN_FAKE_OPENCL="${CMAKE_BINARY_DIR}/fake-opencl")
  add_dependencies(test_opencl_driver fake_opencl)
endif()
foreach(name driver opencl_driver)
  if(TEST ${name})
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache;\
LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/standin/lsan.supp")
  endif()
endforeach()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/pocl-cache)
