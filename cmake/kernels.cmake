# SPDX-License-Identifier: Apache-2.0
# Kernel texts become byte arrays in the library (cmake/embed_kernels.cmake); nvcc, where it exists,
# makes the fatbin.
set(QN_KERNELS moments weighted paired powers extremes histogram run csr sort move cast random reduce covariance pair_sums counts neighbours selftest)
set(QN_KERNEL_FOLDER ${PROJECT_SOURCE_DIR}/kernels)
set(QN_KERNEL_TEXTS ${PROJECT_BINARY_DIR}/kernels)
file(GLOB QN_KERNEL_FILES CONFIGURE_DEPENDS ${QN_KERNEL_FOLDER}/*.h)
set(texts ${QN_KERNELS})
list(TRANSFORM texts PREPEND ${QN_KERNEL_TEXTS}/)
list(TRANSFORM texts APPEND .cl)

add_custom_command(
  OUTPUT ${QN_KERNEL_TEXTS}/texts.c ${texts}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${PROJECT_SOURCE_DIR} -DOUT=${QN_KERNEL_TEXTS}
          "-DKERNELS=${QN_KERNELS}" -P ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
  DEPENDS ${QN_KERNEL_FILES} ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
  COMMENT "Embedding kernel texts"
  VERBATIM)

add_library(qn_kernels OBJECT ${QN_KERNEL_TEXTS}/texts.c)
target_include_directories(qn_kernels PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
set_property(GLOBAL APPEND PROPERTY QN_MODULES qn_kernels)
