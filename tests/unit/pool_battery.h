/* SPDX-License-Identifier: Apache-2.0
 * What the pool promises on every driver. The battery opens device `index` itself; a failed promise
 * fails the cmocka test that called. */
#ifndef POOL_BATTERY_H
#define POOL_BATTERY_H

#include "host/device/driver.h"

void pool_battery(const struct qn_driver *driver, uint32_t index);

#endif
