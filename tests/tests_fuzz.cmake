# SPDX-License-Identifier: Apache-2.0
# Hostile input. Every fuzz target replays its committed inputs in every build tree, so under the sanitizers
# too; with QUERN_FUZZ, which wants clang, the targets are libFuzzer programs instead (tests/fuzz/run).
option(QUERN_FUZZ "build the libFuzzer targets (clang)" OFF)
get_property(all_modules GLOBAL PROPERTY QN_MODULES)

function(qn_fuzz name)
  if(QUERN_FUZZ)
    set(target fuzz_${name})
    add_executable(${target} ${ARGN})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    set(target replay_${name})
    add_executable(${target} ${ARGN} fuzz/replay.c)
    foreach(function malloc calloc realloc aligned_alloc)
      target_link_options(${target} PRIVATE -Wl,--wrap=${function})
    endforeach()
    add_test(NAME fuzz_${name} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES LABELS "unit;data" TIMEOUT 300
      ENVIRONMENT "QUERN_FUZZ_DIR=${CMAKE_BINARY_DIR}")
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_libraries(${target} PRIVATE ${all_modules} Threads::Threads ${CMAKE_DL_LIBS} m ZLIB::ZLIB
    PkgConfig::ZSTD PkgConfig::JANSSON PkgConfig::XXHASH)
endfunction()

foreach(name csv npy fit)
  qn_fuzz(${name} fuzz/fuzz_${name}.c)
endforeach()
foreach(name spec model table expression)
  qn_fuzz(${name} fuzz/fuzz_${name}.c fuzz/fuzz.c)
endforeach()
if(NOT QUERN_FUZZ)
  qn_fuzz(greedy fuzz/greedy.c) # the limit is noticed
  set_tests_properties(fuzz_greedy PROPERTIES PASS_REGULAR_EXPRESSION "^[^\n]*\nan allocation of [0-9]+ bytes")
endif()
