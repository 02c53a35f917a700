/* SPDX-License-Identifier: Apache-2.0
 * Fitting: rounds of planning with one pass over the data between them. */
#ifndef QN_FIT_H
#define QN_FIT_H

#include "host/pipeline/feed.h"
#include "host/pipeline/frame.h"
#include "host/pipeline/labels.h"
#include "host/pipeline/weights.h"
#include "host/stats/draw.h"

/* A fitted pipeline: the spec, the input's schema, and a plan whose estimators have learned. */
struct quern_model {
    struct qn_spec *spec;
    struct quern_table *schema; /* names and types; owned */
    struct qn_plan *plan;
    struct qn_plan
        *learned; /* of a sparse fit: what the attributes and warnings live in, or NULL */
    struct qn_program
        program;           /* of the last layer, in the plan's arena; slot types: the output's */
    quern_type dtype;      /* of the output matrix; STRING when string columns are among it */
    int sparse;            /* scikit-learn would give a sparse matrix */
    const char **warnings; /* in the plan's arena */
    uint32_t n_warnings;
};

/* What a fit leaves behind for a transform of the same table: codes of raw columns, and the frame of
 * layer 0 with the data on the device. Only for tables in memory that were handled whole. */
struct qn_fit_rest {
    struct qn_raw_codes *raw;
    uint32_t n_raw;
    struct qn_frame frame;
    int has_frame;
};

/* Takes the spec. feed: whole or chunked; device: of the context, or the CPU. rest may be NULL. */
quern_status qn_fit(struct quern_context *, struct qn_spec *spec, const struct quern_table *schema,
                    struct qn_feed *, struct qn_fit_rest *rest, struct quern_model **out);
void qn_fit_rest_free(struct quern_context *, struct qn_fit_rest *);

/* A fit whose statistics are there already: `known` fills in `found` of each step of the plan that has
 * `needs`, for the one round that there is. Takes the spec. */
typedef void qn_known_fn(void *user, struct qn_plan *plan);
quern_status qn_fit_known(struct quern_context *, struct qn_spec *spec,
                          const struct quern_table *schema, uint64_t rows, int weighted,
                          qn_known_fn *known, void *user, struct quern_model **out);

/* The plan is complete: the final program, output dtype. Used by the model loader too. */
quern_status qn_model_finish(struct quern_model *);
void qn_model_free(struct quern_model *);
quern_status qn_schema_copy(const struct quern_table *, struct quern_table **out);

/* One pass for everything that the plan's steps asked for (host/pipeline/pass.c). */
struct qn_fit_state {
    struct qn_exec x;
    struct qn_feed *feed;
    struct qn_plan *plan;
    int whole; /* the table is handled in one piece */
    struct qn_fit_rest *rest;
    struct qn_fit_rest own;
    struct qn_frame later; /* frame of a later layer, in whole mode */
    uint32_t later_layer;
    int has_later;
    struct qn_categories **sets; /* per table column */
    uint32_t n_columns;
    struct qn_categories **derived; /* sets made for a round, freed with the fit */
    uint32_t n_derived, room_derived;
    struct qn_labels labels;
    struct qn_draws *draws; /* of this round (host/pipeline/drawn.c), or NULL */
    uint32_t *codes;        /* of all rows' targets, where a step wants them */
    double *numbers;
    double *weights;            /* … rows, where a step looks at each */
    struct qn_rows_read *reads; /* [step], of this round (host/pipeline/rows.c), or NULL */
};
quern_status qn_fit_pass(struct qn_fit_state *);
/* … and what steps that look at each row read (host/pipeline/rows.c), until they have learned; end in any
 * case. */
quern_status qn_fit_rows_begin(struct qn_fit_state *);
void qn_fit_rows_end(struct qn_fit_state *);
/* … and the most frequent values, of a table in memory (host/pipeline/modes.c). */
quern_status qn_fit_modes(struct qn_fit_state *);
/* The weights of all rows, which come in chunks: read once, kept as the state's. */
quern_status qn_fit_weights(struct qn_fit_state *);
/* … and those that depend on some rows alone (host/pipeline/drawn.c). Which rows is found while others are
 * taken: begin before the pass; end, in any case, when the round has been learned from. */
quern_status qn_draws_begin(struct qn_fit_state *);
quern_status qn_fit_drawn(struct qn_fit_state *);
const struct qn_frame *qn_drawn_frame(const struct qn_fit_state *, const struct qn_plan_step *);
void qn_draws_end(struct qn_fit_state *);
/* A generator for a step's draws: that of the table, or a new one; and what became of it. */
quern_status qn_draw_begin(const struct qn_draw *, const uint32_t *state, struct qn_twister *);
void qn_draw_end(const struct qn_draw *, uint32_t *state, const struct qn_twister *);
/* … and all rows' targets (host/pipeline/targets.c). */
quern_status qn_fit_targets(struct qn_fit_state *);
/* Statistics are taken in floats: the port as one whose values are float32 or float64. */
quern_status qn_float_port(struct qn_arena *, const struct qn_port *in, struct qn_port *out);
/* The frame of the present layer over a chunk; in whole mode it is kept. */
quern_status qn_fit_frame(struct qn_fit_state *, const struct quern_table *, uint64_t first_row,
                          struct qn_frame **out, struct qn_frame *scratch);

#endif
