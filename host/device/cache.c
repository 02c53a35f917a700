/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory is opened once per call and everything happens relative to that descriptor, so what
 * was checked (a directory of ours that nobody else may write to) is what is used. No lock files: two
 * processes that compile the same kernel both write it, and the last rename wins. */
#define _GNU_SOURCE
#include "host/device/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "host/core/checked.h"
#include "host/core/os.h"

#define SUFFIX ".qnk"
#define TEMPORARY ".tmp"
enum { NAME_BYTES = 64, ABANDONED_SECONDS = 3600 };
#define LARGEST_FILE ((uint64_t)64 << 20)

struct head {
    char magic[8]; /* changes with the layout */
    uint64_t key_bytes, image_bytes;
    uint64_t check[2]; /* of key and image together */
};
static const char magic[8] = {'Q', 'N', 'K', 'E', 'R', 'N', '0', '1'};

/* ---- the directory ---- */

static char *joined(const char *a, const char *b)
{
    size_t room = strlen(a) + strlen(b) + 1;
    char *text = qn_alloc(room, 1);
    if (text != NULL) (void)snprintf(text, room, "%s%s", a, b);
    return text;
}

char *qn_cache_directory(const char *configured)
{
    const char *path = configured != NULL ? configured : qn_env("QUERN_CACHE_DIR");
    if (path != NULL) return strcmp(path, "off") == 0 || path[0] == '\0' ? NULL : qn_strdup(path);
    path = qn_env("XDG_CACHE_HOME");
    if (path != NULL && path[0] == '/') return joined(path, "/quern");
    path = qn_env("HOME");
    return path != NULL && path[0] == '/' ? joined(path, "/.cache/quern") : NULL;
}

/* mkdir -p; what exists is left as it is. */
static void make_directories(const char *path)
{
    char *copy = qn_strdup(path);
    if (copy == NULL) return;
    for (char *at = copy + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        (void)mkdir(copy, 0700);
        *at = '/';
    }
    (void)mkdir(copy, 0700);
    qn_free(copy);
}

/* A descriptor of the directory, if it is ours alone to write to; -1 otherwise. */
static int open_directory(const char *path, int make)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make) {
        make_directories(path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) return -1;
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* ---- one file ---- */

static void file_name(const char *key, char name[NAME_BYTES])
{
    XXH128_hash_t hash = XXH3_128bits(key, strlen(key));
    (void)snprintf(name, NAME_BYTES, "%016llx%016llx" SUFFIX, (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
}

static void checksum(const char *key, size_t key_bytes, const void *image, size_t size,
                     uint64_t check[2])
{
    XXH128_hash_t first = XXH3_128bits(key, key_bytes);
    XXH128_hash_t hash = XXH3_128bits_withSeed(image, size, first.low64 ^ first.high64);
    check[0] = hash.low64;
    check[1] = hash.high64;
}

static int read_all(int fd, void *to, size_t size)
{
    char *at = to;
    while (size > 0) {
        ssize_t n = read(fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        at += n;
        size -= (size_t)n;
    }
    return 1;
}

static int write_all(int fd, const void *from, size_t size)
{
    const char *at = from;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        at += n;
        size -= (size_t)n;
    }
    return 1;
}

/* The file's body (key, then image) if everything about it is right; NULL otherwise. */
static char *read_body(int fd, const char *key, struct head *head)
{
    struct stat st;
    uint64_t check[2], body, whole;
    size_t key_bytes = strlen(key);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) return NULL;
    if (!read_all(fd, head, sizeof *head) || memcmp(head->magic, magic, sizeof magic) != 0 ||
        head->key_bytes != key_bytes || head->image_bytes == 0 ||
        qn_add_u64(head->key_bytes, head->image_bytes, &body) ||
        qn_add_u64(body, sizeof *head, &whole) || whole != (uint64_t)st.st_size ||
        whole > LARGEST_FILE)
        return NULL;
    char *bytes = qn_alloc((size_t)body, 1);
    if (bytes == NULL) return NULL;
    if (read_all(fd, bytes, (size_t)body) && memcmp(bytes, key, key_bytes) == 0) {
        checksum(key, key_bytes, bytes + key_bytes, (size_t)head->image_bytes, check);
        if (memcmp(check, head->check, sizeof check) == 0) return bytes;
    }
    qn_free(bytes);
    return NULL;
}

int qn_cache_read(const char *directory, const char *key, void **image, size_t *size)
{
    char name[NAME_BYTES];
    struct head head;
    int hit = 0;
    *image = NULL;
    *size = 0;
    int at = open_directory(directory, 0);
    if (at < 0) return 0;
    file_name(key, name);
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        char *body = read_body(fd, key, &head);
        if (body != NULL) {
            memmove(body, body + head.key_bytes, (size_t)head.image_bytes);
            *image = body;
            *size = (size_t)head.image_bytes;
            hit = 1;
            (void)futimens(fd, NULL); /* used now: the sweep goes by this */
        }
        (void)close(fd);
        if (!hit) (void)unlinkat(at, name, 0);
    }
    (void)close(at);
    return hit;
}

void qn_cache_drop(const char *directory, const char *key)
{
    char name[NAME_BYTES];
    int at = open_directory(directory, 0);
    if (at < 0) return;
    file_name(key, name);
    (void)unlinkat(at, name, 0);
    (void)close(at);
}

/* ---- keeping it small ---- */

struct found {
    char name[NAME_BYTES];
    struct timespec used;
    uint64_t bytes;
};

static int older_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && strcmp(name + n - m, ending) == 0;
}

/* All cache files of the directory; temporary ones that nobody will finish are removed. NULL when
 * there are none or memory is short. */
static struct found *list_files(int at, DIR *directory, size_t *count, uint64_t *total)
{
    struct found *files = NULL;
    size_t room = 0;
    time_t now = time(NULL);
    const struct dirent *entry;
    *count = 0;
    *total = 0;
    while ((entry = readdir(directory)) != NULL) {
        struct stat st;
        if (strlen(entry->d_name) >= NAME_BYTES ||
            fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (ends_with(entry->d_name, TEMPORARY) && st.st_mtime + ABANDONED_SECONDS < now)
            (void)unlinkat(at, entry->d_name, 0);
        if (!ends_with(entry->d_name, SUFFIX)) continue;
        if (*count == room) {
            struct found *more = qn_realloc(files, room * 2 + 64, sizeof *more);
            if (more == NULL) break;
            files = more;
            room = room * 2 + 64;
        }
        struct found *f = &files[(*count)++];
        (void)snprintf(f->name, sizeof f->name, "%s", entry->d_name);
        f->used = st.st_mtim;
        f->bytes = (uint64_t)st.st_size;
        *total += f->bytes;
    }
    return files;
}

static void sweep(int at, uint64_t cap)
{
    size_t count;
    uint64_t total;
    int again = dup(at);
    DIR *directory = again >= 0 ? fdopendir(again) : NULL;
    if (directory == NULL) {
        if (again >= 0) (void)close(again);
        return;
    }
    struct found *files = list_files(at, directory, &count, &total);
    if (files != NULL && total > cap) {
        qsort(files, count, sizeof *files, older_first);
        for (size_t i = 0; i < count && total > cap; i++) {
            if (unlinkat(at, files[i].name, 0) == 0) total -= files[i].bytes;
        }
    }
    qn_free(files);
    (void)closedir(directory);
}

void qn_cache_write(const char *directory, const char *key, const void *image, size_t size,
                    uint64_t cap)
{
    static _Atomic uint32_t serial;
    char name[NAME_BYTES], temporary[NAME_BYTES];
    size_t key_bytes = strlen(key);
    struct head head = {.key_bytes = key_bytes, .image_bytes = size};
    if (size == 0 || size > LARGEST_FILE - sizeof head - key_bytes) return;
    int at = open_directory(directory, 1);
    if (at < 0) return;
    memcpy(head.magic, magic, sizeof magic);
    checksum(key, key_bytes, image, size, head.check);
    file_name(key, name);
    (void)snprintf(temporary, sizeof temporary, "%lx-%llx-%x" TEMPORARY, (unsigned long)getpid(),
                   (unsigned long long)qn_clock_ns(), atomic_fetch_add(&serial, 1));
    int fd = openat(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        int whole = write_all(fd, &head, sizeof head) && write_all(fd, key, key_bytes) &&
                    write_all(fd, image, size) && fsync(fd) == 0;
        whole = close(fd) == 0 && whole;
        if (!whole || renameat(at, temporary, at, name) != 0)
            (void)unlinkat(at, temporary, 0);
        else
            sweep(at, cap);
    }
    (void)close(at);
}
