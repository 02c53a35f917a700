/* SPDX-License-Identifier: Apache-2.0
 * Everything that differs between operating systems, in one place. */
#ifndef QN_OS_H
#define QN_OS_H

#include <stddef.h>
#include <stdint.h>

#include "host/core/status.h"

/* ---- clock ---- */
uint64_t qn_clock_ns(void); /* monotonic */

/* ---- shared libraries ---- */
/* Loads by soname through the system's own rules (never the working directory). On failure returns
 * NULL and points *why at the loader's own sentence, valid until the next call of this thread. */
void *qn_library_open(const char *soname, const char **why);
void *qn_library_symbol(void *library, const char *name); /* NULL if absent */

/* ---- environment and processors ---- */
const char *qn_env(const char *name); /* NULL when unset, empty, or the process is set-uid */
uint32_t qn_cpu_count(void);          /* affinity mask and cgroup quota, at least 1 */
uint64_t qn_memory_total(void);       /* bytes this process may use (cgroup limit if lower) */

/* ---- files ---- */
/* A whole file mapped read-only; an empty file gives data = NULL, size = 0. */
struct qn_mapping {
    const void *data;
    size_t size;
};
quern_status qn_map_file(const char *path, struct qn_mapping *out);
void qn_unmap_file(struct qn_mapping *mapping);
/* Tells the system that [offset, offset+size) of a mapping is no longer needed (keeps RSS low). */
void qn_map_forget(const struct qn_mapping *mapping, size_t offset, size_t size);

/* A file that appears under its name only when complete: written beside it under a temporary name,
 * renamed by commit, removed by discard. path "-" writes to standard output and renames nothing. */
struct qn_outfile;
quern_status qn_outfile_open(const char *path, struct qn_outfile **out);
quern_status qn_outfile_write(struct qn_outfile *file, const void *data, size_t size);
quern_status qn_outfile_seek(struct qn_outfile *file, uint64_t offset); /* not on "-" */
quern_status qn_outfile_commit(struct qn_outfile *file);                /* frees file in any case */
void qn_outfile_discard(struct qn_outfile *file);

/* Fresh, zeroed pages with huge pages asked for where the system offers them; for large outputs. */
void *qn_pages_alloc(size_t bytes);
void qn_pages_free(void *pages, size_t bytes);
/* Asks for huge pages behind other memory that is large and about to be written for the first time:
 * the first touch of small pages costs many times what writing them does. Only a hint. */
void qn_pages_advise(void *memory, size_t bytes);
/* The contents are no longer needed, the memory perhaps is: the system may take its pages until they are
 * written again, and then gives new ones. What is read before that is what was there, or zero. */
void qn_pages_spare(void *memory, size_t bytes);

#endif
