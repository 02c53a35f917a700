# SPDX-License-Identifier: Apache-2.0
# The public interface end to end, linked with the modules themselves so that allocations can be made
# to fail.
get_property(all_modules GLOBAL PROPERTY QN_MODULES)
list(TRANSFORM all_modules REPLACE "^qn_" "")
set(extra_sparse pipeline/sparse_forms.c)
set(extra_rows pipeline/runs.c)
set(extra_iterative pipeline/runs.c)
foreach(name pipeline ledger weights fit_push inverse sparse selectors power rows targets kernel polynomial
    splines expression indicator columns iterative arrays covariance moves bins draws passes)
  qn_test(NAME ${name} MODULES ${all_modules}
    SOURCES pipeline/test_${name}.c pipeline/fixture.c ${extra_${name}} LABELS pipeline)
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache" TIMEOUT 600)
endforeach()
# The search for a lambda alone.
qn_test(NAME descent MODULES ${all_modules} SOURCES pipeline/test_descent.c unit/reference.c LABELS pipeline)
set_property(GLOBAL APPEND PROPERTY QN_ON_STANDIN ledger weights inverse selectors power rows targets kernel
  polynomial splines expression indicator columns iterative arrays covariance moves bins draws)
