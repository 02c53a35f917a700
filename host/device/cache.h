/* SPDX-License-Identifier: Apache-2.0
 * Compiled kernels on disk, one file each. The whole key is stored and compared and the image has a
 * checksum, so a collision, a torn or a forged file costs a compilation and never runs a wrong
 * kernel. Any trouble is a silent miss: nothing here returns an error. */
#ifndef QN_CACHE_H
#define QN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define QN_CACHE_CAP ((uint64_t)256 << 20) /* bytes; the least recently used go first */

/* Where the cache is: `configured` ("off": nowhere), else QUERN_CACHE_DIR, XDG_CACHE_HOME/quern,
 * HOME/.cache/quern. NULL: no cache. The caller frees it with qn_free. */
char *qn_cache_directory(const char *configured);

/* 1: *image (qn_free) is what was stored under the key. */
int qn_cache_read(const char *directory, const char *key, void **image, size_t *size);
void qn_cache_write(const char *directory, const char *key, const void *image, size_t size,
                    uint64_t cap);
/* The image under the key was no good to the driver. */
void qn_cache_drop(const char *directory, const char *key);

#endif
