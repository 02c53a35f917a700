# SPDX-License-Identifier: Apache-2.0
# Row statistics and chains on the CPU, and what stands on them in host/stats.
foreach(name chain draw moments extremes select cpu_driver tails information weighed powers filled)
  qn_test(NAME ${name} MODULES core memory cpu stats data
    SOURCES unit/test_${name}.c unit/reference.c unit/sample_data.c)
endforeach()
