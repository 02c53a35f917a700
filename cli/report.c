/* SPDX-License-Identifier: Apache-2.0
 * The page of a run: one file, no script, no link to anywhere. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void escape(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            fputc(*text, to);
    }
}

static void cell(FILE *to, const char *text)
{
    fputs("<td>", to);
    escape(to, text);
    fputs("</td>", to);
}

/* A bar whose parts are the stages, to scale. */
static void stages(FILE *to, const quern_job_info *i)
{
    const struct {
        const char *name, *color;
        uint64_t ns;
    } parts[] = {{"read", "#5b7fa6", i->read_ns},
                 {"fit", "#c27c3c", i->fit_ns},
                 {"transform", "#5f9163", i->transform_ns},
                 {"write", "#8a6d9e", i->write_ns}};
    double total = 0;
    for (int k = 0; k < 4; k++) total += (double)parts[k].ns;
    fputs("<h2>Time</h2><div class=bar>", to);
    for (int k = 0; k < 4 && total > 0; k++)
        fprintf(to, "<span style=\"width:%.2f%%;background:%s\"></span>",
                (double)parts[k].ns / total * 100, parts[k].color);
    fputs("</div><table><tr><th>stage<th>ms<th>share</tr>", to);
    for (int k = 0; k < 4; k++)
        fprintf(to,
                "<tr><td><i style=\"background:%s\"></i> %s</td><td class=n>%.2f</td>"
                "<td class=n>%.0f %%</td></tr>",
                parts[k].color, parts[k].name, (double)parts[k].ns / 1e6,
                total > 0 ? (double)parts[k].ns / total * 100 : 0.0);
    fputs("</table>", to);
}

static void ledger(FILE *to, quern_context *context)
{
    quern_ledger l = {.struct_size = sizeof l};
    quern_context_ledger(context, &l);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"input bytes to the device", l.input_to_device},
                {"output bytes from the device", l.output_from_device},
                {"parameters and statistics, to the device", l.control_to_device},
                {"parameters and statistics, from the device", l.control_from_device},
                {"bytes used in place, without a copy", l.wrapped},
                {"bytes copied inside the device", l.on_device},
                {"kernel launches", l.launches},
                {"kernel time, ns", l.kernel_ns},
                {"kernels compiled", l.compiles},
                {"kernels from the cache", l.cache_hits},
                {"passes over the data", l.passes}};
    fputs("<h2>Ledger</h2><table>", to);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        fprintf(to, "<tr><td>%s</td><td class=n>%llu</td></tr>", rows[k].name,
                (unsigned long long)rows[k].value);
    fputs("</table>", to);
}

static void decisions(FILE *to, quern_context *context)
{
    fputs("<h2>Decisions</h2><table><tr><th>step<th>operation<th>device<th>ran<th>times<th>refused"
          " before it</tr>",
          to);
    for (uint32_t k = 0; k < quern_context_decisions(context); k++) {
        quern_decision d = {.struct_size = sizeof d};
        if (quern_context_decision(context, k, &d) != QUERN_OK) continue;
        fputs("<tr>", to);
        cell(to, d.step);
        cell(to, d.operation);
        cell(to, d.device);
        cell(to, d.implementation);
        fprintf(to, "<td class=n>%llu</td>", (unsigned long long)d.count);
        cell(to, d.reason);
        fputs("</tr>", to);
    }
    fputs("</table>", to);
}

static void outputs(FILE *to, const quern_model *model)
{
    uint32_t n = quern_model_outputs(model);
    fprintf(to, "<h2>Output columns</h2><p class=names>");
    for (uint32_t i = 0; i < n; i++) {
        if (i != 0) fputs(", ", to);
        escape(to, quern_model_output_name(model, i));
    }
    fputs("</p>", to);
}

int save_report(const struct story *s)
{
    FILE *to = fopen(s->options->report, "w");
    if (to == NULL) {
        complain("%s: cannot be written", s->options->report);
        return EXIT_FAILED;
    }
    fputs("<!doctype html><html lang=en><meta charset=utf-8><title>quern run</title><style>"
          "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
          "color:#222;background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}"
          "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;"
          "border-bottom:1px solid #ddd;vertical-align:top}.n{text-align:right;"
          "font-variant-numeric:tabular-nums}.bar{display:flex;height:1.6em;background:#eee}"
          ".bar span{display:block}i{display:inline-block;width:.8em;height:.8em}"
          ".names{font-family:monospace;font-size:.9em}</style>",
          to);
    fprintf(to, "<h1>quern %s: ", s->command);
    escape(to, s->options->operands[1]);
    fprintf(to, "</h1><p>%llu rows, %u columns in, %u columns out%s. Device ",
            (unsigned long long)s->info.rows, s->info.input_columns, s->info.output_columns,
            s->info.sparse ? ", sparse" : "");
    escape(to, quern_context_device(s->context));
    fputs(" (", to);
    escape(to, quern_context_reason(s->context));
    fprintf(to, "), %u threads, quern %s.</p>", quern_context_threads(s->context), quern_version());
    stages(to, &s->info);
    decisions(to, s->context);
    ledger(to, s->context);
    outputs(to, s->model);
    int bad = ferror(to);
    bad |= fclose(to) != 0;
    if (!bad) return EXIT_DONE;
    complain("%s: cannot be written", s->options->report);
    return EXIT_FAILED;
}
