/* SPDX-License-Identifier: Apache-2.0
 * Gives the files of folders, or single files, to a fuzz target, one after the other: the committed inputs
 * run in every build tree, without clang. An allocation that no small input can need ends the process
 * (linked with --wrap), so that headers which are believed are noticed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { MOST_FILES = 4096, PATH = 1024 };

static const size_t most_bytes = (size_t)64 << 20; /* as tests/fuzz/run has it */

void *__real_malloc(size_t);                /* NOLINT(bugprone-reserved-identifier): the linker's */
void *__real_calloc(size_t, size_t);        /* NOLINT(bugprone-reserved-identifier) */
void *__real_realloc(void *, size_t);       /* NOLINT(bugprone-reserved-identifier) */
void *__real_aligned_alloc(size_t, size_t); /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_malloc(size_t);                /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_calloc(size_t, size_t);        /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_realloc(void *, size_t);       /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_aligned_alloc(size_t, size_t); /* NOLINT(bugprone-reserved-identifier) */

static void limit(size_t bytes)
{
    if (bytes <= most_bytes) return;
    (void)fprintf(stderr, "an allocation of %zu bytes; the limit is %zu\n", bytes, most_bytes);
    exit(1);
}

void *__wrap_malloc(size_t bytes) /* NOLINT(bugprone-reserved-identifier) */
{
    limit(bytes);
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) /* NOLINT(bugprone-reserved-identifier) */
{
    limit(bytes != 0 && count > most_bytes / bytes ? most_bytes + 1 : count * bytes);
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes) /* NOLINT(bugprone-reserved-identifier) */
{
    limit(bytes);
    return __real_realloc(old, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes) /* NOLINT(bugprone-reserved-identifier) */
{
    limit(bytes);
    return __real_aligned_alloc(align, bytes);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 1: the file was read and the target lived. */
static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    int ok = 0;
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        if (f != NULL) (void)fclose(f);
        return 0;
    }
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = size >= 0 ? malloc((size_t)size + (size == 0)) : NULL; /* of its exact size */
    if (bytes != NULL && fread(bytes, 1, (size_t)size, f) == (size_t)size) {
        (void)printf("%s\n", path);
        (void)fflush(stdout); /* the last line of a target that dies names its input */
        ok = LLVMFuzzerTestOneInput(bytes, (size_t)size) == 0;
    }
    free(bytes);
    (void)fclose(f);
    return ok;
}

/* Adds what the folder holds to `paths`, in the order of names. A path that is no folder is one file. */
static size_t list(const char *folder, char **paths, size_t n)
{
    DIR *open = opendir(folder);
    size_t first = n;
    if (open == NULL) {
        paths[n] = strdup(folder);
        return n + (paths[n] != NULL);
    }
    for (struct dirent *entry = readdir(open); entry != NULL && n < MOST_FILES;
         entry = readdir(open)) {
        char path[PATH];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%.700s/%.300s", folder, entry->d_name);
        paths[n] = strdup(path);
        if (paths[n] != NULL) n++;
    }
    (void)closedir(open);
    qsort(paths + first, n - first, sizeof *paths, by_name);
    return n;
}

int main(int argc, char **argv)
{
    static char *paths[MOST_FILES + 64];
    size_t n = 0, passed = 0;
    for (int i = 1; i < argc && n < MOST_FILES; i++) n = list(argv[i], paths, n);
    for (size_t i = 0; i < n; i++) {
        passed += (size_t)replay(paths[i]);
        free(paths[i]);
    }
    (void)printf("%zu passed, %zu failed\n", passed, n - passed);
    return n == 0 || passed != n;
}
