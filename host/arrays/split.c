/* SPDX-License-Identifier: Apache-2.0
 * Training and test rows. Without labels: an order of all rows, of which the test set is the first and the
 * training set the next, as in scikit-learn's ShuffleSplit. With labels: as in its StratifiedShuffleSplit each set
 * gets of every class its share, rounded so that the sum is right; the rows of a class are given out in the
 * order of all rows, and each set is put into an order of its own. */
#include <stdlib.h>
#include <string.h>

#include "host/arrays/arrays.h"
#include "host/arrays/random.h"
#include "host/core/checked.h"
#include "host/data/table.h"

/* The streams of a seed that a split draws from. */
enum { ROWS, TRAIN_TIES, TEST_TIES, TRAIN_ORDER, TEST_ORDER };

static const char function[] = "quern_random_split";

/* ---- shares ---- */

struct share {
    uint64_t rest, key, place; /* of the division; of the class, for ties; the class */
};

/* The largest remainder first; of equal ones by the key, which is random. */
static int by_rest(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->rest != y->rest) return x->rest > y->rest ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static uint64_t number(uint64_t seed, uint64_t stream, uint64_t i)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(i / 2), (uint32_t)(i / 2 >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    uint32_t words[4];
    quern_random_philox(key, counter, words);
    return words[i % 2 * 2] | (uint64_t)words[i % 2 * 2 + 1] << 32;
}

/* share[c] of `draws`, in proportion to counts[c]: the mode of the multivariate hypergeometric distribution,
 * in whole numbers. Products fit: there are fewer than 2^32 rows. */
static void share_out(const uint64_t *counts, uint64_t k, uint64_t draws, uint64_t seed,
                      uint64_t stream, struct share *rests, uint64_t *share)
{
    uint64_t sum = 0, given = 0;
    for (uint64_t c = 0; c < k; c++) sum += counts[c];
    for (uint64_t c = 0; c < k; c++) {
        share[c] = sum != 0 ? counts[c] * draws / sum : 0;
        rests[c] = (struct share){.rest = sum != 0 ? counts[c] * draws % sum : 0,
                                  .key = number(seed, stream, c),
                                  .place = c};
        given += share[c];
    }
    if (given == draws) return;
    qsort(rests, (size_t)k, sizeof *rests, by_rest);
    for (uint64_t i = 0; given < draws && i < k; i++, given++) share[rests[i].place]++;
}

/* ---- classes ---- */

struct split {
    quern_context *cx;
    uint64_t seed, n, n_train, n_test;
    const int64_t *codes; /* the class of each row; NULL: one class */
    uint64_t *counts, *left, *train_share, *test_share, n_classes;
    struct share *rests;
};

static quern_status check_classes(const struct split *s)
{
    for (uint64_t c = 0; c < s->n_classes; c++)
        if (s->counts[c] < 2)
            return qn_error(QUERN_INVALID,
                            "%s: a class has only one row; every class needs two, one for each set",
                            function);
    if (s->n_train < s->n_classes || s->n_test < s->n_classes)
        return qn_error(
            QUERN_INVALID,
            "%s: %llu training rows and %llu test rows, for %llu classes; each set needs "
            "as many rows as there are classes",
            function, (unsigned long long)s->n_train, (unsigned long long)s->n_test,
            (unsigned long long)s->n_classes);
    return QUERN_OK;
}

static quern_status make_shares(struct split *s, const quern_array *counts)
{
    uint64_t k = counts->shape[0];
    s->n_classes = k;
    s->counts = qn_alloc((size_t)k * 4, sizeof *s->counts);
    s->rests = qn_alloc((size_t)k, sizeof *s->rests);
    if (s->counts == NULL || s->rests == NULL) return qn_error_memory("classes", k * 64);
    s->left = s->counts + k;
    s->train_share = s->left + k;
    s->test_share = s->train_share + k;
    memcpy(s->counts, counts->data, (size_t)k * sizeof *s->counts);
    QN_TRY(check_classes(s));
    share_out(s->counts, k, s->n_train, s->seed, TRAIN_TIES, s->rests, s->train_share);
    for (uint64_t c = 0; c < k; c++) s->left[c] = s->counts[c] - s->train_share[c];
    share_out(s->left, k, s->n_test, s->seed, TEST_TIES, s->rests, s->test_share);
    return QUERN_OK;
}

/* Gives out rows in the order of all of them: to the training set while its share of the class lasts, then
 * to the test set. */
static void give_out(const struct split *s, const int64_t *rows, int64_t *train, int64_t *test)
{
    uint64_t a = 0, b = 0;
    for (uint64_t i = 0; i < s->n; i++) {
        int64_t c = s->codes[rows[i]];
        if (s->train_share[c] != 0) {
            s->train_share[c]--;
            train[a++] = rows[i];
        } else if (s->test_share[c] != 0) {
            s->test_share[c]--;
            test[b++] = rows[i];
        }
    }
}

/* `rows` in an order of the stream's, into the result. */
static quern_status reorder(const struct split *s, uint64_t stream, const int64_t *rows, uint64_t n,
                            quern_array *out)
{
    quern_array order = {.struct_size = sizeof order}, from = order;
    from.type = QUERN_INT64;
    from.ndim = 1;
    from.shape[0] = n;
    from.data = (void *)(uintptr_t)rows;
    quern_status status = qn_random_order(s->cx, function, s->seed, stream, n, n, &order);
    if (status == QUERN_OK)
        status = quern_array_take(s->cx, &from, &order, 0, QUERN_INDEX_CLIP, out);
    quern_array_free(&order);
    return status;
}

/* ---- the two kinds ---- */

static quern_status split_plain(const struct split *s, quern_array *train, quern_array *test)
{
    quern_array rows = {.struct_size = sizeof rows}, part;
    quern_status status =
        qn_random_order(s->cx, function, s->seed, ROWS, s->n, s->n_train + s->n_test, &rows);
    if (status != QUERN_OK) return status;
    part = rows;
    part.owned = 0;
    part.shape[0] = s->n_test;
    status = quern_array_copy(s->cx, &part, test);
    part.shape[0] = s->n_train;
    part.data = (int64_t *)rows.data + s->n_test;
    if (status == QUERN_OK) status = quern_array_copy(s->cx, &part, train);
    quern_array_free(&rows);
    return status;
}

static quern_status split_classes(struct split *s, const quern_array *labels, quern_array *train,
                                  quern_array *test)
{
    const quern_array none = {.struct_size = sizeof none};
    quern_array values = none, codes = none, counts = none, rows = none;
    int64_t *sets = NULL;
    quern_status status = QUERN_OK;
    QN_GO(quern_array_unique(s->cx, labels, &values, NULL, &codes, &counts));
    s->codes = codes.data;
    QN_GO(make_shares(s, &counts));
    sets = qn_alloc((size_t)(s->n_train + s->n_test), sizeof *sets);
    if (sets == NULL) {
        status = qn_error_memory("a split", (s->n_train + s->n_test) * sizeof *sets);
        goto cleanup;
    }
    QN_GO(qn_random_order(s->cx, function, s->seed, ROWS, s->n, s->n, &rows));
    give_out(s, rows.data, sets, sets + s->n_train);
    QN_GO(reorder(s, TRAIN_ORDER, sets, s->n_train, train));
    status = reorder(s, TEST_ORDER, sets + s->n_train, s->n_test, test);
cleanup:
    quern_array_free(&rows);
    quern_array_free(&counts);
    quern_array_free(&codes);
    quern_array_free(&values);
    qn_free(sets);
    qn_free(s->counts);
    qn_free(s->rests);
    return status;
}

static int has_memory(const quern_array *a)
{
    return a->data != NULL || a->buffer != NULL;
}

quern_status quern_random_split(quern_context *context, uint64_t seed, uint64_t n, uint64_t n_train,
                                uint64_t n_test, const quern_array *labels, quern_array *train,
                                quern_array *test)
{
    struct split s = {.cx = context, .seed = seed, .n = n, .n_train = n_train, .n_test = n_test};
    if (context == NULL || train == NULL || test == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if (n_train > n || n_test > n - n_train)
        return qn_error(QUERN_INVALID, "%s: %llu training rows and %llu test rows of %llu",
                        function, (unsigned long long)n_train, (unsigned long long)n_test,
                        (unsigned long long)n);
    if (labels != NULL && (labels->ndim != 1 || labels->shape[0] != n || labels->buffer != NULL))
        return qn_error(QUERN_INVALID,
                        "%s: labels are one value for each of %llu rows, in host memory", function,
                        (unsigned long long)n);
    if (labels != NULL && n > UINT32_MAX)
        return qn_error(QUERN_UNSUPPORTED, "%s: more than 4294967295 rows with labels", function);
    int given_train = has_memory(train), given_test = has_memory(test);
    quern_status status =
        labels == NULL ? split_plain(&s, train, test) : split_classes(&s, labels, train, test);
    if (status != QUERN_OK && !given_train) quern_array_free(train);
    if (status != QUERN_OK && !given_test) quern_array_free(test);
    return status;
}
