/* SPDX-License-Identifier: Apache-2.0
 * Estimators are descriptors: one table entry each, from which the C API, the spec checker,
 * `quern list`, the Python signatures and the reference pages all come. An estimator's code is a few
 * functions over ports (host/estimators/port.h):
 *
 *   check   parameters that must agree with each other
 *   need    which statistics of which input ports a fit wants
 *   learn   statistics -> learned attributes
 *   emit    parameters + attributes + input ports -> output ports
 *   invert  the same backwards, for inverse_transform; NULL where there is no way back
 *
 * They compute no data and know no device. emit is all that a loaded model runs, so that a model
 * holds parameters and attributes and nothing else. */
#ifndef QN_ESTIMATOR_H
#define QN_ESTIMATOR_H

#include <jansson.h>

#include "host/estimators/attrs.h"
#include "host/estimators/port.h"
#include "host/stats/moments.h"
#include "host/stats/quantiles.h"
#include "kernels/powers.h"
#include "kernels/rows.h"

/* ---- parameters ---- */
enum qn_param_kind {
    QN_PARAM_BOOL,
    QN_PARAM_INT,        /* in [least, most] */
    QN_PARAM_FLOAT,      /* in [least, most] */
    QN_PARAM_CHOICE,     /* one of `choices`, separated by | */
    QN_PARAM_PAIR,       /* two numbers */
    QN_PARAM_DTYPE,      /* a NumPy dtype name */
    QN_PARAM_SCALAR,     /* number, string or null; "nan" is NaN */
    QN_PARAM_FREQUENCY,  /* null, an integer >= 1, or a fraction in (0, 1) */
    QN_PARAM_COUNT,      /* null or an integer >= 1 */
    QN_PARAM_SEED,       /* null or an integer below 2^32 */
    QN_PARAM_AMOUNT,     /* a number >= 0, or "all" */
    QN_PARAM_INTS,       /* an integer from `least` on, or one per column */
    QN_PARAM_FLOATS,     /* null (as the input is), "float32" or "float64" */
    QN_PARAM_CATEGORIES, /* "auto" or one list per column */
    QN_PARAM_DEGREE,     /* an integer, or two, in [least, most] */
    QN_PARAM_KNOTS,      /* one of `choices`, or a list of lists of numbers */
    QN_PARAM_DROP,       /* null, "first", "if_binary", or one value per column */
    QN_PARAM_EXPRESSION, /* null or a text; most 2: or a list of them, or {name: text} */
    QN_PARAM_MAYBE,      /* null, true or false */
    QN_PARAM_SCORE,      /* one of `choices`, or {that: {its options}} */
    QN_PARAM_AUTO_BOOL,  /* true, false or "auto" */
    QN_PARAM_AUTO_FLOAT, /* a number in [least, most], or "auto" */
    QN_PARAM_NUMBERS,    /* null, a number, or one of these per column */
    QN_PARAM_EDGES /* null, a list of numbers, or one list per column; null at an end: no end */
};

struct qn_param {
    const char *name;
    enum qn_param_kind kind;
    const char *initial; /* JSON text of the default */
    const char *choices;
    double least, most;
    const char *doc; /* one line */
};

/* ---- statistics ---- */
enum {
    QN_NEED_MOMENTS = 1,
    QN_NEED_EXTREMES = 2, /* and the count of values that are not missing */
    QN_NEED_QUANTILES = 4,
    QN_NEED_CATEGORIES = 8,
    QN_NEED_WEIGHTED = 16,  /* the moments of weighted rows */
    QN_NEED_SAMPLE = 32,    /* the curve of powers of the first QN_SAMPLE_ROWS rows */
    QN_NEED_ROWS = 64,      /* all rows of all ports: qn_stage.source */
    QN_NEED_CLASSES = 128,  /* the moments of each class that the target names */
    QN_NEED_PAIRS = 256,    /* the moments of pairs with the target's numbers */
    QN_NEED_CODES = 512,    /* all rows' classes: qn_stage.codes */
    QN_NEED_NUMBERS = 1024, /* all rows' targets as numbers: qn_stage.numbers */
    /* Quantiles and the source are of the rows that qn_stage.draw says, and qn_found.drawn are their
     * extremes; other statistics are still of all rows, but extremes may be any finite numbers where all
     * values are finite. Every port of the stage says so, or none. */
    QN_NEED_DRAWN = 2048,
    QN_NEED_MODE = 8192,  /* of numbers: qn_found.mode */
    QN_NEED_POWERS = 4096 /* the curve of powers (kernels/powers.h), at qn_need.powers */
};
enum { QN_SAMPLE_ROWS = 8192 };

struct qn_need {
    uint32_t flags;
    uint32_t n_quantiles;
    const double *percent; /* n_quantiles of them, in the stage's arena */
    enum qn_quantile_method method;
    int median;                 /* the first quantile is the median, as NumPy computes it */
    int masked_median;          /* … as numpy.ma.median does */
    struct qn_powers_at powers; /* QN_NEED_POWERS, QN_NEED_SAMPLE */
    int as_f32;                 /* quantiles in float32 arithmetic, as the input's dtype has them */
};

/* Which rows: as sklearn.utils.resample draws them (host/stats/draw.h). */
struct qn_draw {
    uint64_t n;   /* fewer than there are; of a sparse column, of its entries. 0: all rows */
    int replace;  /* they may come more than once, and go by weights, if there are any */
    int64_t seed; /* -1: goes on with the table's generator; as 0, if it has none */
};

struct qn_found {
    uint64_t rows;  /* all rows, missing ones too */
    uint64_t count; /* rows that are not missing, whatever statistic told it */
    int has_moments, has_extremes;
    struct qn_node moments; /* of the rows, or of the weighted rows: what was asked for */
    struct qn_extremes extremes;
    struct qn_extremes drawn;               /* QN_NEED_DRAWN: of those rows */
    const double *quantile;                 /* n_quantiles of them */
    const struct qn_categories *categories; /* of the port's values; lives as long as the fit */
    double mode; /* QN_NEED_MODE: the least of the most frequent values, NaN without any */
    /* Sparse tables: `count` and all statistics have the zeros that are not stored. */
    int sparse;
    uint64_t stored; /* values that are stored and not missing */
    /* The moments of the rows of each class, by the sorted values of the target. */
    const struct qn_node *classes; /* lives as long as the fit */
    uint32_t n_classes;
    struct qn_pair pair;          /* QN_NEED_PAIRS */
    struct qn_powers_node powers; /* QN_NEED_POWERS, QN_NEED_SAMPLE */
};

/* What is known of a port without looking: an imputer's output, from its input's statistics. */
struct qn_known {
    int has_moments, has_extremes;
    struct qn_node moments;
    struct qn_extremes extremes;
};

/* The values of all rows that a fit learns from, for estimators that must look at each: read as often as is
 * wanted, and held by none but those. */
typedef quern_status qn_rows_fn(void *user, const double *rows, uint64_t first, uint64_t n);
struct qn_rows_source {
    void *user;
    uint64_t rows;
    uint32_t at_once; /* so many columns are held at a time where each is wanted as a whole */
    /* Calls `body` with [n][n_ports] values of ports [first, first + n_ports), for runs of rows in their
     * order; missing is NaN. By the caller's thread. */
    quern_status (*walk)(void *user, uint32_t first, uint32_t n_ports, qn_rows_fn *body,
                         void *body_user);
    /* 1 if the cells of all the stage's inputs lie in host memory as numbers, such that a value that is not
     * missing is the cell: where they do. Their shifts stay. */
    int (*in_place)(void *user, struct qn_filled_column *out);
};

/* ---- one estimator in a pipeline ---- */

/* What the plan must know of a type beside its functions. */
enum {
    QN_TRAIT_STATELESS = 1,  /* it learns nothing */
    QN_TRAIT_MERGES = 2,     /* it learns from moments and extremes alone, which merge */
    QN_TRAIT_COUNTS = 4,     /* it may want the distinct values of its inputs */
    QN_TRAIT_AFTER_NORM = 8, /* it works on rows that a norm divided, in the same layer */
    QN_TRAIT_FINDS = 16      /* its FIND refuses what it does not know; none comes before it */
};

struct qn_estimator_type;
struct qn_estimator {
    const struct qn_estimator_type *type;
    json_t *params; /* object with every parameter, in the order of the table */
};

/* What the functions work on. */
struct qn_stage {
    struct qn_arena *arena; /* lives as long as the plan */
    const struct qn_estimator *estimator;
    struct qn_attrs *attrs;
    const struct qn_port *in;
    uint32_t n_in;
    struct qn_port *out; /* emit, invert: made in the arena */
    uint32_t n_out;
    struct qn_need *need;         /* need: n_in, zeroed; or as many as qn_stage_probes was told */
    const struct qn_found *found; /* learn: as many as `need` */
    uint32_t n_probes;            /* need: 0, or what qn_stage_probes was told */
    uint64_t rows;                /* need, learn: of the fit */
    struct qn_draw draw;          /* need: sets it with QN_NEED_DRAWN; learn: as it was set */
    int sparse;                   /* need: the fit's table is sparse */
    void *memory; /* need, learn: what the estimator keeps from one to the next; in the arena */
    int again;    /* learn: 1 if `need` is to be asked once more, before emit */
    const struct qn_rows_source *source; /* learn, QN_NEED_ROWS */
    const double *weights;               /* … of its rows, where they have any */
    const uint32_t *codes;               /* learn, QN_NEED_CODES: below n_classes, by value */
    uint32_t n_classes;
    const double *numbers;    /* learn, QN_NEED_NUMBERS: finite */
    quern_type learned;       /* invert: FLOAT32 or FLOAT64, as NumPy would hold the attributes */
    int rows_in_memory_order; /* QN_ORDER_*: how the step's input lies in memory */
    int weighted;             /* the fit's rows have weights */
    int supervised;           /* they have a target */
    int object;               /* the step's columns would be an object array in NumPy */
    void *plan;               /* for the two below */
    quern_status (*add_encoding)(void *plan, uint32_t source, struct qn_categories *lookup,
                                 const struct qn_chain **out);
    quern_status (*add_norm)(void *plan, uint32_t kind, uint32_t order, int64_t *out);
    /* The step's outputs without a chain are, in their order, those of an operation over rows, whose
     * inputs are the ports `in` (op->n_in, of op->type). Ends the layer. */
    quern_status (*add_rows)(void *plan, const struct qn_rows_op *op, const struct qn_port *in);
    /* learn: by all threads of the context, of which there are so many */
    uint32_t workers;
    quern_status (*gram)(void *plan, const struct qn_gram *);
    quern_status (*predict)(void *plan, const struct qn_prediction *);
    quern_status (*information)(void *plan, const struct qn_information *);
    void (*warn)(void *plan, const char *text);
    quern_status (*go_on)(void *plan); /* learn, in long work: CANCELLED when the caller asks */
};

struct qn_estimator_type {
    const char *name, *doc;
    const struct qn_param *params;
    uint32_t n_params;
    const char *attributes; /* names of the learned attributes, separated by spaces */
    const char *whole;      /* … those of them that are whole numbers; NULL: none */
    const char
        *lists; /* … those whose lengths the estimator checks; NULL: all have one per input */
    const char *matrices; /* … and of the learned matrices; NULL: none */
    const char *text;  /* … and of a list of strings that it has learned for some inputs; NULL */
    const char *input; /* "number", "any" */
    int joins;         /* its output columns depend on several input columns */
    uint32_t traits;   /* QN_TRAIT_* */
    /* QN_NEED_*: statistics that an estimator before it, one that says of its outputs what is known
     * (tells_known), takes in its own pass, so that this one needs none. */
    uint32_t ahead;
    int tells_known;
    /* 1 when, with these parameters, it does what QN_TRAIT_MERGES says; NULL: it never does. */
    int (*merges)(const struct qn_estimator *);
    /* 1 when missing values that reach it are an error; NULL: they never are. */
    int (*refuses_missing)(const struct qn_estimator *);
    /* How many values a sparse block of its `columns` outputs stores; NULL: all. */
    double (*stored)(const struct qn_estimator *, const struct qn_attrs *, uint64_t rows,
                     uint32_t columns);
    /* Those without which emit cannot do, separated by spaces; NULL: none. */
    const char *(*depends_on)(const struct qn_estimator *);
    quern_status (*check)(const struct qn_estimator *);
    quern_status (*need)(struct qn_stage *);
    quern_status (*learn)(struct qn_stage *);
    quern_status (*emit)(struct qn_stage *);
    quern_status (*invert)(struct qn_stage *);
};

/* The table, in alphabetical order. */
const struct qn_estimator_type *const *qn_estimator_types(uint32_t *count);

/* Checks names, kinds and ranges; fills in the defaults. `given` may be NULL (all defaults); it is
 * borrowed. `where` is the place in the spec, for messages: "steps[0].apply[1]". */
quern_status qn_estimator_make(const char *where, const char *name, const json_t *given,
                               struct qn_estimator *out);
void qn_estimator_clear(struct qn_estimator *);

/* ---- reading parameters ---- */
const json_t *qn_param(const struct qn_estimator *, const char *name);
int qn_param_bool(const struct qn_estimator *, const char *name);
double qn_param_f64(const struct qn_estimator *, const char *name);
const char *qn_param_text(const struct qn_estimator *, const char *name);
int qn_param_is(const struct qn_estimator *, const char *name, const char *choice);
/* What a step draws by its parameters `subsample` and `random_state`, of so many rows: n is 0 where it takes
 * all of them. */
struct qn_draw qn_param_draw(const struct qn_estimator *, uint64_t rows);
/* A JSON number, or null or "nan" for NaN. 1 if it is one of these. */
int qn_json_number(const json_t *, double *out);
quern_status qn_dtype_parse(const char *text, quern_type *out); /* "float32" -> QUERN_FLOAT32 */

/* ---- shared pieces ---- */
/* For refuses_missing: they always are. */
int qn_refuses_missing(const struct qn_estimator *);
/* need: statistics of n ports of the estimator's own, in `out`, rather than of its inputs. */
quern_status qn_stage_probes(struct qn_stage *, uint32_t n);
/* need: the median of what is not missing too, as numpy.ma.median gives it (imputer.c). */
void qn_need_median(struct qn_need *, quern_type type);
/* Gives the stage n ports for output, zeroed. */
quern_status qn_stage_outputs(struct qn_stage *, uint32_t n);
/* UNSUPPORTED where an input is sparse; advice: what to do instead. */
quern_status qn_stage_refuse_sparse(const struct qn_stage *, const char *advice);
/* The dtype that scikit-learn computes a numeric step in: NumPy's joint dtype of the ports if that is
 * a float, else float64 when `to_float`. Raw ports: QUERN_UNSUPPORTED with the name. */
quern_status qn_stage_dtype(const struct qn_stage *, int to_float, quern_type *out);
/* The port with its chain converted to `type`'s working type. */
quern_status qn_port_convert(struct qn_stage *, const struct qn_port *in, quern_type type,
                             struct qn_port *out);
/* The same, always by an op and never by the load: values are rounded where they are. */
quern_status qn_port_convert_op(struct qn_stage *, const struct qn_port *in, quern_type type,
                                struct qn_port *out);
/* Marks the chain: missing values that reach this estimator are an error. */
quern_status qn_port_refuse_nan(struct qn_stage *, struct qn_port *);
quern_status qn_stage_memory(const struct qn_stage *); /* the out-of-memory error */

extern const struct qn_estimator_type qn_binarizer, qn_bucketizer, qn_clipper, qn_cyclical_features,
    qn_function_transformer, qn_generic_univariate_select, qn_iterative_imputer,
    qn_k_bins_discretizer, qn_kernel_centerer, qn_knn_imputer, qn_max_abs_scaler,
    qn_mean_normalization_scaler, qn_min_max_scaler, qn_missing_indicator, qn_normalizer,
    qn_one_hot_encoder, qn_ordinal_encoder, qn_polynomial_features, qn_power_transformer,
    qn_quantile_transformer, qn_robust_scaler, qn_select_fdr, qn_select_fpr, qn_select_fwe,
    qn_select_k_best, qn_select_percentile, qn_simple_imputer, qn_spline_transformer,
    qn_standard_scaler, qn_variance_threshold, qn_winsorizer, qn_passthrough;

#endif
