/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: any bytes as a model file. Bytes that begin with '{' are a header without its length,
 * up to the first zero byte, then the tensors: so that a change of the header's text is not always
 * refused for its length. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* The file that is meant; malloc'ed, of its exact size. */
static uint8_t *model_bytes(const uint8_t *data, size_t size, size_t *out)
{
    const uint8_t *zero = size > 0 && data[0] == '{' ? memchr(data, 0, size) : NULL;
    size_t header = zero != NULL ? (size_t)(zero - data) : 0;
    *out = zero != NULL ? size + 7 : size;
    uint8_t *bytes = malloc(*out + (*out == 0));
    if (bytes == NULL) return NULL;
    if (zero == NULL) {
        if (size > 0) memcpy(bytes, data, size);
        return bytes;
    }
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)header >> 8 * i);
    memcpy(bytes + 8, data, header);
    memcpy(bytes + 8 + header, zero + 1, size - header - 1);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    quern_model *model = NULL;
    size_t n;
    uint8_t *bytes = model_bytes(data, size, &n);
    if (bytes == NULL) return 0;
    if (fuzz_done(quern_model_from_bytes("model", bytes, n, &model))) {
        struct fuzz_table rows = fuzz_table_for(model);
        if (rows.table != NULL) fuzz_model(model, rows.table);
        fuzz_table_free(&rows);
        quern_model_free(model);
    }
    free(bytes);
    return 0;
}
