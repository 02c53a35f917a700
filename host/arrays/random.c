/* SPDX-License-Identifier: Apache-2.0
 * Random numbers and orders through the public interface. */
#include "quern/random.h"

#include "host/arrays/arrays.h"
#include "host/arrays/random.h"
#include "host/data/table.h"
#include "host/ops/random.h"

void quern_random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    qn_philox(key[0] | (uint64_t)key[1] << 32, counter[2] | (uint64_t)counter[3] << 32,
              counter[0] | (uint64_t)counter[1] << 32, out);
}

static quern_status run_values(struct qn_device *device, struct qn_threads *threads,
                               const void *request, struct qn_outcome *outcome)
{
    return qn_op_random(device, threads, 0, request, outcome);
}

static quern_status run_order(struct qn_device *device, struct qn_threads *threads,
                              const void *request, struct qn_outcome *outcome)
{
    return qn_op_permutation(device, threads, 0, request, outcome);
}

/* Makes the result, n values of this type, runs the call, and gives it away. */
static quern_status run(quern_context *cx, const char *function, struct qn_array_call *call,
                        struct qn_lines *lines, quern_type type, uint64_t n, quern_array *out)
{
    const uint64_t shape[2] = {n, 0};
    quern_array made = {0};
    quern_status status = qn_array_result(function, out, type, 1, shape, &made);
    call->places[call->n_places++] = (struct qn_array_place){&made, 0, 1, lines};
    if (status == QUERN_OK) status = qn_array_run(cx, call);
    if (status == QUERN_OK)
        qn_array_give(&made, out);
    else
        qn_array_drop(out, &made);
    return status;
}

static quern_status values(quern_context *cx, const char *function, struct qn_random_request *rq,
                           quern_type type, uint64_t n, quern_array *out)
{
    struct qn_array_call call = {.name = "random", .run = run_values, .request = rq};
    if (cx == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if (n > UINT64_MAX / 2 || rq->first > UINT64_MAX / 2)
        return qn_error(QUERN_INVALID, "%s: %llu values from %llu on", function,
                        (unsigned long long)n, (unsigned long long)rq->first);
    return run(cx, function, &call, &rq->out, type, n, out);
}

quern_status quern_random_bits(quern_context *context, uint64_t seed, uint64_t stream,
                               uint64_t first, uint64_t n, quern_type type, quern_array *out)
{
    struct qn_random_request rq = {
        .seed = seed, .stream = stream, .first = first, .kind = QN_RANDOM_BITS};
    if (type != QUERN_UINT32 && type != QUERN_UINT64)
        return qn_error(QUERN_INVALID, "quern_random_bits: random bits are uint32 or uint64");
    return values(context, "quern_random_bits", &rq, type, n, out);
}

quern_status quern_random_uniform(quern_context *context, uint64_t seed, uint64_t stream,
                                  uint64_t first, uint64_t n, quern_type type, quern_array *out)
{
    struct qn_random_request rq = {
        .seed = seed, .stream = stream, .first = first, .kind = QN_RANDOM_UNIFORM};
    if (type != QUERN_FLOAT32 && type != QUERN_FLOAT64)
        return qn_error(QUERN_INVALID, "quern_random_uniform: values are float32 or float64");
    return values(context, "quern_random_uniform", &rq, type, n, out);
}

quern_status quern_random_integers(quern_context *context, uint64_t seed, uint64_t stream,
                                   uint64_t first, uint64_t n, int64_t low, int64_t high,
                                   quern_array *out)
{
    struct qn_random_request rq = {.seed = seed,
                                   .stream = stream,
                                   .first = first,
                                   .low = (uint64_t)low,
                                   .range = (uint64_t)high - (uint64_t)low,
                                   .kind = QN_RANDOM_INTEGERS};
    if (low >= high)
        return qn_error(QUERN_INVALID,
                        "quern_random_integers: no integer is from %lld on and below %lld",
                        (long long)low, (long long)high);
    return values(context, "quern_random_integers", &rq, QUERN_INT64, n, out);
}

quern_status qn_random_order(quern_context *cx, const char *function, uint64_t seed,
                             uint64_t stream, uint64_t n, uint64_t k, quern_array *out)
{
    struct qn_permutation_request rq = {.seed = seed, .stream = stream, .n = n};
    struct qn_array_call call = {.name = "permutation", .run = run_order, .request = &rq};
    if (n > INT64_MAX / 16)
        return qn_error(QUERN_INVALID, "%s: an order of %llu", function, (unsigned long long)n);
    return run(cx, function, &call, &rq.out, QUERN_INT64, k, out);
}

quern_status quern_random_permutation(quern_context *context, uint64_t seed, uint64_t stream,
                                      uint64_t n, uint64_t k, quern_array *out)
{
    static const char function[] = "quern_random_permutation";
    if (context == NULL || out == NULL)
        return qn_error(QUERN_INVALID, "%s: an argument is NULL", function);
    if (k > n)
        return qn_error(QUERN_INVALID, "%s: the first %llu of %llu", function,
                        (unsigned long long)k, (unsigned long long)n);
    return qn_random_order(context, function, seed, stream, n, k, out);
}
