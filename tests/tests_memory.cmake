# SPDX-License-Identifier: Apache-2.0
# Threads and the operating system, device memory, the open device, the context.
if(NOT TARGET qn_null)
  qn_module(null backends/null)
endif()

qn_test(NAME threads MODULES core SOURCES unit/test_threads.c LABELS unit)
qn_test(NAME utf8 MODULES core SOURCES unit/test_utf8.c LABELS unit)
qn_test(NAME os MODULES core SOURCES unit/test_os.c LABELS unit)
qn_test(NAME output MODULES core memory SOURCES unit/test_output.c LABELS unit)
qn_test(NAME range MODULES core memory SOURCES unit/test_range.c LABELS unit)
qn_test(NAME pool MODULES core memory null SOURCES unit/test_pool.c unit/pool_battery.c LABELS unit)
qn_test(NAME staging MODULES core memory null SOURCES unit/test_staging.c LABELS unit)
qn_test(NAME cache MODULES core memory device kernels SOURCES unit/test_cache.c unit/no_drivers.c
        LABELS unit)
foreach(name device context)
  qn_test(NAME ${name} MODULES core memory device kernels null
          SOURCES unit/test_${name}.c unit/null_gpu.c unit/no_drivers.c LABELS unit)
endforeach()

# The same promises on the devices of this machine.
if(TARGET qn_cpu AND TARGET qn_opencl AND TARGET qn_cuda)
  qn_test(NAME open_devices MODULES core memory device kernels cpu opencl cuda
          SOURCES conformance/test_open_devices.c unit/pool_battery.c LABELS conformance)
  set_tests_properties(open_devices PROPERTIES ENVIRONMENT
    "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache;QUERN_CACHE_DIR=${CMAKE_BINARY_DIR}/kernel-cache;LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/standin/lsan.supp")
endif()
