/* SPDX-License-Identifier: Apache-2.0
 * CSR matrices as scipy.sparse.save_npz writes them: a ZIP of NPY arrays, stored. Sizes and checksums
 * are known before a byte is written, so the file needs no seeking and may be a pipe. */
#include <string.h>
#include <zlib.h>

#include "host/core/checked.h"
#include "host/data/npy.h"
#include "host/data/npy_text.h"

enum { PARTS = 5, SMALL = 4096 };
#define LIMIT32 UINT64_C(0xffffffff)

/* One array of the archive: values as they are, or int64 to be narrowed to int32 on the way. */
struct part {
    const char *name;
    char head[QN_NPY_HEAD];
    size_t head_size;
    const void *data;
    uint64_t size; /* bytes written after the head */
    int narrow;
    uint32_t crc;
    uint64_t offset;
};

/* Little-endian fields in a buffer. */
struct record {
    unsigned char bytes[128];
    size_t n;
};

static void put(struct record *r, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) r->bytes[r->n++] = (unsigned char)(value >> (8 * i));
}

static void put_text(struct record *r, const char *text)
{
    size_t n = strlen(text);
    memcpy(r->bytes + r->n, text, n);
    r->n += n;
}

static uint64_t part_size(const struct part *p)
{
    return p->head_size + p->size;
}

/* Feeds the values to `use` in pieces, narrowed where asked. */
typedef quern_status piece_fn(void *user, const void *data, size_t size);

static quern_status each_piece(const struct part *p, piece_fn *use, void *user)
{
    int32_t narrow[SMALL];
    QN_TRY(use(user, p->head, p->head_size));
    if (!p->narrow) {
        for (uint64_t at = 0; at < p->size;) {
            uint64_t n = p->size - at < (UINT64_C(1) << 30) ? p->size - at : UINT64_C(1) << 30;
            QN_TRY(use(user, (const char *)p->data + at, (size_t)n));
            at += n;
        }
        return QUERN_OK;
    }
    const int64_t *wide = p->data;
    uint64_t count = p->size / sizeof *narrow;
    for (uint64_t at = 0; at < count; at += SMALL) {
        size_t n = count - at < SMALL ? (size_t)(count - at) : SMALL;
        for (size_t i = 0; i < n; i++) narrow[i] = (int32_t)wide[at + i];
        QN_TRY(use(user, narrow, n * sizeof *narrow));
    }
    return QUERN_OK;
}

static quern_status add_crc(void *user, const void *data, size_t size)
{
    uint32_t *crc = user;
    *crc = (uint32_t)crc32(*crc, data, (unsigned)size);
    return QUERN_OK;
}

static quern_status write_piece(void *user, const void *data, size_t size)
{
    return qn_outfile_write(user, data, size);
}

/* 1 January 1980, midnight: equal contents give equal files. */
static void put_common(struct record *r, const struct part *p, int zip64)
{
    put(r, zip64 ? 45 : 20, 2);
    put(r, 0, 2);      /* flags */
    put(r, 0, 2);      /* stored */
    put(r, 0, 2);      /* time */
    put(r, 0x0021, 2); /* date */
    put(r, p->crc, 4);
    put(r, zip64 ? LIMIT32 : part_size(p), 4);
    put(r, zip64 ? LIMIT32 : part_size(p), 4);
    put(r, strlen(p->name), 2);
}

static quern_status write_local(struct qn_outfile *file, const struct part *p, uint64_t *offset)
{
    struct record r = {.n = 0};
    int zip64 = part_size(p) >= LIMIT32;
    put(&r, 0x04034b50, 4);
    put_common(&r, p, zip64);
    put(&r, zip64 ? 20 : 0, 2);
    put_text(&r, p->name);
    if (zip64) {
        put(&r, 1, 2);
        put(&r, 16, 2);
        put(&r, part_size(p), 8);
        put(&r, part_size(p), 8);
    }
    *offset += r.n + part_size(p);
    QN_TRY(qn_outfile_write(file, r.bytes, r.n));
    return each_piece(p, write_piece, file);
}

static quern_status write_central(struct qn_outfile *file, const struct part *p, uint64_t *size)
{
    struct record r = {.n = 0};
    int large = part_size(p) >= LIMIT32, far = p->offset >= LIMIT32;
    put(&r, 0x02014b50, 4);
    put(&r, 3 << 8 | 45, 2); /* made by: Unix */
    put_common(&r, p, large);
    put(&r, large || far ? 4u + (large ? 16 : 0) + (far ? 8 : 0) : 0, 2);
    put(&r, 0, 2); /* comment */
    put(&r, 0, 2); /* disk */
    put(&r, 0, 2);
    put(&r, (uint64_t)0100600 << 16, 4);
    put(&r, far ? LIMIT32 : p->offset, 4);
    put_text(&r, p->name);
    if (large || far) {
        put(&r, 1, 2);
        put(&r, (large ? 16u : 0) + (far ? 8u : 0), 2);
        if (large) {
            put(&r, part_size(p), 8);
            put(&r, part_size(p), 8);
        }
        if (far) put(&r, p->offset, 8);
    }
    *size += r.n;
    return qn_outfile_write(file, r.bytes, r.n);
}

static quern_status write_end(struct qn_outfile *file, uint64_t offset, uint64_t size)
{
    struct record r = {.n = 0};
    int zip64 = offset >= LIMIT32;
    if (zip64) {
        put(&r, 0x06064b50, 4);
        put(&r, 44, 8);
        put(&r, 3 << 8 | 45, 2);
        put(&r, 45, 2);
        put(&r, 0, 4);
        put(&r, 0, 4);
        put(&r, PARTS, 8);
        put(&r, PARTS, 8);
        put(&r, size, 8);
        put(&r, offset, 8);
        put(&r, 0x07064b50, 4);
        put(&r, 0, 4);
        put(&r, offset + size, 8);
        put(&r, 1, 4);
    }
    put(&r, 0x06054b50, 4);
    put(&r, 0, 4);
    put(&r, PARTS, 2);
    put(&r, PARTS, 2);
    put(&r, size, 4);
    put(&r, zip64 ? LIMIT32 : offset, 4);
    put(&r, 0, 2);
    return qn_outfile_write(file, r.bytes, r.n);
}

quern_status qn_npz_write_csr(struct qn_outfile *file, uint64_t rows, uint64_t columns,
                              const int64_t *indptr, const int32_t *indices, const void *data,
                              quern_type type)
{
    const uint64_t nnz = (uint64_t)indptr[rows];
    const int narrow = nnz <= INT32_MAX;
    const uint64_t shape[2] = {rows, columns}, one[1] = {nnz}, ptr[1] = {rows + 1}, two[1] = {2};
    struct part parts[PARTS] = {
        {.name = "indices.npy", .data = indices, .size = nnz * sizeof *indices},
        {.name = "indptr.npy",
         .data = indptr,
         .size = (rows + 1) * (narrow ? 4 : 8),
         .narrow = narrow},
        {.name = "format.npy", .data = "csr", .size = 3},
        {.name = "shape.npy", .data = shape, .size = sizeof shape},
        {.name = "data.npy", .data = data, .size = nnz * qn_type_bytes(type)}};
    if (qn_npy_descr(type) == NULL)
        return qn_error(QUERN_UNSUPPORTED, "NPZ: values of type %s cannot be written",
                        qn_type_name(type));
    parts[0].head_size = qn_npy_head(parts[0].head, "<i4", 1, one);
    parts[1].head_size = qn_npy_head(parts[1].head, narrow ? "<i4" : "<i8", 1, ptr);
    parts[2].head_size = qn_npy_head(parts[2].head, "|S3", 0, NULL);
    parts[3].head_size = qn_npy_head(parts[3].head, "<i8", 1, two);
    parts[4].head_size = qn_npy_head(parts[4].head, qn_npy_descr(type), 1, one);
    uint64_t offset = 0, size = 0;
    for (int i = 0; i < PARTS; i++) {
        parts[i].offset = offset;
        QN_TRY(each_piece(&parts[i], add_crc, &parts[i].crc));
        QN_TRY(write_local(file, &parts[i], &offset));
    }
    for (int i = 0; i < PARTS; i++) QN_TRY(write_central(file, &parts[i], &size));
    return write_end(file, offset, size);
}
