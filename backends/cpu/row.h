/* SPDX-License-Identifier: Apache-2.0
 * The evaluator of single rows: its contract stands among the operations. */
#ifndef QN_CPU_ROW_H
#define QN_CPU_ROW_H

#include "host/ops/row.h"

#endif
