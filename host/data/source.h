/* SPDX-License-Identifier: Apache-2.0
 * Where text comes from: a file, standard input, either of them compressed (gzip, zstd; known by
 * content). Whole, mapped where possible, or piece by piece. */
#ifndef QN_SOURCE_H
#define QN_SOURCE_H

#include "host/core/os.h"

/* All of it. */
struct qn_source_text {
    const char *data;
    uint64_t size;
    struct qn_mapping mapping; /* data is this, or … */
    char *owned;               /* … this */
};
quern_status qn_source_read(const char *path, struct qn_source_text *out);
void qn_source_release(struct qn_source_text *text);

/* Do these first bytes of a file say that it is compressed? Refused: files of other kinds. */
quern_status qn_source_look(const char *name, const void *head, uint64_t size, int *compressed);

/* In order, decompressed. */
struct qn_source;
quern_status qn_source_open(const char *path, struct qn_source **out);
/* Up to `size` bytes; *got is 0 only at the end. */
quern_status qn_source_next(struct qn_source *source, char *out, size_t size, size_t *got);
void qn_source_close(struct qn_source *source);

#endif
