/* SPDX-License-Identifier: Apache-2.0
 * For tests that link host/device without the backends: the tables that the registry names. */
#include "host/device/driver.h"

const struct qn_driver qn_driver_cpu = {.name = "cpu"};
const struct qn_driver qn_driver_opencl = {.name = "opencl"};
const struct qn_driver qn_driver_cuda = {.name = "cuda"};
