/* SPDX-License-Identifier: Apache-2.0
 * What a run did, told three ways: a summary, a JSON trace, a page. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static json_t *ledger_json(quern_context *context)
{
    quern_ledger l = {.struct_size = sizeof l};
    quern_context_ledger(context, &l);
#define ENTRY(field) #field, (json_int_t)l.field
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     ENTRY(input_to_device), ENTRY(output_from_device), ENTRY(control_to_device),
                     ENTRY(control_from_device), ENTRY(on_device), ENTRY(wrapped), ENTRY(launches),
                     ENTRY(kernel_ns), ENTRY(wait_ns), ENTRY(compiles), ENTRY(cache_hits),
                     ENTRY(passes));
#undef ENTRY
}

static json_t *decisions_json(quern_context *context)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < quern_context_decisions(context); i++) {
        quern_decision d = {.struct_size = sizeof d};
        if (quern_context_decision(context, i, &d) != QUERN_OK) continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "step", d.step,
                                              "operation", d.operation, "device", d.device,
                                              "implementation", d.implementation, "reason",
                                              d.reason, "count", (json_int_t)d.count));
    }
    return list;
}

static json_t *pool_json(quern_context *context)
{
    quern_pool_stats p = {.struct_size = sizeof p};
    quern_context_pool(context, &p);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "slabs", (int)p.slabs, "held_peak",
                     (json_int_t)p.held_peak, "used_peak", (json_int_t)p.used_peak, "takes",
                     (json_int_t)p.takes, "reused", (json_int_t)p.reused, "grows",
                     (json_int_t)p.grows, "failures", (json_int_t)p.failures);
}

json_t *story_json(const struct story *s)
{
    const quern_job_info *i = &s->info;
    json_t *stages = json_pack("{s:I, s:I, s:I, s:I}", "read_ns", (json_int_t)i->read_ns, "fit_ns",
                               (json_int_t)i->fit_ns, "transform_ns", (json_int_t)i->transform_ns,
                               "write_ns", (json_int_t)i->write_ns);
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:i, s:I, s:i, s:i, s:b, s:b, s:i, s:i, s:o, s:o, s:o, s:o}", "quern",
        1, "command", s->command, "device", quern_context_device(s->context), "device_reason",
        quern_context_reason(s->context), "threads", (int)quern_context_threads(s->context), "rows",
        (json_int_t)i->rows, "input_columns", (int)i->input_columns, "output_columns",
        (int)i->output_columns, "sparse", i->sparse, "streamed", i->streamed, "planned_passes",
        (int)i->planned_passes, "passes", (int)i->passes, "stages", stages, "ledger",
        ledger_json(s->context), "pool", pool_json(s->context), "decisions",
        decisions_json(s->context));
}

int write_text_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    int bad = file == NULL || fputs(text, file) == EOF;
    if (file != NULL) bad |= fclose(file) != 0;
    if (!bad) return EXIT_DONE;
    complain("%s: cannot be written", path);
    return EXIT_FAILED;
}

int save_trace(const struct story *s)
{
    json_t *root = story_json(s);
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    if (text == NULL) {
        complain("out of memory");
        return EXIT_FAILED;
    }
    int code = write_text_file(s->options->trace, text);
    quern_free(text);
    return code;
}

static const char *amount(uint64_t bytes, char *out, size_t size)
{
    if (bytes >= (uint64_t)10 << 20)
        (void)snprintf(out, size, "%.1f MiB", (double)bytes / 1048576.0);
    else
        (void)snprintf(out, size, "%llu bytes", (unsigned long long)bytes);
    return out;
}

void print_summary(const struct story *s)
{
    const quern_job_info *i = &s->info;
    quern_ledger l = {.struct_size = sizeof l};
    char a[48], b[48], c[48];
    quern_context_ledger(s->context, &l);
    fprintf(stderr, "%llu rows, %u columns in, %u columns out%s\n", (unsigned long long)i->rows,
            i->input_columns, i->output_columns, i->sparse ? " (sparse)" : "");
    fprintf(stderr, "device %s (%s), %u threads\n", quern_context_device(s->context),
            quern_context_reason(s->context), quern_context_threads(s->context));
    fprintf(stderr, "read %.1f ms, fit %.1f ms, transform %.1f ms, write %.1f ms\n", ms(i->read_ns),
            ms(i->fit_ns), ms(i->transform_ns), ms(i->write_ns));
    if (i->streamed)
        fprintf(stderr, "%u passes over the file, %u planned\n", i->passes, i->planned_passes);
    fprintf(stderr, "to the device %s, back %s, used in place %s, %llu launches\n",
            amount(l.input_to_device, a, sizeof a), amount(l.output_from_device, b, sizeof b),
            amount(l.wrapped, c, sizeof c), (unsigned long long)l.launches);
    for (uint32_t k = 0; k < quern_context_decisions(s->context); k++) {
        quern_decision d = {.struct_size = sizeof d};
        if (quern_context_decision(s->context, k, &d) == QUERN_OK)
            fprintf(stderr, "  %s %s: %s on %s%s%s\n", d.step, d.operation, d.implementation,
                    d.device, d.reason[0] != '\0' && s->options->log >= QUERN_LOG_INFO ? "; " : "",
                    s->options->log >= QUERN_LOG_INFO ? d.reason : "");
    }
    if (s->options->output != NULL && strcmp(s->options->output, "-") != 0)
        fprintf(stderr, "wrote %s\n", s->options->output);
    if (s->options->model != NULL) fprintf(stderr, "wrote %s\n", s->options->model);
}
