/* SPDX-License-Identifier: Apache-2.0
 * Random columns of every type, and an oracle of their categories: sorted distinct values with counts,
 * found by comparing, without quern's help. Failures end the test. */
#ifndef QN_CATEGORIES_ORACLE_H
#define QN_CATEGORIES_ORACLE_H

#include "host/stats/categories.h"

enum { ROWS_MOST = 40000, TEXT_MOST = 100 };

/* One value in a form that the oracle compares without quern's help. */
struct value {
    int missing;
    double f;        /* floats */
    int64_t i;       /* integers up to int64, bool, datetime */
    uint64_t u;      /* uint64 */
    uint64_t length; /* strings */
    char text[TEXT_MOST];
};

struct sample {
    quern_type type;
    uint64_t rows;
    struct value *values;
    quern_column column;
    char *data;
    int64_t *offsets64;
    int32_t *offsets32;
    uint8_t *validity;
};

struct shape {
    quern_type type;
    uint64_t rows, distinct;
    int style, missing_percent, wide, strided;
};

struct oracle {
    const struct value **distinct; /* sorted */
    uint64_t *rows;
    uint32_t count;
    uint64_t missing;
    uint32_t *codes; /* of the sample's rows */
};

/* Random numbers, the same for the same seed. */
void draw_from(uint64_t seed);
uint64_t draw(uint64_t below);
void sample_make(struct sample *s, const struct shape *shape);
void sample_free(struct sample *s);
quern_column cut(const struct sample *s, uint64_t first);
void oracle_make(struct oracle *o, const struct sample *s);
void oracle_free(struct oracle *o);
void check_set(const struct qn_categories *set, const struct oracle *o, quern_type type,
               uint64_t times);
quern_type code_type(uint32_t count);
void check_codes(const void *codes, quern_type type, const struct oracle *o, uint64_t rows);

#endif
