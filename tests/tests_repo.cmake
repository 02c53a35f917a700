# SPDX-License-Identifier: Apache-2.0
# The command line, and what makes the tree a repository: who includes whom, exported symbols, an
# installed library in use, generated documents.
find_package(Python3 QUIET COMPONENTS Interpreter)

function(qn_python_test name labels)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 77 TIMEOUT 900)
  set_property(TEST ${name} PROPERTY ENVIRONMENT "QUERN_CACHE_DIR=${CMAKE_BINARY_DIR}/kernel-cache"
    "POCL_CACHE_DIR=${CMAKE_BINARY_DIR}/pocl-cache" PYTHONDONTWRITEBYTECODE=1
    "LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/standin/lsan.supp")
endfunction()

if(Python3_FOUND)
  set(repo ${CMAKE_CURRENT_SOURCE_DIR}/repo)
  qn_python_test(include_rule repo ${CMAKE_CURRENT_SOURCE_DIR}/include_rule.py)
  qn_python_test(include_rule_self repo ${CMAKE_CURRENT_SOURCE_DIR}/include_rule.py --self-test)
  qn_python_test(tree repo ${repo}/tree.py)
  qn_python_test(runner repo ${repo}/test_runner.py)
  if(TARGET quern_cli)
    foreach(name cli cli_refusals)
      qn_python_test(${name} "cli;repo" ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_${name}.py $<TARGET_FILE:quern_cli>)
    endforeach()
    qn_python_test(docs repo ${PROJECT_SOURCE_DIR}/scripts/gen-docs --check --quern $<TARGET_FILE:quern_cli>)
  endif()
  if(NOT QUERN_SANITIZE) # a sanitizer's runtime exports symbols of its own
    qn_python_test(symbols repo ${repo}/symbols.py $<TARGET_FILE:quern>)
  endif()
endif()
if(TARGET quern_cli AND NOT QUERN_SANITIZE)
  add_test(NAME consumer COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/consumer/check ${CMAKE_BINARY_DIR}
    ${CMAKE_BINARY_DIR}/consumer)
  set_tests_properties(consumer PROPERTIES LABELS repo TIMEOUT 300)
endif()
