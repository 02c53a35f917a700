# SPDX-License-Identifier: Apache-2.0
# The programs of examples/, as a user would build them: the public header and the shared library.
find_package(Python3 QUIET COMPONENTS Interpreter)
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source ${examples})
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  target_link_libraries(example_${name} PRIVATE quern::quern m)
endforeach()
if(Python3_FOUND AND TARGET quern_cli)
  add_test(NAME examples COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/repo/examples.py
    ${CMAKE_BINARY_DIR}/bin $<TARGET_FILE:quern_cli> ${CMAKE_BINARY_DIR}/examples-work)
  set_tests_properties(examples PROPERTIES LABELS repo TIMEOUT 300)
endif()
