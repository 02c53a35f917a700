/* SPDX-License-Identifier: Apache-2.0
 * The plan of a pipeline: layers of fused programs, from the input's columns to the output's.
 *
 * A layer takes columns and gives columns; inside a layer nothing is materialised. Most pipelines are
 * one layer. A new one starts where an estimator must see what a row-wise or a one-hot step made
 * (Normalizer then StandardScaler, a chain in `then` over one-hot columns): the outputs of the layer
 * before become packed columns, chunk by chunk.
 *
 * The same code plans a fit and a loaded model. It goes round by round: every step proceeds until its
 * next estimator wants statistics; the fit then makes one pass for all of them (host/pipeline/fit.c),
 * the estimators learn, and the next round begins. A loaded model already has the attributes, so that
 * all rounds happen at once. */
#ifndef QN_PLAN_H
#define QN_PLAN_H

#include "host/pipeline/spec.h"

/* An operation over whole rows between two layers: columns [first_in, first_in + op->n_in) of the
 * later one's inputs make columns [first_out, first_out + op->n_out). */
struct qn_layer_rows {
    const struct qn_rows_op *op;
    uint32_t first_in, first_out;
};

struct qn_layer {
    /* Columns: the table's for layer 0; else the outputs of the layer before, and what the operations
     * over rows make of them. */
    uint32_t n_inputs;
    const quern_type *input_types;
    struct qn_layer_rows *rows; /* they run before the layer, in this order */
    uint32_t n_rows;
    struct qn_encoding *encodings; /* code columns, lane sources n_inputs … */
    uint32_t n_encodings, room_encodings;
    struct qn_norm_desc *norms; /* kind and order; lanes are known when the program is made */
    uint32_t n_norms, room_norms;
    const struct qn_port *outputs; /* number ports only */
    uint32_t n_outputs;
};

/* One step of the spec, the remainder, or `then`, on its way through the rounds. */
struct qn_plan_step {
    const char *name;  /* prefix, or NULL */
    const char *where; /* "steps[0]", "remainder", "then" */
    const struct qn_estimator *apply;
    uint32_t n_apply, at;   /* at: the next estimator */
    struct qn_attrs *attrs; /* n_apply */
    quern_type *learned;    /* n_apply: the dtype that each estimator's numbers were learned in */
    uint32_t *columns;      /* table columns */
    uint32_t n_columns;
    struct qn_port *ports;
    uint32_t n_ports;
    int rows_order;        /* QN_ORDER_* */
    int object;            /* strings are among the columns */
    int emptied;           /* an estimator left no column of them; the array without columns … */
    quern_type empty_type; /* … still has a dtype, which counts where blocks are joined */
    struct qn_need *needs; /* of the estimator at `at`, one per probe; NULL: none asked for yet */
    struct qn_found *found;
    const struct qn_port *probes; /* the ports to take statistics of: its own, or others */
    uint32_t n_probes;
    struct qn_draw draw; /* which rows they are of, where they say QN_NEED_DRAWN */
    void *memory;        /* what the estimator keeps while it learns in several rounds */
    const struct qn_rows_source
        *source;           /* of the probes' rows, where that was asked for; the fit's */
    const double *weights; /* of these rows, where they have any; the fit's */
    const uint32_t *codes; /* of all rows' targets, where that was asked for; the fit's */
    uint32_t n_classes;
    const double *numbers;
    const struct qn_rows_op *op; /* gives the ports that have no chain, in the next layer */
    const struct qn_port *op_in;
};

struct qn_plan {
    struct qn_arena arena;
    const struct qn_spec *spec;
    struct quern_table *schema; /* the input's names and types, no data; not owned */
    struct qn_plan_step *steps; /* the spec's, then the remainder, then `then` */
    uint32_t n_steps, n_blocks; /* n_blocks: without `then` */
    struct qn_layer *layers;    /* the last is the one being planned */
    uint32_t n_layers, room_layers;
    int joined_sparse;  /* the joined blocks are sparse in scikit-learn's eyes: what `then` meets */
    int decided_sparse; /* the output is sparse */
    int weighted;       /* the fit's rows have weights */
    int supervised;     /* ... a target */
    uint64_t rows;      /* of the fit, for the sparse decision */
    struct qn_threads *threads;    /* of the fit, for estimators that work on matrices; or NULL */
    struct qn_plan_step *emitting; /* whose estimator is asked for its outputs now */
    const uint64_t *stored; /* the fit of a sparse table: entries of each column; else NULL */
    /* The fit's passes over its rows, in memory (host/pipeline/plan_passes.h): what each takes. */
    uint32_t *passes;
    uint32_t n_passes, room_passes;
    int passes_known; /* 0 while it is planned, and of models whose file does not say it */
    uint8_t *counted; /* [table column] whose distinct values a pass has counted */
    /* the result */
    struct qn_port *outputs;
    uint32_t n_outputs;
    int has_raw;      /* string or datetime columns among the outputs: no matrix */
    quern_type dtype; /* of the joined matrix; STRING when has_raw */
    uint8_t *used;    /* table columns that any step reads */
    void (*warn)(void *user, const char *text);
    void *user;
    quern_status (*go_on)(void *context); /* of the fit; NULL: nobody asks it to stop */
    void *context;
    /* A loaded model: puts the attributes of the step's next estimator in place. */
    quern_status (*attributes)(void *user, struct qn_plan *, struct qn_plan_step *);
    void *attributes_user;
};

/* Starts a plan. schema: names and types of the table (rows and data do not matter); it and spec
 * outlive the plan. is_matrix of the schema decides the order of row norms. */
quern_status qn_plan_open(const struct qn_spec *, struct quern_table *schema, struct qn_plan **out);
void qn_plan_close(struct qn_plan *);
/* The plan of a spec whose estimators have what those of another plan of it learned. schema decides what
 * the input is now: sparse or not. decided_sparse: as the other's fit found. */
quern_status qn_plan_again(const struct qn_plan *learned, struct quern_table *schema,
                           int decided_sparse, struct qn_plan **out);
/* A plan of no spec: one layer over the schema's columns, for programs that are made by hand. */
quern_status qn_plan_bare(struct quern_table *schema, struct qn_plan **out);
/* The port of a table column, in the plan's arena. */
quern_status qn_plan_port(struct qn_plan *, uint32_t column, struct qn_port *port);

/* Proceeds until statistics are needed (*pending = 1: steps with `needs` set) or everything is
 * planned (*pending = 0). attributes_known: a loaded model. */
quern_status qn_plan_round(struct qn_plan *, int attributes_known, int *pending);
/* After the pass: the estimators that asked learn and emit. */
quern_status qn_plan_learn(struct qn_plan *);

struct qn_layer *qn_plan_layer(struct qn_plan *); /* the current one */

/* ---- programs ---- */

struct qn_program_lane {
    uint32_t source, work, first_op, n_ops;
    int refuse_nan, refuse_unknown;
    const char *blame;
    const struct qn_chain *chain;
};
struct qn_program_slot {
    uint32_t lane, match;
    quern_type type;
};
struct qn_program {
    struct qn_program_lane *lanes;
    struct qn_program_slot *slots; /* one per port */
    struct qn_op *ops;
    uint64_t *words;
    struct qn_norm_desc *norms;
    uint32_t n_lanes, n_slots, n_ops, n_words, n_norms;
    uint32_t n_operands; /* behind the lanes, in the same array                               */
};

/* The program that computes these number ports of a layer. Made in the arena. types: stored type per
 * port, or NULL for each port's own. */
quern_status qn_program_make(struct qn_arena *, const struct qn_layer *,
                             const struct qn_port *ports, uint32_t n_ports, const quern_type *types,
                             struct qn_program *out);

#endif
