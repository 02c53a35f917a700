# SPDX-License-Identifier: Apache-2.0
# kernels/functions.h beside MPFR, its vectors beside it, and its coefficients beside their derivation.
pkg_check_modules(MPFR QUIET IMPORTED_TARGET mpfr)
if(MPFR_FOUND)
  qn_test(NAME functions MODULES core SOURCES unit/test_functions.c LIBRARIES PkgConfig::MPFR LABELS unit)
  set_tests_properties(functions PROPERTIES TIMEOUT 7200) # with QUERN_FULL it tries a great many
else()
  add_test(NAME functions COMMAND sh -c "echo skipped: no MPFR here, libmpfr-dev on Debian; exit 77")
  set_tests_properties(functions PROPERTIES LABELS unit SKIP_RETURN_CODE 77)
endif()

qn_test(NAME functions_single MODULES core SOURCES unit/test_functions_single.c LABELS unit)
set_tests_properties(functions_single PROPERTIES TIMEOUT 7200) # with QUERN_FULL it tries every float32
qn_test(NAME cpu_functions MODULES core cpu SOURCES unit/test_cpu_functions.c unit/reference.c LABELS unit)
qn_test(NAME share MODULES core cpu SOURCES unit/test_share.c unit/reference.c LABELS unit)

find_package(Python3 QUIET COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME functions_numbers COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/derive-functions
    --check ${PROJECT_SOURCE_DIR}/kernels)
  set_tests_properties(functions_numbers PROPERTIES LABELS repo SKIP_RETURN_CODE 77)
endif()
