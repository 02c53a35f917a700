/* SPDX-License-Identifier: Apache-2.0
 * Learned attributes of one fitted estimator, under scikit-learn's names. They are all that a model
 * stores beside the spec: the program follows from parameters, attributes and types. */
#ifndef QN_ATTRS_H
#define QN_ATTRS_H

#include "host/core/arena.h"
#include "host/data/table.h"
#include "host/stats/categories.h"

enum qn_attr_kind {
    QN_ATTR_F64,    /* n doubles                                                                  */
    QN_ATTR_I64,    /* n int64                                                                    */
    QN_ATTR_TEXT,   /* n cells, each a string (or NULL for missing)                               */
    QN_ATTR_VALUES, /* n lists of sorted values: categories                                      */
    QN_ATTR_MATRIX  /* rows * n doubles, row-major                                               */
};

/* Sorted distinct values of one column, missing last. */
struct qn_values {
    quern_type type; /* FLOAT32, FLOAT64, INT64, BOOL, DATETIME or STRING                         */
    uint32_t count;  /* without the missing one                                                   */
    int missing;     /* 1: a missing category follows the values                                  */
    const double *f64;      /* FLOAT32 and FLOAT64                                               */
    const int64_t *i64;     /* INT64, BOOL, DATETIME                                             */
    const int64_t *offsets; /* STRING: count + 1                                                 */
    const char *text;
    const int64_t
        *rows; /* rows of each value at the fit (the missing one last), or NULL; not saved */
};

struct qn_attr {
    const char *name;
    enum qn_attr_kind kind;
    uint32_t n;    /* MATRIX: columns */
    uint64_t rows; /* MATRIX */
    const double *f64;
    const int64_t *i64;
    const char *const *text;
    const struct qn_values *values;
    struct qn_attr *next;
};

struct qn_attrs {
    struct qn_arena *arena;
    struct qn_attr *first, *last;
};

/* Adding: the array is made in the arena and returned for filling; NULL on exhaustion. */
double *qn_attrs_f64(struct qn_attrs *, const char *name, uint32_t n);
int64_t *qn_attrs_i64(struct qn_attrs *, const char *name, uint32_t n);
const char **qn_attrs_text(struct qn_attrs *, const char *name, uint32_t n);
double *qn_attrs_matrix(struct qn_attrs *, const char *name, uint64_t rows, uint32_t columns);
struct qn_values *qn_attrs_values(struct qn_attrs *, const char *name, uint32_t n);
const struct qn_attr *qn_attrs_find(const struct qn_attrs *, const char *name); /* or NULL */

/* values <-> sets. rows are filled in when the set was counted. */
quern_status qn_values_from(struct qn_arena *, const struct qn_categories *, struct qn_values *out);
quern_status qn_values_set(const struct qn_values *, struct qn_categories **out);

/* As Python's str() writes a category in a feature name. objects: the categories became an object array
 * (they were joined with a word), so that float32 and datetime64 values are Python objects. */
char *qn_values_format(struct qn_arena *, const struct qn_values *, uint32_t code, int objects);

#endif
