# SPDX-License-Identifier: Apache-2.0
# Reading and writing tables: CSV, NPY, NPZ, numbers as text.
qn_test(NAME csv MODULES core memory data SOURCES unit/test_csv.c LABELS unit)
qn_test(NAME csv_stream MODULES core memory data SOURCES unit/test_csv_stream.c LABELS unit)
qn_test(NAME npy MODULES core memory data SOURCES unit/test_npy.c LABELS unit)
qn_test(NAME format MODULES core memory data SOURCES unit/test_format.c LABELS unit)
qn_test(NAME badcsv MODULES core memory data SOURCES unit/test_badcsv.c LABELS unit data)

# Prints the seconds of reading a CSV file; bench/bench_csv.py runs it beside pandas and Polars.
add_executable(csv_time ${PROJECT_SOURCE_DIR}/bench/csv_time.c)
target_include_directories(csv_time PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(csv_time PRIVATE _POSIX_C_SOURCE=200809L)
target_link_libraries(csv_time PRIVATE qn_core qn_memory qn_data Threads::Threads ${CMAKE_DL_LIBS} m ZLIB::ZLIB
  PkgConfig::ZSTD PkgConfig::JANSSON PkgConfig::XXHASH)
