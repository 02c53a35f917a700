/* SPDX-License-Identifier: Apache-2.0
 * Moments of pairs on a device: the part of the moments operation that has targets. */
#ifndef QN_OPS_PAIRS_H
#define QN_OPS_PAIRS_H

#include "host/device/device.h"
#include "host/ops/requests.h"

/* The request has targets on the device, and at least one row and lane. */
quern_status qn_device_pairs(struct qn_device *, uint32_t queue, const struct qn_moments_request *);

#endif
