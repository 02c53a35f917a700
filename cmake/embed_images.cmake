# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=… -DTARGETS=… -DIMAGES=key=file,key=file -P embed_images.cmake: fat binaries as one C table.
file(WRITE ${OUT}.part "/* Made by cmake/cuda.cmake. */\n#include \"backends/cuda/images.h\"\n\n")
string(REPLACE "," ";" pairs "${IMAGES}")
set(rows "")
foreach(pair ${pairs})
  string(FIND ${pair} "=" cut)
  string(SUBSTRING ${pair} 0 ${cut} key)
  math(EXPR cut "${cut} + 1")
  string(SUBSTRING ${pair} ${cut} -1 file)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)"
         "\\1\n" bytes "${bytes}")
  file(APPEND ${OUT}.part "static const _Alignas(64) unsigned char image_${key}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${key}\", image_${key}, sizeof image_${key}},\n")
endforeach()
file(APPEND ${OUT}.part "const struct qn_cuda_image qn_cuda_images[] = {\n${rows}    {NULL, NULL, 0},\n};\n"
     "const char *const qn_cuda_image_targets = \"${TARGETS}\";\n")
file(RENAME ${OUT}.part ${OUT})
