# SPDX-License-Identifier: Apache-2.0
# cmake -DNVCC=… -DIN=text -DOUT=image -DCODES=sm_75,…,compute_75 -P fatbin.cmake
# One nvcc call: portable text to fat binary. What ptxas reports of each kernel (registers, spills)
# and any warning goes to OUT.log, and its PTX to OUT.ptx; tests read both. The log is shown when the call fails.
get_filename_component(name ${IN} NAME_WE)
set(kept ${OUT}.kept)
file(REMOVE_RECURSE ${kept})
file(MAKE_DIRECTORY ${kept})
execute_process(
  # Contraction off, nothing flushed, division and sqrt correctly rounded: docs/numbers.md.
  COMMAND ${NVCC} -fatbin -x cu ${IN} -o ${OUT} -gencode=arch=compute_75,code=[${CODES}]
          --fmad=false --ftz=false --prec-div=true --prec-sqrt=true -Xptxas -v
          -Xfatbin -compress-all --keep --keep-dir ${kept}
  OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
file(WRITE ${OUT}.log "${said}")
file(REMOVE ${OUT}.ptx)
if(EXISTS ${kept}/${name}.ptx)
  file(RENAME ${kept}/${name}.ptx ${OUT}.ptx)
endif()
file(REMOVE_RECURSE ${kept})
if(failed)
  file(REMOVE ${OUT})
  message(FATAL_ERROR "${said}")
endif()
