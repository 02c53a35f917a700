/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled kernels of one device. A source is compiled once per device and set of options; behind
 * the table stands the cache on disk. A device has a few dozen entries at most, so the table is a
 * list compared by hash. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "host/device/cache.h"
#include "host/device/device.h"

struct named_kernel {
    char *name;
    struct qn_kernel *kernel;
    struct named_kernel *next;
};

struct qn_kernel_entry {
    uint64_t hash;
    char *source, *options;
    struct qn_module *module;
    struct named_kernel *kernels;
    struct qn_kernel_entry *next;
};

/* Text made at run time may differ under one name, so it counts; embedded text cannot. */
static uint64_t hash_of(const struct qn_source *source)
{
    uint64_t hash = XXH3_64bits(source->name, strlen(source->name));
    hash = XXH3_64bits_withSeed(source->options, strlen(source->options), hash);
    if (source->image_key == NULL) hash = XXH3_64bits_withSeed(source->text, source->bytes, hash);
    return hash;
}

static void entry_free(struct qn_device *device, struct qn_kernel_entry *entry)
{
    while (entry->kernels != NULL) {
        struct named_kernel *kernel = entry->kernels;
        entry->kernels = kernel->next;
        qn_free(kernel->name);
        qn_free(kernel);
    }
    if (entry->module != NULL) device->driver->module_free(device->dev, entry->module);
    qn_free(entry->source);
    qn_free(entry->options);
    qn_free(entry);
}

void qn_device_kernels_free(struct qn_device *device)
{
    while (device->kernels != NULL) {
        struct qn_kernel_entry *entry = device->kernels;
        device->kernels = entry->next;
        entry_free(device, entry);
    }
}

/* Everything that the image depends on, one name=value per line. NULL: no memory. */
static char *cache_key(const struct qn_device *device, const struct qn_source *source)
{
    XXH128_hash_t hash = XXH3_128bits(source->text, source->bytes);
    size_t room = strlen(source->name) + strlen(source->options) + 1024;
    char *key = qn_alloc(room, 1);
    if (key == NULL) return NULL;
    (void)snprintf(key, room,
                   "library=%s\nsource=%s %zu %016" PRIx64 "%016" PRIx64
                   "\noptions=%s\nbackend=%s\ndevice=%s\ncompute=%" PRIu32 "\nfeatures=%" PRIx32
                   "\ndriver=%s\n",
                   QUERN_VERSION_STRING, source->name, source->bytes, (uint64_t)hash.high64,
                   (uint64_t)hash.low64, source->options, device->driver->name, device->caps.name,
                   device->caps.compute, device->caps.features, device->caps.driver);
    return key;
}

static int images(const struct qn_device *device)
{
    return device->cache_dir != NULL && QN_HAS(device->driver, image_save) &&
           QN_HAS(device->driver, image_load);
}

/* NULL: not there, or the driver did not want it. */
static struct qn_module *load(struct qn_device *device, const struct qn_source *source,
                              const char *key)
{
    void *image;
    size_t size;
    struct qn_module *module = NULL;
    if (!qn_cache_read(device->cache_dir, key, &image, &size)) return NULL;
    quern_status status = device->driver->image_load(device->dev, source, image, size, &module);
    qn_free(image);
    if (status != QUERN_OK) {
        qn_cache_drop(device->cache_dir, key);
        return NULL;
    }
    device->ledger.cache_hits++;
    return module;
}

static void save(struct qn_device *device, const char *key, struct qn_module *module)
{
    void *image = NULL;
    size_t size = 0;
    if (device->driver->image_save(module, &image, &size) == QUERN_OK && image != NULL)
        qn_cache_write(device->cache_dir, key, image, size, QN_CACHE_CAP);
    qn_free(image);
}

/* From the cache, else from the compiler. A module made by the compiler is handed to `*fresh`: it is
 * saved after its first kernel was made, since some drivers finish their work only then. */
static quern_status module_make(struct qn_device *device, const struct qn_source *source,
                                struct qn_module **out, int *fresh)
{
    char *key = images(device) ? cache_key(device, source) : NULL;
    *fresh = 0;
    *out = key != NULL ? load(device, source, key) : NULL;
    qn_free(key);
    if (*out != NULL) return QUERN_OK;
    QN_TRY(device->driver->compile(device->dev, source, out));
    device->ledger.compiles++;
    *fresh = 1;
    return QUERN_OK;
}

static quern_status entry_make(struct qn_device *device, const struct qn_source *source,
                               uint64_t hash, struct qn_kernel_entry **out, int *fresh)
{
    quern_status status = QUERN_OK;
    struct qn_kernel_entry *entry = qn_zalloc(1, sizeof *entry);
    if (entry == NULL) return qn_error_memory("kernels", sizeof *entry);
    entry->hash = hash;
    entry->source = qn_strdup(source->name);
    entry->options = qn_strdup(source->options);
    if (entry->source == NULL || entry->options == NULL) {
        status = qn_error_memory("kernels", strlen(source->options));
        goto cleanup;
    }
    QN_GO(module_make(device, source, &entry->module, fresh));
    entry->next = device->kernels;
    device->kernels = entry;
    *out = entry;
    return QUERN_OK;
cleanup:
    entry_free(device, entry);
    return status;
}

static struct qn_kernel_entry *entry_find(const struct qn_device *device,
                                          const struct qn_source *source, uint64_t hash)
{
    struct qn_kernel_entry *entry = device->kernels;
    while (entry != NULL && (entry->hash != hash || strcmp(entry->source, source->name) != 0 ||
                             strcmp(entry->options, source->options) != 0))
        entry = entry->next;
    return entry;
}

static quern_status kernel_make(struct qn_device *device, struct qn_kernel_entry *entry,
                                const char *name, struct qn_kernel **out)
{
    struct named_kernel *named = qn_zalloc(1, sizeof *named);
    if (named == NULL) return qn_error_memory("kernels", sizeof *named);
    named->name = qn_strdup(name);
    quern_status status = named->name != NULL
                              ? device->driver->kernel_get(entry->module, name, &named->kernel)
                              : qn_error_memory("kernels", strlen(name));
    if (status != QUERN_OK) {
        qn_free(named->name);
        qn_free(named);
        return status;
    }
    named->next = entry->kernels;
    entry->kernels = named;
    *out = named->kernel;
    return QUERN_OK;
}

quern_status qn_device_kernel(struct qn_device *device, const struct qn_source *source,
                              const char *name, struct qn_kernel **out)
{
    struct qn_source whole = *source;
    int fresh = 0;
    *out = NULL;
    if (device->lost) return qn_error(QUERN_DEVICE_LOST, "%s: the device was lost", device->id);
    if ((device->caps.features & QN_FEATURE_KERNELS) == 0 || !QN_HAS(device->driver, compile))
        return qn_error(QUERN_UNSUPPORTED, "%s runs no kernels%s%s", device->id,
                        device->limits[0] != '\0' ? ": " : "", device->limits);
    if (whole.options == NULL) whole.options = "";
    uint64_t hash = hash_of(&whole);
    struct qn_kernel_entry *entry = entry_find(device, &whole, hash);
    quern_status status = QUERN_OK;
    if (entry == NULL) status = entry_make(device, &whole, hash, &entry, &fresh);
    for (struct named_kernel *k = entry != NULL ? entry->kernels : NULL; k != NULL; k = k->next) {
        if (strcmp(k->name, name) != 0) continue;
        *out = k->kernel;
        return QUERN_OK;
    }
    if (status == QUERN_OK) status = kernel_make(device, entry, name, out);
    if (status != QUERN_OK) {
        if (status == QUERN_DEVICE_LOST) device->lost = 1;
        return qn_error_context(status, "%s: kernel %s of %s", device->id, name, source->name);
    }
    if (fresh && images(device)) {
        char *key = cache_key(device, &whole);
        if (key != NULL) save(device, key, entry->module);
        qn_free(key);
    }
    return QUERN_OK;
}
