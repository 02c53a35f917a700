/* SPDX-License-Identifier: Apache-2.0
 * A port is one column on its way through a step: where it comes from and what has been done to it so
 * far. Estimators take ports and give ports; nothing is computed until a program is made of them.
 *
 * A number port carries a chain of program ops (kernels/program.h). A raw port is a column of cells
 * that processors do not compute with (strings, datetimes): imputers add fills to it, and an encoder
 * turns it into a number port over a code column. */
#ifndef QN_PORT_H
#define QN_PORT_H

#include "host/core/arena.h"
#include "host/data/table.h"
#include "host/stats/categories.h"
#include "kernels/program.h"

/* One op of a chain before the program's word table exists. FIND, REMAP, VALUE and BIN ... SPLINE bring
 * a table; words[0] of SPLINE is the number of its function. */
struct qn_chain_op {
    uint32_t code, work;
    uint64_t words[2];     /* parameters as the bits of doubles or int64                         */
    const uint64_t *table; /* or NULL                                                            */
    uint32_t n_table;
    const struct qn_chain *operand; /* TAKE */
};

/* Immutable once made; ports with the same chain share one lane. */
struct qn_chain {
    uint32_t source;    /* input column; from `n_columns` on: code columns (struct qn_encoding)   */
    uint32_t load_work; /* QN_W_* of the load                                                     */
    uint32_t work;      /* QN_W_* at the end                                                      */
    uint32_t n_ops;
    const struct qn_chain_op *ops;
    int has_norm;
    int joins;    /* takes in other columns: no operand itself                                    */
    int64_t norm; /* norm group, or -1                                                           */
    /* What the plan must check while it runs, and who is to blame in the message. */
    int refuse_nan, refuse_unknown;
    int refuse_missing_code; /* code columns: a missing cell is an unknown one */
    int refuse_infinite;     /* although no op looks at the value: whole rows are computed with */
    int takes_infinite;      /* although ops look at the value: expressions                     */
    int unseen;              /* it may be infinite, and nobody has looked yet */
    const char *looker;      /* who refuses what is infinite behind a LOOK    */
    int computed; /* by an expression: missing is not what was missing where it was loaded */
    /* what a value is that a FIND or SPLINE of this chain or of an operand does not know, and that
     * is refused: "a missing value, …"; NULL: refuse_unknown tells */
    const char *unknown;
    const char *blame;
};

/* Raw cells equal to `match` (NULL: missing cells) read as `text`. Datetimes are not filled. */
struct qn_raw_fill {
    const char *match;
    uint64_t match_bytes;
    const char *text;
    uint64_t text_bytes;
    const struct qn_raw_fill *before; /* applied earlier */
};

/* Statistics of a port that follow from those of an earlier pass. */
struct qn_known;

struct qn_port {
    const char *name;
    quern_type type; /* NumPy's dtype of the values now: STRING and DATETIME only for raw ports  */
    int raw;
    uint32_t source;                /* raw: input column                                         */
    uint32_t column;                /* of the table: where the port begins                        */
    const struct qn_raw_fill *fill; /* raw: the last fill                                        */
    const struct qn_chain *chain;   /* number; NULL: what an operation over rows will give       */
    uint32_t match;                 /* column of a one-hot block, or QN_MATCH_VALUE              */
    int may_nan;                    /* a missing value may still be there                        */
    int sparse; /* from sparse input, or an estimator whose output is sparse in scikit-learn  */
    int drops_zeros; /* sparse: zeros that it gives are not stored                                 */
    int constant; /* sparse: stored in every row, whatever the column holds                     */
    const struct qn_known *known;
};

/* A code column that the plan must make: the codes of a raw input column in `lookup`. */
struct qn_encoding {
    uint32_t source; /* raw input column                                                         */
    struct qn_categories *lookup;
    quern_type type; /* UINT8, UINT16 or UINT32: holds count + 1                                  */
};

/* New chain = chain + op; NULL on exhaustion. work_after: QN_W_* that the op leaves behind. */
const struct qn_chain *qn_chain_add(struct qn_arena *, const struct qn_chain *, uint32_t code,
                                    uint64_t p0, uint64_t p1, uint32_t work_after);
const struct qn_chain *qn_chain_add_table(struct qn_arena *, const struct qn_chain *, uint32_t code,
                                          const uint64_t *table, uint32_t n, uint32_t work_after);
/* SPLINE: function `number` of a table. */
const struct qn_chain *qn_chain_add_spline(struct qn_arena *, const struct qn_chain *,
                                           const uint64_t *table, uint32_t n, uint32_t number);
/* New chain = chain JOIN_* operand: `join` says which. The operand is of the chain's type, F32 or F64,
 * and takes in nothing itself. */
const struct qn_chain *qn_chain_add_join(struct qn_arena *, const struct qn_chain *, uint32_t join,
                                         const struct qn_chain *operand);
struct qn_chain *qn_chain_copy(struct qn_arena *, const struct qn_chain *);
/* A chain that only loads. */
const struct qn_chain *qn_chain_source(struct qn_arena *, uint32_t source, uint32_t work);

/* What a cell reads as after the fills; *text NULL: missing. */
void qn_raw_fill_apply(const struct qn_raw_fill *fill, const char **text, uint64_t *bytes);

uint64_t qn_word_f64(double value);
uint64_t qn_word_i64(int64_t value);
double qn_f64_word(uint64_t word);

/* The working type in which values of a dtype are computed: F32, F64 or I64 (bool: I64). */
uint32_t qn_work_of(quern_type type);
/* NumPy's result_type for two dtypes of numbers or bool; STRING with anything: STRING. */
quern_type qn_result_type(quern_type a, quern_type b);

#endif
