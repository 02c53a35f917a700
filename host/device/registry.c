/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/device/device.h"

const struct qn_driver *const *qn_drivers(uint32_t *count)
{
    static const struct qn_driver *const drivers[] = {&qn_driver_cuda, &qn_driver_opencl,
                                                      &qn_driver_cpu};
    *count = sizeof drivers / sizeof drivers[0];
    return drivers;
}

/* ---- making the list ---- */

static quern_status append(struct qn_device_list *list, const struct qn_driver *driver,
                           struct qn_device_entry **out)
{
    size_t n = (size_t)list->count + 1;
    struct qn_device_entry *entries = qn_realloc(list->entries, n, sizeof *entries);
    if (entries == NULL) return qn_error_memory("device list", n * sizeof *entries);
    list->entries = entries;
    *out = &entries[list->count++];
    memset(*out, 0, sizeof **out);
    (*out)->driver = driver;
    return QUERN_OK;
}

static quern_status append_absent(struct qn_device_list *list, const struct qn_driver *driver,
                                  const char *why)
{
    struct qn_device_entry *entry = NULL;
    QN_TRY(append(list, driver, &entry));
    (void)snprintf(entry->id, sizeof entry->id, "%s", driver->name);
    (void)snprintf(entry->why, sizeof entry->why, "%s",
                   why != NULL && why[0] != '\0' ? why : "no device found");
    return QUERN_OK;
}

/* The same hardware through an earlier driver, by its PCI address or uuid. */
static void mark_same(struct qn_device_list *list, struct qn_device_entry *entry)
{
    if (entry->caps.uid[0] == '\0') return;
    for (const struct qn_device_entry *e = list->entries; e != entry; e++) {
        if (!e->present || e->driver == entry->driver || e->same_as[0] != '\0' ||
            strcmp(e->caps.uid, entry->caps.uid) != 0)
            continue;
        memcpy(entry->same_as, e->id, sizeof entry->same_as);
        return;
    }
}

static quern_status append_driver(struct qn_device_list *list, const struct qn_driver *driver)
{
    uint32_t count = 0;
    const char *why = NULL;
    if (driver->count(&count, &why) != QUERN_OK)
        return append_absent(list, driver, qn_error_text());
    if (count == 0) return append_absent(list, driver, why);
    for (uint32_t i = 0; i < count; i++) {
        struct qn_device_entry *entry = NULL;
        QN_TRY(append(list, driver, &entry));
        entry->index = i;
        if (strcmp(driver->name, "cpu") == 0)
            (void)snprintf(entry->id, sizeof entry->id, "cpu");
        else
            (void)snprintf(entry->id, sizeof entry->id, "%s:%u", driver->name, i);
        /* A device that cannot even be described must not hide its neighbours. */
        entry->present = driver->caps(i, &entry->caps) == QUERN_OK;
        if (entry->present)
            mark_same(list, entry);
        else
            (void)snprintf(entry->why, sizeof entry->why, "%s", qn_error_text());
    }
    return QUERN_OK;
}

quern_status qn_device_list_make(const struct qn_driver *const *drivers, uint32_t n_drivers,
                                 struct qn_device_list *out)
{
    *out = (struct qn_device_list){0};
    for (uint32_t d = 0; d < n_drivers; d++) {
        quern_status status = append_driver(out, drivers[d]);
        if (status != QUERN_OK) {
            qn_device_list_free(out);
            return status;
        }
    }
    return QUERN_OK;
}

void qn_device_list_ask_notes(struct qn_device_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct qn_device_entry *entry = &list->entries[i];
        if (!QN_HAS(entry->driver, notes)) continue;
        entry->driver->notes(entry->index, entry->notes, sizeof entry->notes);
        if (!entry->present && strncmp(entry->notes, entry->why, sizeof entry->why - 1) == 0)
            entry->notes[0] = '\0'; /* said already */
    }
}

void qn_device_list_free(struct qn_device_list *list)
{
    qn_free(list->entries);
    *list = (struct qn_device_list){0};
}

/* ---- finding by name ---- */

/* 1 when `part` occurs in `text`, letter case aside. */
static int contains(const char *text, const char *part)
{
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (part[i] != '\0' &&
               tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (part[i] == '\0') return 1;
    }
    return part[0] == '\0';
}

/* "opencl:pocl": driver name, then what follows the colon (NULL without one). */
static int names_driver(const char *name, const struct qn_driver *driver, const char **rest)
{
    size_t n = strlen(driver->name);
    if (strncmp(name, driver->name, n) != 0 || (name[n] != '\0' && name[n] != ':')) return 0;
    *rest = name[n] == ':' ? name + n + 1 : NULL;
    return 1;
}

static int matches(const struct qn_device_entry *entry, const char *rest)
{
    char *end;
    if (rest == NULL) return 1;
    unsigned long index = strtoul(rest, &end, 10);
    if (rest[0] >= '0' && rest[0] <= '9' && *end == '\0') return index == entry->index;
    return rest[0] != '\0' &&
           (contains(entry->caps.name, rest) || contains(entry->caps.driver, rest) ||
            contains(entry->caps.uid, rest));
}

/* "cpu, opencl:0": what could have been asked for. */
static void present_ids(const struct qn_device_list *list, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < list->count && used < room; i++) {
        if (!list->entries[i].present) continue;
        int n =
            snprintf(text + used, room - used, "%s%s", used != 0 ? ", " : "", list->entries[i].id);
        if (n > 0) used += (size_t)n;
    }
}

const struct qn_device_entry *qn_device_list_find(const struct qn_device_list *list,
                                                  const char *name)
{
    char ids[256];
    const char *rest;
    const struct qn_device_entry *absent = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct qn_device_entry *entry = &list->entries[i];
        if (!names_driver(name, entry->driver, &rest)) continue;
        if (entry->present && matches(entry, rest)) return entry;
        /* The reason that counts: of the device that was named, or of the whole backend. */
        if (!entry->present &&
            (entry->id[strlen(entry->driver->name)] == '\0' || matches(entry, rest)))
            absent = entry;
    }
    present_ids(list, ids, sizeof ids);
    if (absent != NULL)
        (void)qn_error(QUERN_NO_DEVICE, "device \"%s\": %s", name, absent->why);
    else
        (void)qn_error(QUERN_NO_DEVICE, "device \"%s\": there is none of that name; present: %s",
                       name, ids);
    return NULL;
}
