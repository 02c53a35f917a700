# SPDX-License-Identifier: Apache-2.0
# Kernels compiled ahead of time for CUDA: one nvcc call per kernel source makes one fat binary, and
# all of them become one C table (backends/cuda/images.h). The portable text uses nothing that is
# particular to an architecture, so one front-end pass (PTX for the oldest target) serves the machine
# code of all; that PTX is kept too, for GPUs younger than this build. Without nvcc, or with
# -DQUERN_CUDA_FATBIN=OFF, the table is empty and NVRTC compiles at run time.
set(QUERN_CUDA_ARCHS "75 80 86 89 90 100 120" CACHE STRING
    "the architectures whose machine code the fat binaries hold, of those that nvcc knows")
set(images_c ${CMAKE_BINARY_DIR}/generated/cuda_images.c)
set(pairs "")
set(fatbins "")
set(targets "")

if(QUERN_CUDA_FATBIN AND CUDAToolkit_NVCC_EXECUTABLE)
  execute_process(COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} --list-gpu-code OUTPUT_VARIABLE listed
                  ERROR_QUIET)
  string(REPLACE " " ";" archs "${QUERN_CUDA_ARCHS}")
  foreach(arch ${archs})
    if(listed MATCHES "sm_${arch}[ \r\n]")
      list(APPEND targets sm_${arch})
    endif()
  endforeach()
  list(JOIN targets "," codes)
endif()

if(targets)
  foreach(key ${QN_KERNELS})
    set(file ${QN_KERNEL_TEXTS}/${key}.cl)
    set(fatbin ${CMAKE_BINARY_DIR}/generated/${key}.fatbin)
    add_custom_command(OUTPUT ${fatbin}
      COMMAND ${CMAKE_COMMAND} -DNVCC=${CUDAToolkit_NVCC_EXECUTABLE} -DIN=${file} -DOUT=${fatbin}
              "-DCODES=${codes},compute_75" -P ${PROJECT_SOURCE_DIR}/cmake/fatbin.cmake
      DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/fatbin.cmake
      COMMENT "Fat binary of the ${key} kernels" VERBATIM)
    list(APPEND pairs ${key}=${fatbin})
    list(APPEND fatbins ${fatbin})
  endforeach()
  list(APPEND targets compute_75)
endif()

list(JOIN pairs "," pairs)
list(JOIN targets " " targets)
if(NOT fatbins)
  set(targets "")
endif()
add_custom_command(OUTPUT ${images_c}
  COMMAND ${CMAKE_COMMAND} "-DOUT=${images_c}" "-DTARGETS=${targets}" "-DIMAGES=${pairs}"
          -P ${PROJECT_SOURCE_DIR}/cmake/embed_images.cmake
  DEPENDS ${fatbins} ${PROJECT_SOURCE_DIR}/cmake/embed_images.cmake
  COMMENT "Table of CUDA images" VERBATIM)
target_sources(qn_cuda PRIVATE ${images_c})
