/* SPDX-License-Identifier: Apache-2.0
 * devices: what is here, what each can do, why a backend is absent. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { MOST_DEVICES = 64 };

/* Opens the device, which runs its self test. NULL: fine; else the sentence. */
static const char *check_device(const struct options *options, const char *id)
{
    quern_context *context;
    quern_context_config config = {
        .struct_size = sizeof config, .device = id, .threads = options->threads};
    if (quern_context_open(&config, &context) != QUERN_OK) return quern_last_error();
    (void)quern_context_close(context);
    return NULL;
}

/* The next line of *notes, or NULL; *notes moves behind it. */
static const char *next_note(const char **notes, size_t *size)
{
    const char *line = *notes;
    *size = strcspn(line, "\n");
    *notes = line + *size + (line[*size] != '\0');
    return *size != 0 ? line : NULL;
}

static json_t *notes_json(const char *notes)
{
    json_t *list = json_array();
    size_t size;
    for (const char *line = next_note(&notes, &size); line != NULL; line = next_note(&notes, &size))
        json_array_append_new(list, json_stringn(line, size));
    return list;
}

static void print_notes(const char *notes)
{
    size_t size;
    for (const char *line = next_note(&notes, &size); line != NULL; line = next_note(&notes, &size))
        printf("           %.*s\n", (int)size, line);
}

static json_t *device_json(const struct options *options, const quern_device_info *d)
{
    json_t *one =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:o}", "id", d->id, "present", d->present,
                  "backend", d->backend, "name", d->name, "driver", d->driver, "reason", d->reason,
                  "same_as", d->same_as, "notes", notes_json(d->notes));
    if (!d->present) return one;
    json_object_set_new(one, "memory_total", json_integer((json_int_t)d->memory_total));
    json_object_set_new(one, "memory_free",
                        d->memory_free == UINT64_MAX ? json_null()
                                                     : json_integer((json_int_t)d->memory_free));
    json_object_set_new(one, "max_alloc", json_integer((json_int_t)d->max_alloc));
    json_object_set_new(one, "compute_units", json_integer(d->compute_units));
    json_object_set_new(one, "float64", json_boolean(d->float64));
    json_object_set_new(one, "zero_copy", json_boolean(d->zero_copy));
    json_object_set_new(one, "pinned", json_boolean(d->pinned));
    if (options->check) {
        const char *why = check_device(options, d->id);
        json_object_set_new(one, "check", why == NULL ? json_string("passed") : json_string(why));
    }
    return one;
}

static void print_device(const struct options *options, const quern_device_info *d)
{
    if (!d->present) {
        printf("%-10s absent: %s\n", d->id, d->reason);
        print_notes(d->notes);
        return;
    }
    printf("%-10s %s\n", d->id, d->name);
    printf("           %.1f GiB, largest block %.1f GiB, %u compute units%s%s%s\n",
           (double)d->memory_total / 1073741824.0, (double)d->max_alloc / 1073741824.0,
           d->compute_units, d->float64 ? ", float64" : ", no float64",
           d->zero_copy ? ", zero copy" : "", d->pinned ? ", pinned staging" : "");
    if (d->driver[0] != '\0') printf("           %s\n", d->driver);
    if (d->same_as[0] != '\0') printf("           the same hardware as %s\n", d->same_as);
    if (d->reason[0] != '\0') printf("           %s\n", d->reason);
    print_notes(d->notes);
    if (options->check) {
        const char *why = check_device(options, d->id);
        printf("           self test: %s\n", why == NULL ? "passed" : why);
    }
}

int command_devices(struct options *options)
{
    quern_device_info infos[MOST_DEVICES];
    uint32_t n = 0;
    if (options->device == NULL) options->device = "cpu"; /* looking opens nothing */
    quern_context *context = open_context(options);
    if (context == NULL) return EXIT_FAILED;
    for (int i = 0; i < MOST_DEVICES; i++) infos[i].struct_size = sizeof infos[i];
    if (quern_context_devices(context, infos, MOST_DEVICES, &n) != QUERN_OK) {
        close_context(context);
        return failed();
    }
    if (n > MOST_DEVICES) n = MOST_DEVICES;
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        if (options->json)
            json_array_append_new(list, device_json(options, &infos[i]));
        else
            print_device(options, &infos[i]);
    }
    if (options->json) {
        json_t *root =
            json_pack("{s:i, s:s, s:O}", "quern", 1, "version", quern_version(), "devices", list);
        char *text = json_dumps(root, JSON_INDENT(1));
        puts(text != NULL ? text : "{}");
        quern_free(text);
        json_decref(root);
    }
    json_decref(list);
    close_context(context);
    return EXIT_DONE;
}
