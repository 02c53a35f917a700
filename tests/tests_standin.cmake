# SPDX-License-Identifier: Apache-2.0
# The stand-in CUDA driver (tests/standin/standin.h) and the tests that run on it.
#
#   qn_test_on_standin(NAME)   a test that exists, once more as NAME@standin, with the stand-in as
#                              cuda:0 and QUERN_REQUIRE=cuda (see QN_ON_STANDIN below for files that
#                              come before this one).
set(standin_folder ${CMAKE_BINARY_DIR}/standin)
find_package(OpenCL QUIET)

# NVRTC is wrapped under its own soname. Without one the wrapper stands alone, as version 13.
set(nvrtc_name libnvrtc.so.13)
set(real_nvrtc "")
foreach(soname libnvrtc.so.13 libnvrtc.so.12 libnvrtc.so.11.2)
  if(NOT real_nvrtc)
    find_file(QUERN_${soname} ${soname} PATHS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_LIBRARY_ROOT}/lib64
              /usr/local/cuda/lib64 /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH)
    mark_as_advanced(QUERN_${soname})
    if(QUERN_${soname})
      set(real_nvrtc ${QUERN_${soname}})
      set(nvrtc_name ${soname})
    endif()
  endif()
endforeach()

# Gives a test the stand-in: its libraries first in the loader's path, which real drivers of the
# machine stay behind, and a folder of its own for PoCL's compiled kernels.
function(qn_standin_environment name)
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77
    ENVIRONMENT "QUERN_REQUIRE=cuda;POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/standin/lsan.supp"
    ENVIRONMENT_MODIFICATION "LD_LIBRARY_PATH=path_list_prepend:${standin_folder}")
endfunction()

function(qn_test_on_standin name)
  if(OpenCL_FOUND)
    add_test(NAME ${name}@standin COMMAND test_${name})
    get_test_property(${name} LABELS labels)
    if(NOT labels)
      set(labels "")
    endif()
    set_tests_properties(${name}@standin PROPERTIES LABELS "${labels};standin")
    qn_standin_environment(${name}@standin)
    add_dependencies(test_${name} standin_cuda standin_nvrtc)
  endif()
endfunction()

if(OpenCL_FOUND)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/pocl-cache)
  add_library(standin_cuda SHARED ${CMAKE_CURRENT_SOURCE_DIR}/standin/control.c
    ${CMAKE_CURRENT_SOURCE_DIR}/standin/memory.c ${CMAKE_CURRENT_SOURCE_DIR}/standin/module.c
    $<TARGET_OBJECTS:qn_kernels> ${CMAKE_BINARY_DIR}/generated/cuda_images.c)
  set_source_files_properties(${CMAKE_BINARY_DIR}/generated/cuda_images.c PROPERTIES GENERATED TRUE)
  add_dependencies(standin_cuda qn_cuda)
  target_link_libraries(standin_cuda PRIVATE OpenCL::OpenCL Threads::Threads)
  target_link_options(standin_cuda PRIVATE -Wl,-soname,libcuda.so.1 -Wl,-Bsymbolic)
  set_target_properties(standin_cuda PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1)

  add_library(standin_nvrtc SHARED ${CMAKE_CURRENT_SOURCE_DIR}/standin/nvrtc.c)
  target_link_libraries(standin_nvrtc PRIVATE ${CMAKE_DL_LIBS})
  target_link_options(standin_nvrtc PRIVATE -Wl,-soname,${nvrtc_name})
  string(REPLACE "libnvrtc" "" nvrtc_suffix ${nvrtc_name})
  set_target_properties(standin_nvrtc PROPERTIES OUTPUT_NAME nvrtc SUFFIX ${nvrtc_suffix})
  if(real_nvrtc)
    target_compile_definitions(standin_nvrtc PRIVATE STANDIN_REAL_NVRTC="${real_nvrtc}")
  endif()

  foreach(target standin_cuda standin_nvrtc)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    target_include_directories(${target} SYSTEM PRIVATE ${OpenCL_INCLUDE_DIRS})
    target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
    set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET default
      LIBRARY_OUTPUT_DIRECTORY ${standin_folder})
  endforeach()

  # cuda_nvrtc uses the stand-in too: NVRTC looks for a libcuda.so.1 by itself.
  foreach(test cuda_driver cuda_faults cuda_nvrtc)
    qn_test(NAME ${test} MODULES core cuda kernels SOURCES standin/test_${test}.c standin/cuda_test.c
      LABELS standin)
    qn_standin_environment(${test})
    add_dependencies(test_${test} standin_cuda standin_nvrtc)
  endforeach()
endif()

# What ptxas said of each kernel in the fat binaries: no spills, no warnings.
find_package(Python3 QUIET COMPONENTS Interpreter)
if(fatbins AND Python3_FOUND)
  add_test(NAME cuda_resources COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/standin/check_resources.py ${CMAKE_BINARY_DIR}/generated)
  set_tests_properties(cuda_resources PROPERTIES LABELS kernels)
endif()

# What scripts/gpu-check measures a device with.
add_executable(device_probe ${PROJECT_SOURCE_DIR}/bench/device_probe.c)
target_include_directories(device_probe PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(device_probe PRIVATE _POSIX_C_SOURCE=200809L)
foreach(module core memory device ops cpu opencl cuda kernels)
  if(TARGET qn_${module})
    target_link_libraries(device_probe PRIVATE qn_${module})
  endif()
endforeach()
target_link_libraries(device_probe PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m ZLIB::ZLIB PkgConfig::ZSTD
  PkgConfig::JANSSON PkgConfig::XXHASH)

# The script itself, from packing to the report, on the stand-in.
if(OpenCL_FOUND AND Python3_FOUND)
  add_test(NAME gpu_check COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/gpu-check
    standin --build ${CMAKE_BINARY_DIR} --out ${CMAKE_BINARY_DIR}/gpu-check)
  add_test(NAME program_faults COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/standin/test_program_faults.py ${CMAKE_BINARY_DIR}/bin/quern
    ${standin_folder} ${CMAKE_BINARY_DIR}/program-faults)
  set_tests_properties(gpu_check program_faults PROPERTIES LABELS "standin;slow"
    ENVIRONMENT "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache")
endif()

# Suites that other areas register here run on the stand-in as well, whichever file comes first:
#   set_property(GLOBAL APPEND PROPERTY QN_ON_STANDIN name)
function(qn_standin_suites)
  get_property(named GLOBAL PROPERTY QN_ON_STANDIN)
  foreach(suite driver open_devices ops ${named})
    if(TARGET test_${suite} AND NOT TEST ${suite}@standin)
      qn_test_on_standin(${suite})
    endif()
  endforeach()
  if(TEST ops@standin) # the same test without the stand-in has the other devices
    set_property(TEST ops@standin APPEND PROPERTY ENVIRONMENT "QUERN_TEST_DRIVER=cuda")
  endif()
endfunction()
cmake_language(DEFER CALL qn_standin_suites)
