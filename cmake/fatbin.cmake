# SPDX-License-Identifier: Apache-2.0
# cmake -DNVCC=… -DIN=text -DOUT=image -DCODES=sm_75,…,compute_75 -P fatbin.cmake
# One nvcc call: portable text to fat binary. What ptxas reports of each kernel (registers, spills)
# and any warning goes to OUT.log, which a test reads; it is shown when the call fails.
execute_process(
  # Contraction off, nothing flushed, division and sqrt correctly rounded: docs/numbers.md.
  COMMAND ${NVCC} -fatbin -x cu ${IN} -o ${OUT} -gencode=arch=compute_75,code=[${CODES}]
          --fmad=false --ftz=false --prec-div=true --prec-sqrt=true -Xptxas -v
          -Xfatbin -compress-all
  OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
file(WRITE ${OUT}.log "${said}")
if(failed)
  file(REMOVE ${OUT})
  message(FATAL_ERROR "${said}")
endif()
