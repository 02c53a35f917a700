/* SPDX-License-Identifier: Apache-2.0
 * A target that believes its input: replay.c's limit on allocations must end it. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t wanted = 0;
    if (size < sizeof wanted) return 0;
    memcpy(&wanted, data, sizeof wanted);
    void *volatile memory = malloc(wanted);
    free(memory);
    return 0;
}
