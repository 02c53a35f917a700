/* SPDX-License-Identifier: Apache-2.0
 * Device time of launches, from pairs of events. Asked for by the context: two more calls into the
 * driver per launch are not free. */
#ifndef QN_TIMES_H
#define QN_TIMES_H

#include "host/device/device.h"

/* *out stays NULL where the driver cannot tell times. */
quern_status qn_times_open(const struct qn_driver *, struct qn_times **out);
void qn_times_close(struct qn_times *, const struct qn_driver *, struct qn_dev *);
quern_status qn_times_before(struct qn_times *, struct qn_device *, struct qn_queue *);
quern_status qn_times_after(struct qn_times *, struct qn_device *, struct qn_queue *);
/* Adds what is over to ledger.kernel_ns. */
quern_status qn_times_collect(struct qn_times *, struct qn_device *);

#endif
