/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as the state of a fit. The sums that guard the bytes are made good first, so
 * that what lies behind them is reached. What is accepted must be written as it was read, and give a model
 * or a reason why not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <quern/quern.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AT_SIZE = 16, AT_HASH = 24, AT_SPEC = 32, AT_COLUMNS = 36, HEAD = 40, COLUMN = 12 };

static uint32_t get(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void make_good(uint8_t *bytes, size_t size)
{
    if (size < HEAD + 8) return;
    size_t end = size - 8, at = HEAD;
    put(bytes + AT_SIZE, size);
    if (get(bytes + AT_SPEC) <= end - at) {
        at += get(bytes + AT_SPEC);
        for (uint32_t i = get(bytes + AT_COLUMNS); i != 0 && end - at >= COLUMN; i--) {
            uint32_t name = get(bytes + at + 8);
            if (name > end - at - COLUMN) break;
            at += COLUMN + name;
        }
        put(bytes + AT_HASH, XXH3_64bits(bytes + HEAD, at - HEAD));
    }
    put(bytes + end, XXH3_64bits(bytes, end));
}

static void must(int holds)
{
    if (!holds) abort();
}

static void use(quern_context *context, quern_fit *fit)
{
    quern_model *model = NULL;
    quern_fit *again = NULL;
    void *first, *second;
    size_t n, m;
    must(quern_fit_to_bytes(fit, &first, &n) == QUERN_OK);
    must(quern_fit_from_bytes(context, "again", first, n, &again) == QUERN_OK);
    if (quern_fit_snapshot(fit, &model) == QUERN_OK) quern_model_free(model);
    must(quern_fit_to_bytes(again, &second, &m) == QUERN_OK);
    must(n == m && memcmp(first, second, n) == 0);
    quern_free(first);
    quern_free(second);
    quern_fit_cancel(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static quern_context *context;
    quern_fit *fit = NULL;
    if (context == NULL) {
        quern_context_config config = {.struct_size = sizeof config, .device = "cpu", .threads = 1};
        if (quern_context_open(&config, &context) != QUERN_OK) abort();
    }
    uint8_t *bytes = malloc(size > 0 ? size : 1); /* of its own size, for the sanitizer */
    if (bytes == NULL) return 0;
    if (size > 0) memcpy(bytes, data, size);
    make_good(bytes, size);
    quern_status status = quern_fit_from_bytes(context, "state", bytes, size, &fit);
    must(status == QUERN_OK ? fit != NULL : status == QUERN_CORRUPT && fit == NULL);
    if (fit != NULL) use(context, fit);
    quern_fit_cancel(fit);
    free(bytes);
    return 0;
}
