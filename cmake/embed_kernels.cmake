# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=root -DOUT=dir "-DKERNELS=a;b" -P embed_kernels.cmake
# For each kernel file: its text with everything that it includes from kernels/ put in its place,
# once, and no #include left, as OUT/<name>.cl and as a byte array (string literals are limited to
# 4095 bytes by the language) in OUT/texts.c, which defines qn_kernel_source().
cmake_minimum_required(VERSION 3.25)

# Appends FILE's text to `text`, its own kernels/ includes first. Semicolons, brackets and
# backslashes survive because lines are cut by string(FIND), never made into a list.
function(flatten file)
  get_property(done GLOBAL PROPERTY flattened)
  if(file IN_LIST done)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY flattened ${file})
  file(READ ${FOLDER}/${file} body)
  string(REGEX MATCHALL "#include \"kernels/[a-z_.]+\"" includes "${body}")
  foreach(include ${includes})
    string(REGEX REPLACE "#include \"(.*)\"" "\\1" path "${include}")
    flatten(${path})
  endforeach()
  string(REGEX REPLACE "#include [^\n]*\n" "" body "${body}")
  set_property(GLOBAL APPEND_STRING PROPERTY text "${body}")
endfunction()

# A text's bytes as C initialisers, twenty a line.
function(bytes_of text out)
  string(HEX "${text}" hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," body "${hex}")
  string(REPEAT "0x..," 20 line)
  string(REGEX REPLACE "(${line})" "\\1\n    " body "${body}")
  set(${out} "${body}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(entries "")
foreach(name ${KERNELS} chain uniform splines)
  set_property(GLOBAL PROPERTY flattened "")
  set_property(GLOBAL PROPERTY text "")
  flatten(kernels/${name}.k.h)
  get_property(text GLOBAL PROPERTY text)
  if(name IN_LIST KERNELS)
    file(WRITE ${OUT}/${name}.cl "${text}")
  endif()
  bytes_of("${text}" body)
  string(APPEND arrays "static const unsigned char text_${name}[] = {\n    ${body}0x00};\n\n")
  string(APPEND entries "    {\"${name}\", (const char *)text_${name}, sizeof text_${name} - 1,"
                        " \"\", \"${name}\"},\n")
endforeach()

file(WRITE ${OUT}/texts.c "/* SPDX-License-Identifier: Apache-2.0
 * Made by cmake/embed_kernels.cmake from kernels/. \"chain\" and \"uniform\" are what generated
 * programs are made of, and \"splines\" is compiled for a shape. */
#include <string.h>

#include \"host/device/device.h\"

${arrays}static const struct qn_source sources[] = {
${entries}};

const struct qn_source *qn_kernel_source(const char *name)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(sources[i].name, name) == 0) return &sources[i];
    return NULL;
}
")
