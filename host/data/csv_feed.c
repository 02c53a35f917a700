/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_feed.h"

#include <string.h>

#include "host/core/checked.h"

quern_status qn_csv_feed_open(const char *path, struct qn_csv_feed *out)
{
    quern_status status = QUERN_OK;
    int compressed = 0;
    memset(out, 0, sizeof *out);
    if (strcmp(path, "-") == 0)
        return qn_error(
            QUERN_UNSUPPORTED,
            "standard input cannot be read twice, which reading in chunks needs: give a "
            "file, or more memory");
    out->path = qn_strdup(path);
    if (out->path == NULL) return qn_error_memory("file name", strlen(path));
    status = qn_map_file(path, &out->mapping);
    if (status == QUERN_UNSUPPORTED)
        status = qn_error_context(status, "reading in chunks needs a file that can be read twice");
    if (status != QUERN_OK) goto cleanup;
    QN_GO(qn_source_look(path, out->mapping.data, out->mapping.size, &compressed));
    if (compressed) {
        qn_unmap_file(&out->mapping);
        QN_GO(qn_source_open(path, &out->source));
    }
cleanup:
    if (status != QUERN_OK) qn_csv_feed_close(out);
    return status;
}

/* Moves the buffer's start to `from` and fills it up to `to`. */
static quern_status slide(struct qn_csv_feed *feed, uint64_t from, uint64_t to)
{
    while (feed->base < from) { /* what is passed over is decompressed and dropped */
        uint64_t drop = from - feed->base;
        if (drop >= feed->filled && feed->filled > 0) drop = feed->filled;
        if (feed->filled == 0) {
            size_t got, want = feed->room < drop ? feed->room : (size_t)drop;
            if (want == 0 || feed->ended)
                return qn_error(QUERN_CORRUPT, "%s: changed while it was read", feed->path);
            QN_TRY(qn_source_next(feed->source, feed->buffer, want, &got));
            feed->ended = got == 0;
            feed->base += got;
            continue;
        }
        memmove(feed->buffer, feed->buffer + drop, feed->filled - drop);
        feed->filled -= drop;
        feed->base += drop;
    }
    uint64_t want = to - from;
    if (want > feed->room) {
        char *larger = want > SIZE_MAX ? NULL : qn_realloc(feed->buffer, (size_t)want, 1);
        if (larger == NULL) return qn_error_memory("text of a CSV chunk", want);
        feed->buffer = larger;
        feed->room = (size_t)want;
    }
    while (feed->filled < want && !feed->ended) {
        size_t got;
        QN_TRY(qn_source_next(feed->source, feed->buffer + feed->filled,
                              (size_t)want - feed->filled, &got));
        feed->filled += got;
        feed->ended = got == 0;
    }
    return QUERN_OK;
}

quern_status qn_csv_feed_get(struct qn_csv_feed *feed, uint64_t from, uint64_t to,
                             const uint8_t **at, const uint8_t **end, int *whole)
{
    if (feed->source == NULL) {
        const uint8_t *text = feed->mapping.size != 0 ? feed->mapping.data : (const void *)"";
        if (from > feed->mapping.size) from = feed->mapping.size;
        *at = text + from;
        *end = text + feed->mapping.size;
        *whole = 1;
        return QUERN_OK;
    }
    if (feed->room == 0 && to == from) to++;
    QN_TRY(slide(feed, from, to));
    *at = (const uint8_t *)feed->buffer;
    *end = *at + feed->filled;
    *whole = feed->ended;
    return QUERN_OK;
}

void qn_csv_feed_forget(struct qn_csv_feed *feed, uint64_t from, uint64_t to)
{
    qn_map_forget(&feed->mapping, (size_t)from, (size_t)(to - from));
}

quern_status qn_csv_feed_rewind(struct qn_csv_feed *feed)
{
    if (feed->source == NULL) return QUERN_OK;
    qn_source_close(feed->source);
    feed->source = NULL;
    feed->base = 0;
    feed->filled = 0;
    feed->ended = 0;
    return qn_source_open(feed->path, &feed->source);
}

void qn_csv_feed_close(struct qn_csv_feed *feed)
{
    qn_unmap_file(&feed->mapping);
    qn_source_close(feed->source);
    qn_free(feed->buffer);
    qn_free(feed->path);
    memset(feed, 0, sizeof *feed);
}
