/* SPDX-License-Identifier: Apache-2.0
 * A pipeline as the user wrote it: the JSON spec, checked word by word, or the same built by calls.
 * Nothing here knows data. docs/spec.md describes the format. */
#ifndef QN_SPEC_H
#define QN_SPEC_H

#include "host/core/arena.h"
#include "host/data/csv.h"
#include "host/estimators/estimator.h"

enum qn_select_kind {
    QN_SELECT_LIST,    /* names and positions */
    QN_SELECT_DTYPE,   /* number, string, bool, datetime, category */
    QN_SELECT_PATTERN, /* extended regular expression on the name */
    QN_SELECT_ALL      /* "*" */
};

struct qn_select_item {
    const char *name; /* or NULL: */
    int64_t position;
};

struct qn_select {
    enum qn_select_kind kind;
    const struct qn_select_item *items;
    uint32_t n_items;
    const char *word; /* the dtype word or the pattern */
};

struct qn_spec_step {
    const char *name;  /* NULL: no prefix */
    const char *where; /* "steps[2]" */
    struct qn_select select;
    struct qn_estimator *apply;
    uint32_t n_apply;
};

enum qn_sparse { QN_SPARSE_AUTO, QN_SPARSE_YES, QN_SPARSE_NO };

struct qn_spec {
    struct qn_arena arena;
    struct qn_csv_options input;
    const char *target, *weight; /* NULL: none */
    struct qn_spec_step *steps;
    uint32_t n_steps;
    int passthrough_remainder;
    struct qn_estimator *then;
    uint32_t n_then;
    int has_dtype;
    quern_type dtype; /* of the output, when has_dtype */
    enum qn_sparse sparse;
    double sparse_threshold;
    json_t *json;     /* as given, for the model file */
    const char *file; /* that it came from, for messages; or NULL */
};

/* name: for messages, the file's name. */
quern_status qn_spec_parse(const char *name, const char *text, size_t bytes, struct qn_spec **out);
quern_status qn_spec_load(const char *path, struct qn_spec **out);
void qn_spec_free(struct qn_spec *);

/* The columns of a step, in order, each once per mention. `where` for messages. */
quern_status qn_select_columns(const struct qn_select *, const char *where,
                               const struct quern_table *table, const char *target,
                               const char *weight, uint32_t **out, uint32_t *n);
/* The column of that name (or position for tables without names: "x3"), or -1. */
int64_t qn_table_find(const struct quern_table *, const char *name);
/* The error that there is no such column, with the nearest name. */
quern_status qn_table_lacks(const struct quern_table *, const char *where, const char *name);
/* The name of column i: its own, or "x<i>". */
const char *qn_table_name(struct qn_arena *, const struct quern_table *, uint32_t i);

#endif
