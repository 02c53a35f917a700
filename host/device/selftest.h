/* SPDX-License-Identifier: Apache-2.0
 * A device that computes wrongly is found out before it is used: some flush subnormals, some
 * contract, some compilers are broken. Features that fail are cleared from device->caps, with a
 * sentence in device->limits; the operations that need them then run on the CPU. */
#ifndef QN_SELFTEST_H
#define QN_SELFTEST_H

#include "host/device/device.h"

/* Once per device and process; later calls apply what was found. Fails only when the device is lost
 * or memory runs out: a compiler that refuses the test costs the feature "kernels". */
quern_status qn_self_test(struct qn_device *device);

/* Tests: forgets what was found. */
void qn_self_test_forget(void);

#endif
