/* SPDX-License-Identifier: Apache-2.0
 * Mutual information of columns and a target: of numbers from nearest neighbours (Kraskov, Stögbauer and
 * Grassberger, "Estimating mutual information", Phys. Rev. E 69, 2004, the first estimator), of numbers and
 * classes (Ross, "Mutual information between discrete and continuous data sets", PLoS ONE 9(2), 2014), of
 * classes from their counts. Definition: scikit-learn, feature_selection/_mutual_info.py.
 *
 * As many columns as there are threads are made ready at a time, each by one of them; then all threads
 * search for the points of each. Sums go by runs of points, so that threads cannot be seen. */
#include <math.h>
#include <string.h>

#include "backends/cpu/plane.h"
#include "backends/cpu/sorted.h"
#include "host/core/checked.h"
#include "host/core/threads.h"
#include "host/ops/requests.h"
#include "kernels/functions.h"

enum { RUN = 4096 /* points whose terms are added up together */ };

/* A column in order. */
struct axis {
    double *value;
    uint32_t *row;
    uint32_t *place; /* of each row */
};

/* Numbers by class: those of a class are neighbours, in order. Rows alone in their class are left out of
 * `kept`, the numbers of all others in order. */
struct classes {
    double *value, *kept;
    uint32_t *start;    /* [classes + 1] */
    uint32_t *place;    /* in `kept`, of each in `value` */
    uint32_t *class_of; /* of each in `value` */
    uint64_t n_kept;
    double constant; /* of the sum: what the classes' sizes give */
};

/* A column that is worked on. */
struct slot {
    uint32_t column;
    struct axis axis;
    struct qn_keyed *room;
    double *numbers; /* the column as it lay, scaled */
    struct qn_point *points;
    struct qn_plane plane;
    struct classes classes;
    uint32_t *codes, *count;
    double *sums, *lost; /* of the runs */
};

struct work {
    const struct qn_information *q;
    struct qn_threads *threads;
    struct axis target;
    double *numbers; /* the target's, scaled */
    struct slot *slots;
    uint32_t n_slots;
    uint64_t runs;
    double *best; /* [worker][neighbours] */
    void **memory;
    uint32_t n_memory, room_memory;
};

/* ---- numbers ---- */

/* A number that looks drawn from the normal distribution, of the seed, column and row alone: SplitMix64
 * (Steele, Lea and Flood, 2014), then the distribution's quantile. */
static double noise(uint64_t seed, uint64_t column, uint64_t row)
{
    uint64_t z = seed * 0xd1342543de82ef95u + (column << 32) + row;
    z = (z + 0x9e3779b97f4a7c15u) * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 2; i++) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return qn_nquantile(((double)(z >> 11) + 0.5) * 0x1p-53);
}

/* x / scale + 1e-10 max(1, mean |x / scale|) noise, as scikit-learn has it. */
static void prepare(const struct work *w, uint32_t column, double scale, double *x)
{
    uint64_t n = w->q->rows;
    double sum = 0.0, lost = 0.0;
    if (w->q->scales == NULL) return;
    for (uint64_t i = 0; i < n; i++) {
        x[i] /= scale;
        double size = fabs(x[i]), next = sum + size;
        lost += size - (next - sum); /* sum >= size but for the first few */
        sum = next;
    }
    double mean = (sum + lost) / (double)n, size = 1e-10 * (mean > 1.0 ? mean : 1.0);
    for (uint64_t i = 0; i < n; i++) x[i] += size * noise(w->q->seed, column, i);
}

static void sort_axis(const struct work *w, const double *from, struct qn_keyed *room,
                      struct axis *axis)
{
    qn_sorted_make(from, w->q->rows, room, axis->value, axis->row);
    for (uint64_t i = 0; i < w->q->rows; i++) axis->place[axis->row[i]] = (uint32_t)i;
}

static void take_column(const struct work *w, uint32_t column, double *out)
{
    const double *x = w->q->values + column * w->q->rows;
    for (uint64_t i = 0; i < w->q->rows; i++) out[i] = x[i] + 0.0;
}

/* ---- two discrete columns ---- */

/* Codes of the distinct values of a column in order; how many there are. */
static uint32_t code_values(const struct work *w, const struct axis *axis, uint32_t *codes)
{
    uint32_t code = 0;
    for (uint64_t i = 0; i < w->q->rows; i++) {
        if (i > 0 && axis->value[i] != axis->value[i - 1]) code++;
        codes[axis->row[i]] = code;
    }
    return code + 1;
}

/* What rows of one value of the column add: by class the n that have it. count: zeros, and zeros again. */
static double value_terms(const struct work *w, const struct axis *axis, uint64_t from, uint64_t to,
                          const uint32_t *class_rows, uint32_t *count)
{
    const struct qn_information *q = w->q;
    double rows = (double)q->rows, sum = 0.0;
    for (uint64_t i = from; i < to; i++) count[q->codes[axis->row[i]]]++;
    for (uint64_t i = from; i < to; i++) {
        uint32_t code = q->codes[axis->row[i]];
        double n = (double)count[code];
        if (n == 0.0) continue; /* it was seen to */
        double term = n / rows * qn_log(n * rows / ((double)(to - from) * class_rows[code]));
        sum += fabs(term) < 0x1p-52 ? 0.0 : term;
        count[code] = 0;
    }
    return sum;
}

static double information_of_counts(const struct work *w, struct slot *s)
{
    const struct qn_information *q = w->q;
    uint32_t *class_rows = s->classes.start;
    double sum = 0.0;
    memset(s->count, 0, q->n_classes * sizeof *s->count);
    memset(class_rows, 0, q->n_classes * sizeof *class_rows);
    for (uint64_t i = 0; i < q->rows; i++) class_rows[q->codes[i]]++;
    for (uint64_t from = 0, to; from < q->rows; from = to) {
        for (to = from; to < q->rows && s->axis.value[to] == s->axis.value[from]; to++) {
        }
        sum += value_terms(w, &s->axis, from, to, class_rows, s->count);
    }
    return sum > 0.0 ? sum : 0.0;
}

/* ---- numbers and classes ---- */

/* The numbers of each class, in order, and all but those alone in theirs. */
static void group(const struct work *w, const struct axis *numbers, const uint32_t *codes,
                  uint32_t n_classes, struct classes *c, uint32_t *next)
{
    const struct qn_information *q = w->q;
    double sizes = 0.0;
    memset(c->start, 0, ((size_t)n_classes + 1) * sizeof *c->start);
    for (uint64_t i = 0; i < q->rows; i++) c->start[codes[i] + 1]++;
    c->n_kept = 0;
    for (uint32_t k = 0; k < n_classes; k++) {
        uint32_t n = c->start[k + 1];
        c->start[k + 1] += c->start[k];
        next[k] = c->start[k];
        if (n < 2) continue;
        uint32_t near = q->neighbours < n - 1 ? q->neighbours : n - 1;
        c->n_kept += n;
        sizes += (double)n * (q->digamma[near] - q->digamma[n]);
    }
    uint32_t kept = 0;
    for (uint64_t i = 0; i < q->rows; i++) {
        uint32_t code = codes[numbers->row[i]], at = next[code]++;
        c->value[at] = numbers->value[i];
        c->class_of[at] = code;
        c->place[at] = kept;
        if (c->start[code + 1] - c->start[code] > 1) c->kept[kept++] = numbers->value[i];
    }
    c->constant = c->n_kept == 0 ? (double)NAN : q->digamma[c->n_kept] + sizes / (double)c->n_kept;
}

/* The next smaller double than a distance, 0 for 0: points nearer than it. */
static double below(double r)
{
    uint64_t bits;
    if (!(r > 0.0)) return 0.0;
    memcpy(&bits, &r, sizeof bits);
    bits--;
    memcpy(&r, &bits, sizeof r);
    return r;
}

static double class_term(const struct work *w, const struct classes *c, uint64_t i)
{
    uint32_t code = c->class_of[i], start = c->start[code], n = c->start[code + 1] - start;
    if (n < 2) return 0.0;
    uint32_t k = w->q->neighbours < n - 1 ? w->q->neighbours : n - 1;
    double r = below(qn_sorted_radius(c->value + start, n, i - start, k));
    return w->q->digamma[qn_sorted_within(c->kept, c->n_kept, c->place[i], r)];
}

/* ---- two numbers ---- */

static void plant(const struct work *w, struct slot *s)
{
    for (uint64_t i = 0; i < w->q->rows; i++)
        s->points[i] = (struct qn_point){s->numbers[i], w->numbers[i], (uint32_t)i};
    qn_plane_make(&s->plane, s->points);
}

static double pair_term(const struct work *w, const struct slot *s, uint64_t i, double *best)
{
    const struct qn_information *q = w->q;
    uint32_t row = s->plane.row[i];
    double r = below(qn_plane_radius(&s->plane, i, q->neighbours, best));
    return q->digamma[qn_sorted_within(s->axis.value, q->rows, s->axis.place[row], r)] +
           q->digamma[qn_sorted_within(w->target.value, q->rows, w->target.place[row], r)];
}

/* ---- all columns ---- */

static int is_pair(const struct work *w, const struct slot *s)
{
    return w->q->target != NULL && !w->q->discrete[s->column];
}

static void ready_task(void *user, uint32_t worker, uint64_t task)
{
    const struct work *w = user;
    const struct qn_information *q = w->q;
    struct slot *s = &w->slots[task];
    (void)worker;
    take_column(w, s->column, s->numbers);
    if (!q->discrete[s->column])
        prepare(w, q->first + s->column, q->scales != NULL ? q->scales[s->column] : 1.0,
                s->numbers);
    sort_axis(w, s->numbers, s->room, &s->axis);
    if (is_pair(w, s))
        plant(w, s);
    else if (q->target != NULL)
        group(w, &w->target, s->codes, code_values(w, &s->axis, s->codes), &s->classes, s->count);
    else if (q->discrete[s->column])
        q->nats[s->column] = information_of_counts(w, s);
    else
        group(w, &s->axis, q->codes, q->n_classes, &s->classes, s->count);
}

static void run_task(void *user, uint32_t worker, uint64_t task)
{
    const struct work *w = user;
    const struct slot *s = &w->slots[task / w->runs];
    uint64_t run = task % w->runs, i = run * RUN, end = i + RUN;
    double *best = w->best + (size_t)worker * w->q->neighbours, sum = 0.0, lost = 0.0;
    if (w->q->target == NULL && w->q->discrete[s->column]) return; /* all is done */
    if (end > w->q->rows) end = w->q->rows;
    for (; i < end; i++) {
        double term = is_pair(w, s) ? pair_term(w, s, i, best) : class_term(w, &s->classes, i);
        double next = sum + term, part = next - sum;
        lost += (sum - (next - part)) + (term - part);
        sum = next;
    }
    s->sums[run] = sum;
    s->lost[run] = lost;
}

static void finish(const struct work *w, const struct slot *s)
{
    const struct qn_information *q = w->q;
    double sum = 0.0, lost = 0.0, constant;
    if (q->target == NULL && q->discrete[s->column]) return;
    for (uint64_t run = 0; run < w->runs; run++) {
        double next = sum + s->sums[run], part = next - sum;
        lost += (sum - (next - part)) + (s->sums[run] - part) + s->lost[run];
        sum = next;
    }
    double terms = sum + lost;
    if (is_pair(w, s)) {
        constant = q->digamma[q->rows] + q->digamma[q->neighbours];
        terms /= (double)q->rows;
    } else {
        constant = s->classes.constant;
        terms /= (double)s->classes.n_kept;
    }
    double nats = constant - terms;
    q->nats[s->column] = nats < 0.0 ? 0.0 : nats;
}

/* ---- memory ---- */

/* n values, freed with all others; NULL on exhaustion, and *failed. */
static void *take(struct work *w, uint64_t n, size_t size, int *failed)
{
    void *memory = *failed ? NULL : qn_alloc_aligned((size_t)n + 1, size);
    if (memory != NULL && w->n_memory == w->room_memory) {
        uint32_t room = w->room_memory != 0 ? 2 * w->room_memory : 64;
        void **more = qn_realloc(w->memory, room, sizeof *more);
        if (more == NULL) {
            qn_free(memory);
            memory = NULL;
        } else {
            w->memory = more;
            w->room_memory = room;
        }
    }
    if (memory == NULL)
        *failed = 1;
    else
        w->memory[w->n_memory++] = memory;
    return memory;
}

static void take_axis(struct work *w, struct axis *axis, int *failed)
{
    axis->value = take(w, w->q->rows, sizeof *axis->value, failed);
    axis->row = take(w, w->q->rows, sizeof *axis->row, failed);
    axis->place = take(w, w->q->rows, sizeof *axis->place, failed);
}

static void take_slot(struct work *w, struct slot *s, int pairs, int classes, int *failed)
{
    uint64_t n = w->q->rows, most = w->q->target != NULL ? n : w->q->n_classes;
    take_axis(w, &s->axis, failed);
    s->room = take(w, 2 * n, sizeof *s->room, failed);
    s->numbers = take(w, n, sizeof *s->numbers, failed);
    s->sums = take(w, w->runs, sizeof *s->sums, failed);
    s->lost = take(w, w->runs, sizeof *s->lost, failed);
    if (pairs) {
        s->plane = (struct qn_plane){.n = n, .depth = qn_plane_depth(n)};
        s->points = take(w, n, sizeof *s->points, failed);
        s->plane.x = take(w, n, sizeof *s->plane.x, failed);
        s->plane.y = take(w, n, sizeof *s->plane.y, failed);
        s->plane.row = take(w, n, sizeof *s->plane.row, failed);
        s->plane.boxes = take(w, qn_plane_boxes(s->plane.depth), sizeof *s->plane.boxes, failed);
    }
    if (classes) {
        s->codes = take(w, n, sizeof *s->codes, failed);
        s->count = take(w, most, sizeof *s->count, failed);
        s->classes.value = take(w, n, sizeof *s->classes.value, failed);
        s->classes.kept = take(w, n, sizeof *s->classes.kept, failed);
        s->classes.place = take(w, n, sizeof *s->classes.place, failed);
        s->classes.class_of = take(w, n, sizeof *s->classes.class_of, failed);
        s->classes.start = take(w, most + 1, sizeof *s->classes.start, failed);
    }
}

static quern_status open_work(struct work *w)
{
    const struct qn_information *q = w->q;
    uint32_t workers = w->threads != NULL ? qn_threads_size(w->threads) : 1, discrete = 0;
    size_t best;
    int failed = 0;
    for (uint32_t i = 0; i < q->columns; i++) discrete += q->discrete[i] != 0;
    w->runs = (q->rows + RUN - 1) / RUN;
    w->n_slots = q->columns < workers ? q->columns : workers;
    w->slots = take(w, w->n_slots, sizeof *w->slots, &failed);
    if (qn_mul_size(workers, q->neighbours, &best)) failed = 1;
    w->best = take(w, failed ? 0 : best, sizeof *w->best, &failed);
    if (q->target != NULL) {
        take_axis(w, &w->target, &failed);
        w->numbers = take(w, q->rows, sizeof *w->numbers, &failed);
    }
    if (!failed) memset(w->slots, 0, w->n_slots * sizeof *w->slots);
    for (uint32_t i = 0; i < w->n_slots && !failed; i++)
        take_slot(w, &w->slots[i], q->target != NULL && discrete < q->columns,
                  q->target == NULL || discrete > 0, &failed);
    return failed ? qn_error_memory("mutual information", q->rows * 64 * w->n_slots) : QUERN_OK;
}

quern_status qn_cpu_information(struct qn_threads *threads, const struct qn_information *q)
{
    struct work w = {.q = q, .threads = threads};
    quern_status status = QUERN_OK;
    if (q->columns == 0 || q->rows == 0) return QUERN_OK;
    if (q->rows >= UINT32_MAX)
        return qn_error(QUERN_UNSUPPORTED, "mutual information of %llu rows; there may be 2^32 - 2",
                        (unsigned long long)q->rows);
    QN_GO(open_work(&w));
    if (q->target != NULL) {
        for (uint64_t i = 0; i < q->rows; i++) w.numbers[i] = q->target[i] + 0.0;
        prepare(&w, q->all, q->target_scale, w.numbers);
        sort_axis(&w, w.numbers, w.slots[0].room, &w.target);
    }
    for (uint32_t first = 0; first < q->columns; first += w.n_slots) {
        uint32_t left = q->columns - first, some = left < w.n_slots ? left : w.n_slots;
        for (uint32_t i = 0; i < some; i++) w.slots[i].column = first + i;
        qn_threads_run(threads, some, ready_task, &w);
        qn_threads_run(threads, some * w.runs, run_task, &w);
        for (uint32_t i = 0; i < some; i++) finish(&w, &w.slots[i]);
    }
cleanup:
    for (uint32_t i = 0; i < w.n_memory; i++) qn_free(w.memory[i]);
    qn_free(w.memory);
    return status;
}
