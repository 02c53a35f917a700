/* SPDX-License-Identifier: Apache-2.0
 * Which cells count as missing, for SimpleImputer, MissingIndicator and the imputers of whole rows:
 * `missing_values` is null (NaN and empty cells), a number or a string. */
#ifndef QN_MISSING_H
#define QN_MISSING_H

#include "host/estimators/estimator.h"

struct qn_marker {
    int is_nan, is_text;
    double number;
    const char *text;
};

struct qn_marker qn_marker_of(const struct qn_estimator *);
/* UNSUPPORTED where an input is sparse and 0 the marker: the result would be dense. */
quern_status qn_marker_refuse_zero(const struct qn_stage *);
/* The number port in `type` with marked cells made NaN, so that statistics skip them. */
quern_status qn_marker_port(struct qn_stage *, const struct qn_port *in, quern_type type,
                            struct qn_port *out);
/* Cells of a raw port that are missing; *mode: its most frequent other value, ties going to the
 * smallest, or UINT32_MAX. */
void qn_marker_count(const struct qn_categories *, const struct qn_marker *, uint64_t *missing,
                     uint32_t *mode);
/* What a fit refuses of a raw port: another kind of marker, or missing cells beside the marked ones. */
quern_status qn_marker_check_raw(const struct qn_stage *, uint32_t i);
/* Adds to a number port's chain: 1 where the cell is marked, else 0, in the chain's working type. */
quern_status qn_marker_test(struct qn_stage *, struct qn_port *port);
/* Column i's indicator: 1 where the cell is missing, else 0. Number ports are of `type` then; of raw
 * ports it is a column of truth values. */
quern_status qn_marker_indicator(struct qn_stage *, uint32_t i, quern_type type,
                                 struct qn_port *out);

#endif
