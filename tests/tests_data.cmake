# SPDX-License-Identifier: Apache-2.0
# Reading and writing tables: CSV, NPY, NPZ, numbers as text.
qn_test(NAME csv MODULES core data SOURCES unit/test_csv.c LABELS unit)
qn_test(NAME csv_stream MODULES core data SOURCES unit/test_csv_stream.c LABELS unit)
qn_test(NAME npy MODULES core data SOURCES unit/test_npy.c LABELS unit)
qn_test(NAME format MODULES core data SOURCES unit/test_format.c LABELS unit)
qn_test(NAME badcsv MODULES core data SOURCES unit/test_badcsv.c LABELS unit data)
