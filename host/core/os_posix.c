/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "host/core/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/core/cgroup.h"
#include "host/core/checked.h"

uint64_t qn_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void *qn_library_open(const char *soname, const char **why)
{
    static _Thread_local char text[512];
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL && why != NULL) {
        const char *reason = dlerror();
        (void)snprintf(text, sizeof text, "%s", reason != NULL ? reason : "no reason given");
        *why = text;
    }
    return library;
}

void *qn_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

const char *qn_env(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

uint32_t qn_cpu_count(void)
{
    uint32_t n = 0;
    cpu_set_t set;
    struct qn_cgroup_limits limits;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = (uint32_t)CPU_COUNT(&set);
    if (n == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        n = online > 0 ? (uint32_t)online : 1;
    }
    qn_cgroup_read("", &limits);
    if (limits.cpus != 0 && limits.cpus < n) n = limits.cpus;
    return n;
}

uint64_t qn_memory_total(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t total = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    struct qn_cgroup_limits limits;
    qn_cgroup_read("", &limits);
    return limits.memory < total ? limits.memory : total;
}

quern_status qn_map_file(const char *path, struct qn_mapping *out)
{
    out->data = NULL;
    out->size = 0;
    /* O_NONBLOCK: a FIFO without a writer must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return qn_error(QUERN_IO, "%s: %s", path, strerror(errno));
    quern_status status = QUERN_OK;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        status = qn_error(QUERN_IO, "%s: %s", path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        status = qn_error(QUERN_IO, "%s: is a directory", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = qn_error(QUERN_UNSUPPORTED, "%s: not a regular file", path);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            status = qn_error(QUERN_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            (void)madvise(data, (size_t)st.st_size, MADV_SEQUENTIAL);
            out->data = data;
            out->size = (size_t)st.st_size;
        }
    }
    (void)close(fd);
    return status;
}

void qn_unmap_file(struct qn_mapping *mapping)
{
    if (mapping->data != NULL) {
        void *base;
        memcpy(&base, &mapping->data, sizeof base);
        (void)munmap(base, mapping->size);
    }
    mapping->data = NULL;
    mapping->size = 0;
}

void qn_map_forget(const struct qn_mapping *mapping, size_t offset, size_t size)
{
    if (mapping->data == NULL || offset >= mapping->size) return;
    if (size > mapping->size - offset) size = mapping->size - offset;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (offset + page - 1) / page * page, last = (offset + size) / page * page;
    if (last <= first) return;
    void *base;
    memcpy(&base, &mapping->data, sizeof base);
    (void)madvise((char *)base + first, last - first, MADV_DONTNEED);
}

struct qn_outfile {
    int fd;
    int standard; /* standard output: not renamed */
    char *path, *temporary;
};

static void outfile_free(struct qn_outfile *file)
{
    qn_free(file->path);
    qn_free(file->temporary);
    qn_free(file);
}

/* The temporary file, in the same directory so that a rename suffices. It gets the permissions of
 * the file that it will replace, else those that the umask leaves. */
static quern_status create_beside(struct qn_outfile *file)
{
    static _Atomic uint32_t serial;
    struct stat st;
    int exists = stat(file->path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode))
        return qn_error(QUERN_IO, "%s: exists and is not a regular file", file->path);
    size_t room = strlen(file->path) + 48;
    file->temporary = qn_alloc(room, 1);
    if (file->temporary == NULL) return qn_error_memory("output file", room);
    for (int tries = 0; tries < 100 && file->fd < 0; tries++) {
        (void)snprintf(file->temporary, room, "%s.tmp-%lx-%x", file->path, (unsigned long)getpid(),
                       atomic_fetch_add(&serial, 1));
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno != EEXIST) break;
    }
    if (file->fd < 0)
        return qn_error(QUERN_IO, "%s: cannot be created: %s", file->path, strerror(errno));
    if (exists) (void)fchmod(file->fd, st.st_mode & 0777);
    return QUERN_OK;
}

quern_status qn_outfile_open(const char *path, struct qn_outfile **out)
{
    quern_status status = QUERN_OK;
    *out = NULL;
    struct qn_outfile *file = qn_zalloc(1, sizeof *file);
    if (file == NULL) return qn_error_memory("output file", sizeof *file);
    file->fd = -1;
    if (strcmp(path, "-") == 0) {
        file->fd = STDOUT_FILENO;
        file->standard = 1;
        *out = file;
        return QUERN_OK;
    }
    /* A symbolic link stays one: what it points to is replaced. */
    char *real = realpath(path, NULL);
    file->path = qn_strdup(real != NULL ? real : path);
    free(real);
    if (file->path == NULL) {
        status = qn_error_memory("output file", strlen(path) + 1);
        goto cleanup;
    }
    QN_GO(create_beside(file));
    *out = file;
    return QUERN_OK;
cleanup:
    outfile_free(file);
    return status;
}

quern_status qn_outfile_write(struct qn_outfile *file, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(file->fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return qn_error(QUERN_IO, "%s: cannot be written: %s",
                            file->standard ? "standard output" : file->path, strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return QUERN_OK;
}

quern_status qn_outfile_seek(struct qn_outfile *file, uint64_t offset)
{
    if (file->standard) return qn_error(QUERN_UNSUPPORTED, "standard output cannot seek");
    if (lseek(file->fd, (off_t)offset, SEEK_SET) < 0)
        return qn_error(QUERN_IO, "%s: %s", file->path, strerror(errno));
    return QUERN_OK;
}

quern_status qn_outfile_commit(struct qn_outfile *file)
{
    quern_status status = QUERN_OK;
    if (!file->standard) {
        if (close(file->fd) != 0 || rename(file->temporary, file->path) != 0) {
            status = qn_error(QUERN_IO, "%s: cannot be completed: %s", file->path, strerror(errno));
            (void)unlink(file->temporary);
        }
    }
    outfile_free(file);
    return status;
}

void qn_outfile_discard(struct qn_outfile *file)
{
    if (file == NULL) return;
    if (!file->standard) {
        (void)close(file->fd);
        (void)unlink(file->temporary);
    }
    outfile_free(file);
}

/* Below this huge pages waste more memory than their faults cost. */
enum { HUGE_FROM = 4 << 20, HUGE_PAGE = 2 << 20 };

void qn_pages_advise(void *memory, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)memory;
    uintptr_t first = (at + page - 1) & ~(page - 1), last = (at + bytes) & ~(page - 1);
    if (bytes >= HUGE_FROM && first < last)
        (void)madvise((char *)memory + (first - at), last - first, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}

/* Whole huge pages: of a part the system would make small ones. With huge pages this costs nothing; small
 * ones are slow to write afterwards, so memory that has none is left alone. */
void qn_pages_spare(void *memory, size_t bytes)
{
#ifdef MADV_FREE
    uintptr_t page = HUGE_PAGE, at = (uintptr_t)memory;
    uintptr_t first = (at + page - 1) & ~(page - 1), last = (at + bytes) & ~(page - 1);
    if (bytes >= HUGE_FROM && first < last)
        (void)madvise((char *)memory + (first - at), last - first, MADV_FREE);
#else
    (void)memory;
    (void)bytes;
#endif
}

void *qn_pages_alloc(size_t bytes)
{
    void *pages = mmap(NULL, bytes != 0 ? bytes : 1, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    qn_pages_advise(pages, bytes);
    return pages;
}

void qn_pages_free(void *pages, size_t bytes)
{
    if (pages != NULL) (void)munmap(pages, bytes != 0 ? bytes : 1);
}
