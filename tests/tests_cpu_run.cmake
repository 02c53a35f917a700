# SPDX-License-Identifier: Apache-2.0
qn_test(NAME norm MODULES core cpu SOURCES unit/test_norm.c LABELS unit)
qn_test(NAME run MODULES core cpu SOURCES unit/test_run.c LABELS unit)
qn_test(NAME starts MODULES core cpu SOURCES unit/test_starts.c unit/reference.c LABELS unit)
qn_test(NAME flat_bins MODULES core cpu SOURCES unit/test_flat_bins.c unit/reference.c LABELS unit)
qn_test(NAME flat_log1p MODULES core cpu SOURCES unit/test_flat_log1p.c unit/reference.c LABELS unit)
qn_test(NAME nquantile MODULES core cpu SOURCES unit/test_nquantile.c LABELS unit)
qn_test(NAME csr MODULES core cpu SOURCES unit/test_csr.c LABELS unit)
qn_test(NAME row MODULES core cpu SOURCES unit/test_row.c LABELS unit)
