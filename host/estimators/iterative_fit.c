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
#include "host/stats/symmetric.h"

struct fit {
    struct qn_stage *stage;
    uint32_t n, n_order; /* columns that stay; those that are regressed in a round */
    uint64_t rows;
    uint32_t *columns; /* of the input */
    double *x;         /* [rows][n]: the stage's matrix, without the columns that are left out */
    double *shift;     /* what was subtracted from each column */
    uint64_t *first;   /* [n + 1]: where a column's missing rows begin in `list` */
    uint32_t *list, *order;
    double *products, *sums;                       /* over all rows */
    double *part, *part_sums;                      /* over the rows where one column is missing */
    double *small, *with_y, *coefficients, *means; /* of one regression */
    double *changes;                               /* of each row in a round */
    double *sequence, *progress;                   /* so far */
    uint64_t n_sequence, n_rounds;
    double least, most, tolerance;
};

/* ---- opening ---- */

static quern_status open_lists(struct fit *f, const int64_t *missing, const double *empty)
{
    uint64_t total = 0;
    f->first = qn_zalloc((size_t)f->n + 1, sizeof *f->first);
    if (f->first == NULL) return qn_stage_memory(f->stage);
    for (uint32_t k = 0; k < f->n; k++) {
        f->first[k] = total;
        if (empty[f->columns[k]] == 0) total += (uint64_t)missing[f->columns[k]];
    }
    f->first[f->n] = total;
    f->list = qn_alloc((size_t)total, sizeof *f->list);
    return f->list != NULL ? QUERN_OK : qn_error_memory("the list of missing cells", total * 4);
}

static quern_status open_memory(struct fit *f)
{
    size_t square;
    if (f->rows > UINT32_MAX)
        return qn_error(QUERN_UNSUPPORTED, "IterativeImputer: more than 4294967295 rows");
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
    void *all[] = {f->columns,      f->shift,   f->first,     f->list,    f->order,  f->products,
                   f->sums,         f->part,    f->part_sums, f->small,   f->with_y, f->means,
                   f->coefficients, f->changes, f->sequence,  f->progress};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) qn_free(all[i]);
}

/* Means of the observed cells, and what a round's changes are measured by. */
static void look(struct fit *f, const double *initial, const double *empty)
{
    double largest = 0;
    for (uint32_t k = 0; k < f->n; k++) {
        uint32_t column = f->columns[k];
        double sum = 0, count = 0;
        for (uint64_t row = 0; row < f->rows; row++) {
            double x = f->x[row * f->stage->n_in + column];
            if (isnan(x)) continue;
            sum += x;
            count += 1;
            if (fabs(x) > largest) largest = fabs(x);
        }
        f->shift[k] = count != 0 ? sum / count : initial[column];
        if (empty[column] != 0 && fabs(initial[column]) > largest) largest = fabs(initial[column]);
    }
    f->tolerance = qn_param_f64(f->stage->estimator, "tol") * largest;
}

/* Fills the missing cells, moves columns to mean 0, closes the gaps of those that are left out. */
static void fill(struct fit *f, const double *initial, const double *empty)
{
    uint32_t n_in = f->stage->n_in;
    for (uint64_t row = 0; row < f->rows; row++)
        for (uint32_t k = 0; k < f->n; k++) {
            uint32_t column = f->columns[k];
            double x = f->x[row * n_in + column];
            if (isnan(x)) {
                if (empty[column] == 0) f->list[f->first[k]++] = (uint32_t)row;
                x = initial[column];
            }
            f->x[row * f->n + k] = x - f->shift[k];
        }
    for (uint32_t k = f->n; k-- > 1;)
        f->first[k] = f->first[k - 1]; /* each had moved to the next */
    f->first[0] = 0;
}

/* ---- the order of columns ---- */

static uint64_t missing_of(const struct fit *f, uint32_t k)
{
    return f->first[k + 1] - f->first[k];
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
    struct qn_gram rq = {.matrix = f->x,
                         .columns = f->n,
                         .rows = f->list + f->first[j],
                         .n_rows = missing_of(f, j),
                         .products = f->part,
                         .sums = f->part_sums};
    if (rq.n_rows != 0) {
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
    intercept += f->shift[j];
    for (uint32_t k = 0; k < f->n; k++) {
        row[QN_SEQUENCE_HEAD + f->columns[k]] = f->coefficients[k];
        intercept -= f->coefficients[k] * f->shift[k];
    }
    row[QN_SEQUENCE_INTERCEPT] = intercept;
}

static quern_status predict(struct fit *f, uint32_t j, double intercept)
{
    uint32_t n = f->n;
    double sum, *now = f->coefficients + n;
    struct qn_prediction rq = {.matrix = f->x,
                               .columns = n,
                               .target = j,
                               .rows = f->list + f->first[j],
                               .n_rows = missing_of(f, j),
                               .coefficients = f->coefficients,
                               .intercept = intercept,
                               .least = f->least - f->shift[j],
                               .most = f->most - f->shift[j],
                               .changes = f->changes,
                               .products = now,
                               .sum = &sum};
    if (rq.n_rows == 0) return QUERN_OK;
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
    struct qn_gram rq = {.matrix = f->x,
                         .columns = f->n,
                         .n_rows = f->rows,
                         .products = f->products,
                         .sums = f->sums};
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
    struct fit f = {.stage = stage, .rows = stage->rows, .x = stage->matrix};
    f.columns = qn_alloc(stage->n_in, sizeof *f.columns);
    f.shift = qn_alloc(stage->n_in, sizeof *f.shift);
    if (f.columns == NULL || f.shift == NULL) {
        status = qn_stage_memory(stage);
        goto cleanup;
    }
    for (uint32_t i = 0; i < stage->n_in; i++)
        if (!isnan(initial[i])) f.columns[f.n++] = i;
    if (f.n > 1 && qn_param_f64(stage->estimator, "max_iter") > 0) {
        f.least = qn_iterative_bound(stage->estimator, "min_value", -INFINITY);
        f.most = qn_iterative_bound(stage->estimator, "max_value", INFINITY);
        QN_GO(open_lists(&f, missing, empty));
        QN_GO(open_memory(&f));
        look(&f, initial, empty);
        fill(&f, initial, empty);
        QN_GO(all_rounds(&f));
    }
    status = keep(&f);
cleanup:
    close_fit(&f);
    return status;
}
