/* SPDX-License-Identifier: Apache-2.0
 * For suites over the public interface: devices that are here, small tables, specs as text. */
#ifndef QN_PIPELINE_FIXTURE_H
#define QN_PIPELINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <quern/quern.h>

/* Fails with the library's own sentence. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        quern_status ok_ = (call);                                                                 \
        if (ok_ != QUERN_OK)                                                                       \
            fail_msg("%s: %s: %s", #call, quern_status_name(ok_), quern_last_error());             \
    } while (0)

/* A context on the device. Skips the test when it is absent, unless QUERN_REQUIRE names its backend:
 * then the test fails. */
quern_context *fixture_context(const char *device, int zero_copy);
quern_context *fixture_context_with(const char *device, quern_context_config *config);

quern_pipeline *fixture_pipeline(const char *spec);
quern_model *fixture_fit(quern_context *, const char *spec, const quern_table *);
/* Fails unless the models have the same bytes. */
void fixture_same_model(const quern_model *, const quern_model *, const char *what);

/* n × d values, `missing` of 1000 of them NaN; the same for the same seed. malloc'ed. */
float *fixture_f32(uint64_t rows, uint32_t columns, uint32_t missing, uint64_t seed);
double *fixture_f64(uint64_t rows, uint32_t columns, uint32_t missing, uint64_t seed);

/* A mixed table: two float64 columns (one with missing cells), an int64 column, a string column with
 * missing cells. Freed by fixture_mixed_free. */
struct fixture_mixed {
    quern_table *table;
    double *a, *b;
    int64_t *c;
    int32_t *offsets;
    char *text;
    uint8_t *valid;
    uint64_t rows;
};
void fixture_mixed(struct fixture_mixed *, uint64_t rows, uint64_t seed);
void fixture_mixed_free(struct fixture_mixed *);
/* The spec that goes with it: impute, scale, one-hot. */
extern const char fixture_mixed_spec[];

#endif
