/* SPDX-License-Identifier: Apache-2.0
 * What a table keeps alive: blocks that were made for it, and views of other objects' memory. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* Room for one more entry of `size` bytes. */
static int grow(void **entries, Py_ssize_t n, Py_ssize_t *room, size_t size)
{
    if (n < *room) return 0;
    Py_ssize_t more = *room != 0 ? 2 * *room : 4;
    void *grown = PyMem_Realloc(*entries, (size_t)more * size);
    if (grown == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *entries = grown;
    *room = more;
    return 0;
}

void *qn_py_keep_block(struct qn_py_keep *keep, uint64_t count, uint64_t bytes)
{
    void *entries = keep->blocks;
    if (grow(&entries, keep->n_blocks, &keep->room_blocks, sizeof *keep->blocks) < 0) return NULL;
    keep->blocks = entries;
    if (count > (uint64_t)PTRDIFF_MAX / (bytes != 0 ? bytes : 1) - 64) {
        PyErr_NoMemory();
        return NULL;
    }
    /* plain malloc: freed, like the table, by whoever drops the last reference */
    void *block = malloc((size_t)(count * bytes) + 64);
    if (block == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    keep->blocks[keep->n_blocks++] = block;
    return block;
}

struct qn_py_view *qn_py_keep_view(struct qn_py_keep *keep)
{
    void *entries = keep->views;
    if (grow(&entries, keep->n_views, &keep->room_views, sizeof *keep->views) < 0) return NULL;
    keep->views = entries;
    struct qn_py_view *view = &keep->views[keep->n_views++];
    memset(view, 0, sizeof *view);
    return view;
}

/* Room first: once it is there, nothing can fail and nothing is moved by halves. */
int qn_py_keep_merge(struct qn_py_keep *keep, struct qn_py_keep *from)
{
    for (Py_ssize_t i = 0; i < from->n_blocks; i++) {
        void *entries = keep->blocks;
        if (grow(&entries, keep->n_blocks + i, &keep->room_blocks, sizeof *keep->blocks) < 0)
            return -1;
        keep->blocks = entries;
    }
    for (Py_ssize_t i = 0; i < from->n_views; i++) {
        void *entries = keep->views;
        if (grow(&entries, keep->n_views + i, &keep->room_views, sizeof *keep->views) < 0)
            return -1;
        keep->views = entries;
    }
    if (from->n_blocks != 0)
        memcpy(keep->blocks + keep->n_blocks, from->blocks,
               (size_t)from->n_blocks * sizeof *from->blocks);
    if (from->n_views != 0)
        memcpy(keep->views + keep->n_views, from->views,
               (size_t)from->n_views * sizeof *from->views);
    keep->n_blocks += from->n_blocks;
    keep->n_views += from->n_views;
    from->n_blocks = from->n_views = 0;
    return 0;
}

void qn_py_keep_clear(struct qn_py_keep *keep)
{
    struct qn_py_keep old = *keep;
    memset(keep, 0, sizeof *keep); /* releasing may run Python code that finds this object */
    for (Py_ssize_t i = 0; i < old.n_views; i++) qn_py_view_release(&old.views[i]);
    for (Py_ssize_t i = 0; i < old.n_blocks; i++) free(old.blocks[i]);
    PyMem_Free(old.views);
    PyMem_Free(old.blocks);
}

int qn_py_keep_traverse(const struct qn_py_keep *keep, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < keep->n_views; i++) {
        int stop = qn_py_view_traverse(&keep->views[i], visit, arg);
        if (stop != 0) return stop;
    }
    return 0;
}
