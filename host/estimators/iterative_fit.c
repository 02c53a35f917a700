/* SPDX-License-Identifier: Apache-2.0
 * The rounds of IterativeImputer. scikit-learn factorises the observed rows of the other columns anew for
 * each column and round. Here the sums of products of all columns over all rows are kept up to date: those
 * of a column's observed rows are all of them less those of the rows where it is missing, and when its
 * missing cells change, only its own row of sums does. Columns are moved to mean 0 first, so that sums of
 * products lose nothing to large means. */
#include <math.h>
#include <string.h>

#include "host/core/checked.h"
#include "host/estimators/iterative_imputer.h"
#include "host/stats/stand_ins.h"
#include "host/stats/symmetric.h"

struct fit {
    struct qn_stage *stage;
    uint32_t n, n_order; /* columns that stay; those that are regressed in a round */
    uint64_t rows;
    uint32_t *columns;               /* of the input */
    struct qn_filled filled;         /* of those that stay */
    struct qn_filled_column *column; /* … theirs; `gathered`: not the caller's memory but: */
    void *gathered;                  /* float or double [rows][n] */
    struct qn_stand_ins stand_ins;
    uint32_t *order;
    double *products, *sums;                       /* over all rows */
    double *part, *part_sums;                      /* over the rows where one column is missing */
    double *small, *with_y, *coefficients, *means; /* of one regression */
    double *changes;                               /* of each row in a round */
    double *sequence, *progress;                   /* so far */
    uint64_t n_sequence, n_rounds;
    double least, most, tolerance;
};

/* ---- opening ---- */

static quern_status open_memory(struct fit *f)
{
    size_t square;
    if (qn_mul_size(f->n, f->n, &square)) return qn_stage_memory(f->stage);
    f->products = qn_alloc(square, sizeof(double));
    f->part = qn_alloc(square, sizeof(double));
    f->small = qn_alloc(square, sizeof(double));
    f->sums = qn_alloc(f->n, sizeof(double));
    f->part_sums = qn_alloc(f->n, sizeof(double));
    f->with_y = qn_alloc(f->n, sizeof(double));
    f->coefficients = qn_alloc((size_t)2 * f->n, sizeof(double));
    f->means = qn_alloc(f->n, sizeof(double));
    f->order = qn_alloc(f->n, sizeof *f->order);
    f->changes = qn_alloc((size_t)f->rows, sizeof(double));
    if (f->products == NULL || f->part == NULL || f->small == NULL || f->sums == NULL ||
        f->part_sums == NULL || f->with_y == NULL || f->coefficients == NULL || f->means == NULL ||
        f->order == NULL || f->changes == NULL)
        return qn_error_memory("an iterative imputer", f->rows * 8);
    return QUERN_OK;
}

static void close_fit(struct fit *f)
{
    void *all[] = {f->columns, f->column,  f->gathered, f->order,        f->products,
                   f->sums,    f->part,    f->small,    f->part_sums,    f->with_y,
                   f->means,   f->changes, f->sequence, f->coefficients, f->progress};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) qn_free(all[i]);
    qn_stand_ins_free(&f->stand_ins);
}

/* ---- the rows ---- */

/* What is known of the rows once they have been read. */
struct reading {
    struct fit *f;
    const double *empty;
    double *sum, *count; /* of the cells that are there */
    double largest;
    int f32; /* how they are gathered, where they are */
};

/* Where the cells lie: in the caller's memory, or, where values are not the cells there, in ours. */
static quern_status lay_out(struct fit *f, const double *empty, int f32)
{
    const struct qn_rows_source *source = f->stage->source;
    struct qn_filled_column *all = qn_zalloc(f->stage->n_in, sizeof *all);
    size_t cells, bytes = f32 ? sizeof(float) : sizeof(double);
    quern_status status = QUERN_OK;
    f->column = qn_zalloc(f->n, sizeof *f->column);
    if (all == NULL || f->column == NULL) {
        status = qn_stage_memory(f->stage);
        goto cleanup;
    }
    int there = source->in_place(source->user, all);
    if (!there && !qn_mul_size((size_t)f->rows, f->n, &cells))
        f->gathered = qn_alloc_aligned(cells, bytes);
    if (!there && f->gathered == NULL)
        QN_GO(qn_error_memory("the rows that a fit keeps", f->rows * f->n * bytes));
    for (uint32_t k = 0; k < f->n; k++) {
        if (there)
            f->column[k] = all[f->columns[k]];
        else
            f->column[k] = (struct qn_filled_column){.data = (char *)f->gathered + k * bytes,
                                                     .stride = (int64_t)(f->n * bytes),
                                                     .type = f32 ? QN_T_F32 : QN_T_F64};
        if (empty[f->columns[k]] != 0) f->column[k].data = NULL; /* moved, its value is 0 */
    }
cleanup:
    qn_free(all);
    return status;
}

static quern_status read_rows(void *user, const double *rows, uint64_t first, uint64_t n)
{
    struct reading *r = user;
    struct fit *f = r->f;
    for (uint64_t row = first; row < first + n; row++, rows += f->stage->n_in) {
        qn_stand_ins_row(&f->stand_ins, row);
        for (uint32_t k = 0; k < f->n; k++) {
            double x = rows[f->columns[k]];
            if (f->gathered != NULL && r->f32)
                ((float *)f->gathered)[row * f->n + k] = (float)x;
            else if (f->gathered != NULL)
                ((double *)f->gathered)[row * f->n + k] = x;
            if (!isnan(x)) {
                r->sum[k] += x;
                r->count[k] += 1;
                if (fabs(x) > r->largest) r->largest = fabs(x);
            } else if (r->empty[f->columns[k]] == 0 && !qn_stand_ins_add(&f->stand_ins, row, k)) {
                return qn_error(QUERN_INVALID, "IterativeImputer: the table changed meanwhile");
            }
        }
    }
    return QUERN_OK;
}

/* Columns are moved to the means of their observed cells; a round's changes are measured by the largest
 * value. */
static quern_status move(struct reading *r, const double *initial)
{
    struct fit *f = r->f;
    for (uint32_t k = 0; k < f->n; k++) {
        double value = initial[f->columns[k]];
        f->column[k].shift = r->count[k] != 0 ? r->sum[k] / r->count[k] : value;
        r->sum[k] = value - f->column[k].shift;
        if (r->empty[f->columns[k]] != 0 && fabs(value) > r->largest) r->largest = fabs(value);
    }
    f->tolerance = qn_param_f64(f->stage->estimator, "tol") * r->largest;
    if (!qn_stand_ins_end(&f->stand_ins, r->sum))
        return qn_error(QUERN_INVALID, "IterativeImputer: the table changed meanwhile");
    f->filled = qn_stand_ins_over(&f->stand_ins, f->column);
    return QUERN_OK;
}

static quern_status open_rows(struct fit *f, const double *initial, const int64_t *missing,
                              const double *empty)
{
    const struct qn_rows_source *source = f->stage->source;
    quern_status status = QUERN_OK;
    struct reading r = {.f = f, .empty = empty};
    quern_type type;
    uint64_t *gaps = qn_zalloc(f->n, sizeof *gaps);
    r.sum = qn_zalloc(f->n, sizeof *r.sum);
    r.count = qn_zalloc(f->n, sizeof *r.count);
    if (gaps == NULL || r.sum == NULL || r.count == NULL) {
        status = qn_stage_memory(f->stage);
        goto cleanup;
    }
    QN_GO(qn_stage_dtype(f->stage, 1, &type));
    r.f32 = type == QUERN_FLOAT32;
    for (uint32_t k = 0; k < f->n; k++)
        if (empty[f->columns[k]] == 0) gaps[k] = (uint64_t)missing[f->columns[k]];
    QN_GO(lay_out(f, empty, r.f32));
    QN_GO(qn_stand_ins_open(&f->stand_ins, f->rows, f->n, gaps));
    QN_GO(source->walk(source->user, 0, f->stage->n_in, read_rows, &r));
    qn_stand_ins_row(&f->stand_ins, f->rows);
    status = move(&r, initial);
cleanup:
    qn_free(gaps);
    qn_free(r.sum);
    qn_free(r.count);
    return status;
}

/* ---- the order of columns ---- */

static uint64_t missing_of(const struct fit *f, uint32_t k)
{
    return f->stand_ins.missing[k];
}

/* By missing cells, the fewest first, else as they come: an insertion sort, which is stable. */
static void sort_order(struct fit *f)
{
    for (uint32_t i = 1; i < f->n_order; i++) {
        uint32_t k = f->order[i], at = i;
        while (at > 0 && missing_of(f, f->order[at - 1]) > missing_of(f, k)) {
            f->order[at] = f->order[at - 1];
            at--;
        }
        f->order[at] = k;
    }
}

static void make_order(struct fit *f)
{
    const struct qn_estimator *e = f->stage->estimator;
    int skip = qn_param_bool(e, "skip_complete");
    for (uint32_t k = 0; k < f->n; k++)
        if (!skip || missing_of(f, k) != 0) f->order[f->n_order++] = k;
    if (qn_param_is(e, "imputation_order", "ascending") ||
        qn_param_is(e, "imputation_order", "descending"))
        sort_order(f);
    if (qn_param_is(e, "imputation_order", "descending") ||
        qn_param_is(e, "imputation_order", "arabic"))
        for (uint32_t i = 0; i < f->n_order / 2; i++) {
            uint32_t other = f->order[f->n_order - 1 - i];
            f->order[f->n_order - 1 - i] = f->order[i];
            f->order[i] = other;
        }
}

/* ---- one regression ---- */

/* Sums over the rows where column j is observed: `part` becomes all less those where it is missing. */
static quern_status observed(struct fit *f, uint32_t j)
{
    size_t square = (size_t)f->n * f->n;
    struct qn_gram rq = {.filled = &f->filled,
                         .rows = qn_stand_ins_rows(&f->stand_ins, j),
                         .products = f->part,
                         .sums = f->part_sums};
    if (rq.rows.n != 0) {
        QN_TRY(f->stage->gram(f->stage->plan, &rq));
    } else {
        memset(f->part, 0, square * sizeof *f->part);
        memset(f->part_sums, 0, f->n * sizeof *f->part_sums);
    }
    for (size_t i = 0; i < square; i++) f->part[i] = f->products[i] - f->part[i];
    for (uint32_t k = 0; k < f->n; k++) f->part_sums[k] = f->sums[k] - f->part_sums[k];
    return QUERN_OK;
}

/* Coefficients (0 at j) of the moved columns. */
static quern_status regress(struct fit *f, uint32_t j, struct qn_ridge *ridge, double *intercept)
{
    uint32_t n = f->n, m = n - 1;
    double rows = (double)(f->rows - missing_of(f, j)), *own = f->coefficients + n;
    for (uint32_t k = 0; k < n; k++) f->means[k] = f->part_sums[k] / rows;
    for (uint32_t k = 0, a = 0; k < n; k++) {
        if (k == j) continue;
        for (uint32_t l = 0, b = 0; l < n; l++)
            if (l != j)
                f->small[(size_t)a * m + b++] =
                    f->part[(size_t)k * n + l] - rows * f->means[k] * f->means[l];
        f->with_y[a++] = f->part[(size_t)k * n + j] - rows * f->means[k] * f->means[j];
    }
    double y_y = f->part[(size_t)j * n + j] - rows * f->means[j] * f->means[j];
    QN_TRY(qn_bayesian_ridge(m, f->small, f->with_y, y_y, rows, own, ridge));
    *intercept = f->means[j];
    for (uint32_t k = 0, a = 0; k < n; k++) {
        f->coefficients[k] = k == j ? 0 : own[a++];
        *intercept -= f->coefficients[k] * f->means[k];
    }
    return QUERN_OK;
}

/* The regression's row of sequence_, for columns as they were given. */
static void record(struct fit *f, uint32_t j, const struct qn_ridge *ridge, double intercept)
{
    double *row = f->sequence + f->n_sequence++ * (QN_SEQUENCE_HEAD + f->stage->n_in);
    memset(row, 0, (QN_SEQUENCE_HEAD + f->stage->n_in) * sizeof *row);
    row[QN_SEQUENCE_TARGET] = f->columns[j];
    row[QN_SEQUENCE_ALPHA] = ridge->alpha;
    row[QN_SEQUENCE_LAMBDA] = ridge->lambda;
    row[QN_SEQUENCE_ROUNDS] = ridge->rounds;
    intercept += f->column[j].shift;
    for (uint32_t k = 0; k < f->n; k++) {
        row[QN_SEQUENCE_HEAD + f->columns[k]] = f->coefficients[k];
        intercept -= f->coefficients[k] * f->column[k].shift;
    }
    row[QN_SEQUENCE_INTERCEPT] = intercept;
}

static quern_status predict(struct fit *f, uint32_t j, double intercept)
{
    uint32_t n = f->n;
    double sum, *now = f->coefficients + n;
    struct qn_prediction rq = {.filled = &f->filled,
                               .rows = qn_stand_ins_rows(&f->stand_ins, j),
                               .target = j,
                               .coefficients = f->coefficients,
                               .intercept = intercept,
                               .least = f->least - f->column[j].shift,
                               .most = f->most - f->column[j].shift,
                               .changes = f->changes,
                               .products = now,
                               .sum = &sum};
    if (rq.rows.n == 0) return QUERN_OK;
    QN_TRY(f->stage->predict(f->stage->plan, &rq));
    for (uint32_t k = 0; k < n; k++) {
        double value = f->part[(size_t)j * n + k] + now[k];
        f->products[(size_t)j * n + k] = f->products[(size_t)k * n + j] = value;
    }
    f->sums[j] = f->part_sums[j] + sum;
    return QUERN_OK;
}

/* ---- rounds ---- */

static quern_status make_room(struct fit *f)
{
    size_t rows, cells;
    if (qn_add_size((size_t)f->n_sequence, f->n_order, &rows) ||
        qn_mul_size(rows, (size_t)QN_SEQUENCE_HEAD + f->stage->n_in, &cells))
        return qn_error_memory_while("fitting IterativeImputer");
    double *more = qn_realloc(f->sequence, cells, sizeof *more);
    if (more == NULL) return qn_error_memory_while("fitting IterativeImputer");
    f->sequence = more;
    more = qn_realloc(f->progress, (size_t)(f->n_rounds + 1) * 2, sizeof *more);
    if (more == NULL) return qn_error_memory_while("fitting IterativeImputer");
    f->progress = more;
    return QUERN_OK;
}

static quern_status one_round(struct fit *f, double *change)
{
    QN_TRY(make_room(f));
    memset(f->changes, 0, (size_t)f->rows * sizeof *f->changes);
    for (uint32_t i = 0; i < f->n_order; i++) {
        struct qn_ridge ridge;
        double intercept;
        QN_TRY(f->stage->go_on(f->stage->plan));
        QN_TRY(observed(f, f->order[i]));
        QN_TRY(regress(f, f->order[i], &ridge, &intercept));
        record(f, f->order[i], &ridge, intercept);
        QN_TRY(predict(f, f->order[i], intercept));
    }
    *change = 0;
    for (uint64_t row = 0; row < f->rows; row++)
        if (!(f->changes[row] <= *change)) *change = f->changes[row];
    f->progress[2 * f->n_rounds] = *change;
    f->progress[2 * f->n_rounds + 1] = f->tolerance;
    f->n_rounds++;
    return QUERN_OK;
}

static quern_status all_rounds(struct fit *f)
{
    double change = INFINITY, most = qn_param_f64(f->stage->estimator, "max_iter");
    struct qn_gram rq = {
        .filled = &f->filled, .rows = {.n = f->rows}, .products = f->products, .sums = f->sums};
    QN_TRY(f->stage->gram(f->stage->plan, &rq));
    make_order(f);
    while ((double)f->n_rounds < most && !(change < f->tolerance)) QN_TRY(one_round(f, &change));
    if (!(change < f->tolerance))
        f->stage->warn(f->stage->plan,
                       "IterativeImputer: the rounds ended (max_iter) before changes "
                       "were below the tolerance");
    return QUERN_OK;
}

static quern_status keep(struct fit *f)
{
    uint32_t width = QN_SEQUENCE_HEAD + f->stage->n_in;
    double *sequence = qn_attrs_matrix(f->stage->attrs, "sequence_", f->n_sequence, width);
    double *progress = qn_attrs_matrix(f->stage->attrs, "rounds_", f->n_rounds, 2);
    if (sequence == NULL || progress == NULL) return qn_stage_memory(f->stage);
    if (f->n_sequence != 0)
        memcpy(sequence, f->sequence, (size_t)f->n_sequence * width * sizeof *sequence);
    if (f->n_rounds != 0 && f->progress != NULL)
        memcpy(progress, f->progress, (size_t)f->n_rounds * 2 * sizeof *progress);
    return QUERN_OK;
}

quern_status qn_iterative_fit(struct qn_stage *stage, const double *initial, const int64_t *missing)
{
    quern_status status = QUERN_OK;
    const double *empty = qn_attrs_find(stage->attrs, "empty_")->f64;
    struct fit f = {.stage = stage, .rows = stage->rows};
    f.columns = qn_alloc(stage->n_in, sizeof *f.columns);
    if (f.columns == NULL) {
        status = qn_stage_memory(stage);
        goto cleanup;
    }
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (!isnan(initial[i])) f.columns[f.n++] = i;
    if (f.n > 1 && qn_param_f64(stage->estimator, "max_iter") > 0) {
        f.least = qn_iterative_bound(stage->estimator, "min_value", -INFINITY);
        f.most = qn_iterative_bound(stage->estimator, "max_value", INFINITY);
        QN_GO(open_rows(&f, initial, missing, empty));
        QN_GO(open_memory(&f));
        QN_GO(all_rounds(&f));
    }
    status = keep(&f);
cleanup:
    close_fit(&f);
    return status;
}
