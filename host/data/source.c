/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "host/core/checked.h"

enum { PIECE = 256 << 10, FIRST_ROOM = 4 << 20 };

enum coding { PLAIN, GZIP, ZSTD };

struct qn_source {
    char *name;
    FILE *file;
    int standard;
    enum coding coding;
    unsigned char *in; /* read, not yet decoded: in[at … filled) */
    size_t at, filled;
    int ended;   /* nothing more to read                    */
    int between; /* at a member's or frame's end            */
    z_stream gzip;
    int gzip_open;
    ZSTD_DStream *zstd;
};

static quern_status refill(struct qn_source *s)
{
    if (s->at < s->filled || s->ended) return QUERN_OK;
    s->at = 0;
    s->filled = fread(s->in, 1, PIECE, s->file);
    if (s->filled == 0) {
        if (ferror(s->file))
            return qn_error(QUERN_IO, "%s: cannot be read: %s", s->name, strerror(errno));
        s->ended = 1;
    }
    return QUERN_OK;
}

static const struct {
    const char *mark;
    size_t size;
    const char *what;
} foreign[] = {
    {"PK\003\004", 4, "a ZIP archive"},
    {"\xfd"
     "7zXZ",
     5, "an xz file"},
    {"PAR1", 4, "a Parquet file"},
    {"ARROW1", 6, "an Arrow file"},
    {"\x89HDF\r\n\x1a\n", 8, "an HDF5 file"},
    {"\x93NUMPY", 6, "an NPY file"},
};

static quern_status check_foreign(const char *name, const unsigned char *p, size_t n)
{
    const char *what = NULL;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (n >= foreign[i].size && memcmp(p, foreign[i].mark, foreign[i].size) == 0)
            what = foreign[i].what;
    if (n >= 10 && memcmp(p, "BZh", 3) == 0 && memcmp(p + 4, "1AY&SY", 6) == 0)
        what = "a bzip2 file";
    if (what == NULL) return QUERN_OK;
    return qn_error(QUERN_UNSUPPORTED, "%s: is %s, not CSV text (plain, gzip or zstd compressed)",
                    name, what);
}

static enum coding coding_of(const unsigned char *p, size_t n)
{
    if (n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8) return GZIP;
    if (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0) return ZSTD;
    if (n >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0) return ZSTD;
    return PLAIN;
}

static quern_status start_coding(struct qn_source *s)
{
    QN_TRY(refill(s));
    QN_TRY(check_foreign(s->name, s->in, s->filled));
    s->coding = coding_of(s->in, s->filled);
    if (s->coding == GZIP) {
        if (inflateInit2(&s->gzip, 15 + 16) != Z_OK)
            return qn_error_memory("gzip decompression", 64 << 10);
        s->gzip_open = 1;
    }
    if (s->coding == ZSTD) {
        s->zstd = ZSTD_createDStream();
        if (s->zstd == NULL) return qn_error_memory("zstd decompression", 128 << 10);
    }
    return QUERN_OK;
}

quern_status qn_source_open(const char *path, struct qn_source **out)
{
    quern_status status = QUERN_OK;
    *out = NULL;
    struct qn_source *s = qn_zalloc(1, sizeof *s);
    if (s == NULL) return qn_error_memory("input", sizeof *s);
    s->standard = strcmp(path, "-") == 0;
    s->name = qn_strdup(s->standard ? "standard input" : path);
    s->in = qn_alloc(PIECE, 1);
    if (s->name == NULL || s->in == NULL) {
        status = qn_error_memory("input", PIECE);
        goto cleanup;
    }
    s->file = s->standard ? stdin : fopen(path, "rb");
    if (s->file == NULL) {
        status = qn_error(QUERN_IO, "%s: %s", path, strerror(errno));
        goto cleanup;
    }
    QN_GO(start_coding(s));
    *out = s;
    s = NULL;
cleanup:
    qn_source_close(s);
    return status;
}

void qn_source_close(struct qn_source *s)
{
    if (s == NULL) return;
    if (s->file != NULL && !s->standard) (void)fclose(s->file);
    if (s->gzip_open) (void)inflateEnd(&s->gzip);
    (void)ZSTD_freeDStream(s->zstd);
    qn_free(s->in);
    qn_free(s->name);
    qn_free(s);
}

static quern_status cut_short(const struct qn_source *s)
{
    return qn_error(QUERN_CORRUPT, "%s: the compressed data ends too early", s->name);
}

/* One step of inflate. Members may follow each other; zeros behind the last are padding. */
static quern_status gzip_step(struct qn_source *s, char *out, size_t size, size_t *got)
{
    if (s->between) {
        while (s->at < s->filled && s->in[s->at] == 0) s->at++;
        if (s->at == s->filled) return QUERN_OK;
        if (inflateReset(&s->gzip) != Z_OK) return qn_error(QUERN_INTERNAL, "inflateReset failed");
        s->between = 0;
    }
    s->gzip.next_in = s->in + s->at;
    s->gzip.avail_in = (unsigned)(s->filled - s->at);
    s->gzip.next_out = (unsigned char *)out;
    s->gzip.avail_out = size > (1u << 30) ? 1u << 30 : (unsigned)size;
    unsigned asked = s->gzip.avail_out;
    int code = inflate(&s->gzip, Z_NO_FLUSH);
    s->at = s->filled - s->gzip.avail_in;
    *got = asked - s->gzip.avail_out;
    if (code == Z_STREAM_END) {
        s->between = 1;
        return QUERN_OK;
    }
    if (code == Z_OK || code == Z_BUF_ERROR) return QUERN_OK;
    if (code == Z_MEM_ERROR) return qn_error_memory("gzip decompression", 64 << 10);
    return qn_error(QUERN_CORRUPT, "%s: the gzip data is damaged: %s", s->name,
                    s->gzip.msg != NULL ? s->gzip.msg : "no reason given");
}

static quern_status zstd_step(struct qn_source *s, char *out, size_t size, size_t *got)
{
    ZSTD_inBuffer in = {s->in, s->filled, s->at};
    ZSTD_outBuffer decoded = {out, size, 0};
    size_t code = ZSTD_decompressStream(s->zstd, &decoded, &in);
    if (ZSTD_isError(code))
        return qn_error(QUERN_CORRUPT, "%s: the zstd data is damaged: %s", s->name,
                        ZSTD_getErrorName(code));
    /* A call that does nothing asks for the next frame's header, which says nothing of this one. */
    if (in.pos != s->at || decoded.pos != 0) s->between = code == 0;
    s->at = in.pos;
    *got = decoded.pos;
    return QUERN_OK;
}

quern_status qn_source_next(struct qn_source *s, char *out, size_t size, size_t *got)
{
    *got = 0;
    while (*got == 0 && size > 0) {
        QN_TRY(refill(s));
        size_t before = s->at;
        if (s->coding == PLAIN) {
            *got = s->filled - s->at < size ? s->filled - s->at : size;
            memcpy(out, s->in + s->at, *got);
            s->at += *got;
        } else if (s->coding == GZIP) {
            QN_TRY(gzip_step(s, out, size, got));
        } else {
            QN_TRY(zstd_step(s, out, size, got));
        }
        if (*got == 0 && s->ended && s->at == before) {
            if (s->coding != PLAIN && !s->between) return cut_short(s);
            return QUERN_OK;
        }
    }
    return QUERN_OK;
}

static quern_status read_all(const char *path, struct qn_source_text *out)
{
    quern_status status = QUERN_OK;
    struct qn_source *source = NULL;
    char *text = NULL;
    size_t size = 0, room = 0, got = 1;
    QN_GO(qn_source_open(path, &source));
    while (got > 0) {
        if (room - size < PIECE) {
            size_t more = room == 0 ? FIRST_ROOM : room;
            char *larger = qn_add_size(room, more, &room) ? NULL : qn_realloc(text, room, 1);
            if (larger == NULL) {
                status = qn_error_memory("decompressed text", room);
                goto cleanup;
            }
            text = larger;
        }
        QN_GO(qn_source_next(source, text + size, room - size, &got));
        size += got;
    }
    out->data = out->owned = text;
    out->size = size;
    text = NULL;
cleanup:
    qn_free(text);
    qn_source_close(source);
    return status;
}

quern_status qn_source_look(const char *name, const void *head, uint64_t size, int *compressed)
{
    *compressed = coding_of(head, (size_t)size) != PLAIN;
    return check_foreign(name, head, (size_t)size);
}

quern_status qn_source_read(const char *path, struct qn_source_text *out)
{
    memset(out, 0, sizeof *out);
    if (strcmp(path, "-") == 0) return read_all(path, out);
    quern_status status = qn_map_file(path, &out->mapping);
    if (status == QUERN_UNSUPPORTED) return read_all(path, out); /* a pipe, a device */
    QN_TRY(status);
    int compressed;
    status = qn_source_look(path, out->mapping.data, out->mapping.size, &compressed);
    if (status != QUERN_OK || compressed) {
        qn_unmap_file(&out->mapping);
        return status != QUERN_OK ? status : read_all(path, out);
    }
    out->data = out->mapping.data;
    out->size = out->mapping.size;
    return QUERN_OK;
}

void qn_source_release(struct qn_source_text *text)
{
    qn_unmap_file(&text->mapping);
    qn_free(text->owned);
    memset(text, 0, sizeof *text);
}
