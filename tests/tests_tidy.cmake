# SPDX-License-Identifier: Apache-2.0
# Format and static checks of all C code (scripts/tidy). The first round over a fresh build tree takes
# longer than a test may, so `clang_tidy` looks at what has changed and at as many other files as it has time
# for, one at a time, for CTest runs other tests beside it; files that were clean and have not changed cost it
# nothing. Whole: scripts/tidy.
find_package(Python3 QUIET COMPONENTS Interpreter)

# An instrumented tree compiles the same text: one round, in a plain tree, says it all.
if(Python3_FOUND AND NOT QUERN_SANITIZE)
  add_test(NAME clang_format COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/tidy --format)
  add_test(NAME clang_tidy COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/tidy --quick 90 -j 1
           -p ${PROJECT_BINARY_DIR})
  set_tests_properties(clang_format clang_tidy PROPERTIES LABELS lint SKIP_RETURN_CODE 77 TIMEOUT 300
                       ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
