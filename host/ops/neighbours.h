/* SPDX-License-Identifier: Apache-2.0
 * Nearest neighbours on a device: what host/ops/rows.c's list asks. */
#ifndef QN_OPS_NEIGHBOURS_H
#define QN_OPS_NEIGHBOURS_H

#include "host/device/device.h"
#include "host/ops/requests.h"

/* Why the device does not take the request; NULL: it does. */
const char *qn_refuse_neighbours(const struct qn_device *, const struct qn_rows_request *);
quern_status qn_device_neighbours(struct qn_device *, uint32_t queue,
                                  const struct qn_rows_request *);

#endif
