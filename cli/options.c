/* SPDX-License-Identifier: Apache-2.0
 * The table of commands and their options; parsing and help both come from it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define AT(field) offsetof(struct options, field)

#define COMMON                                                                                     \
    {"--device", NULL, TEXT,                                                                       \
     AT(device), "D",  "auto, cpu, opencl:N or cuda:N (default: QUERN_DEVICE, else auto)"},        \
        {"--fallback", NULL, FALLBACK,                                                             \
         AT(fallback), "F",  "when the device cannot: never, report (default) or quiet"},          \
        {"--threads", NULL, COUNT,                                                                 \
         AT(threads), "N",  "CPU threads (default: all that the process may use)"},                \
        {"--max-memory", NULL,                                                                     \
         SIZE,           AT(max_memory),                                                           \
         "SIZE",         "host memory for a run, as 200M or 4G; larger files are read in passes"}, \
        {"--quiet", NULL, FLAG, AT(quiet), NULL, "no summary, no progress, no warnings"},          \
        {"--log", NULL, LOG_LEVEL, AT(log), "LEVEL", "error, warning (default), info or debug"},   \
    {                                                                                              \
        "--help", "-h", FLAG, AT(help), NULL, "this text"                                          \
    }

static const struct option_rule DEVICES[] = {
    {"--json", NULL, FLAG, AT(json), NULL, "machine-readable (docs/schemas/devices.json)"},
    {"--check", NULL, FLAG, AT(check), NULL, "open every device and run its self test"},
    COMMON,
};
static const struct option_rule RUN[] = {
    {"--output", "-o", TEXT, AT(output), "OUT",
     ".npy, .npz (sparse) or .csv; - is CSV on standard output"},
    {"--model", NULL, TEXT, AT(model), "M", "save the fitted model"},
    {"--names", NULL, TEXT, AT(names), "F", "save the output's column names and dtypes as JSON"},
    {"--report", NULL, TEXT, AT(report), "R.html", "save a page that shows what ran where"},
    {"--trace", NULL, TEXT, AT(trace), "T.json",
     "save times, bytes and decisions (docs/schemas/trace.json)"},
    COMMON,
};
static const struct option_rule FIT[] = {
    {"--model", NULL, TEXT, AT(model), "M", "where the model goes (required)"},
    {"--report", NULL, TEXT, AT(report), "R.html", "save a page that shows what ran where"},
    {"--trace", NULL, TEXT, AT(trace), "T.json",
     "save times, bytes and decisions (docs/schemas/trace.json)"},
    COMMON,
};
static const struct option_rule TRANSFORM[] = {
    {"--output", "-o", TEXT, AT(output), "OUT",
     ".npy, .npz (sparse) or .csv; - is CSV on standard output"},
    {"--names", NULL, TEXT, AT(names), "F", "save the output's column names and dtypes as JSON"},
    {"--report", NULL, TEXT, AT(report), "R.html", "save a page that shows what ran where"},
    {"--trace", NULL, TEXT, AT(trace), "T.json",
     "save times, bytes and decisions (docs/schemas/trace.json)"},
    COMMON,
};
static const struct option_rule INSPECT[] = {
    {"--json", NULL, FLAG, AT(json), NULL,
     "machine-readable (docs/schemas/inspect.json, of a spec plan.json)"},
    COMMON,
};
static const struct option_rule LIST[] = {
    {"--json", NULL, FLAG, AT(json), NULL, "machine-readable (docs/schemas/list.json)"},
    COMMON,
};

#define RULES(table) table, (int)(sizeof table / sizeof *table)

const struct command commands[] = {
    {"devices", "", "what is here, what each can do, why a backend is absent", 0, 0, RULES(DEVICES),
     command_devices},
    {"run", "SPEC INPUT", "fit a pipeline to a table and transform it", 2, 2, RULES(RUN),
     command_run},
    {"fit", "SPEC INPUT", "fit a pipeline and save the model", 2, 2, RULES(FIT), command_fit},
    {"transform", "MODEL INPUT", "transform a table with a saved model", 2, 2, RULES(TRANSFORM),
     command_transform},
    {"inspect", "MODEL | SPEC INPUT", "what a model has learned, or what a run would do", 1, 2,
     RULES(INSPECT), command_inspect},
    {"list", "", "the estimators and their parameters", 0, 0, RULES(LIST), command_list},
};
const int n_commands = (int)(sizeof commands / sizeof *commands);

static int bad_value(const struct option_rule *rule, const char *value, const char *wanted)
{
    complain("%s: \"%s\" is not %s", rule->name, value, wanted);
    return EXIT_USAGE;
}

/* 200M, 4G, 1.5G, 1000000: powers of 1024. */
static int parse_size(const struct option_rule *rule, const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    double unit = 1;
    if (*end == 'K' || *end == 'k') unit = 1024.0;
    if (*end == 'M' || *end == 'm') unit = 1048576.0;
    if (*end == 'G' || *end == 'g') unit = 1073741824.0;
    if (*end == 'T' || *end == 't') unit = 1099511627776.0;
    if (unit > 1) end++;
    if (*end == 'i') end++;
    if (*end == 'B') end++;
    if (end == text || *end != '\0' || errno != 0 || !(value > 0) || value * unit > 9e18)
        return bad_value(rule, text, "a size such as 200M or 4G");
    *out = (uint64_t)(value * unit);
    return EXIT_DONE;
}

static int parse_count(const struct option_rule *rule, const char *text, uint32_t *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < 1 || value > 256)
        return bad_value(rule, text, "a number from 1 to 256");
    *out = (uint32_t)value;
    return EXIT_DONE;
}

static int parse_word(const struct option_rule *rule, const char *text, const char *const *words,
                      int n, int *out)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return EXIT_DONE;
        }
    char wanted[96] = "one of";
    for (int i = 0; i < n; i++) {
        strncat(wanted, i == 0 ? " " : ", ", sizeof wanted - strlen(wanted) - 1);
        strncat(wanted, words[i], sizeof wanted - strlen(wanted) - 1);
    }
    return bad_value(rule, text, wanted);
}

static int set_value(const struct option_rule *rule, const char *text, struct options *out)
{
    static const char *const fallbacks[] = {"report", "never", "quiet"};
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    char *field = (char *)out + rule->offset;
    int word = 0, code = EXIT_DONE;
    switch (rule->kind) {
    case TEXT: memcpy(field, &text, sizeof text); break;
    case FLAG:
        word = 1;
        memcpy(field, &word, sizeof word);
        break;
    case COUNT: code = parse_count(rule, text, &out->threads); break;
    case SIZE: code = parse_size(rule, text, &out->max_memory); break;
    case FALLBACK:
        code = parse_word(rule, text, fallbacks, 3, &word);
        out->fallback = (quern_fallback)word;
        break;
    case LOG_LEVEL:
        code = parse_word(rule, text, levels, 4, &word);
        out->log = (quern_log_level)word;
        break;
    }
    return code;
}

/* The rule for a word, and where its value starts when the word is --name=value. */
static const struct option_rule *find_rule(const struct command *command, const char *word,
                                           const char **value)
{
    *value = NULL;
    for (int i = 0; i < command->n_rules; i++) {
        const struct option_rule *rule = &command->rules[i];
        size_t n = strlen(rule->name);
        if (strcmp(word, rule->name) == 0 ||
            (rule->letter != NULL && strcmp(word, rule->letter) == 0))
            return rule;
        if (strncmp(word, rule->name, n) == 0 && word[n] == '=') {
            *value = word + n + 1;
            return rule;
        }
    }
    return NULL;
}

/* The option that shares the longest beginning with the word, more than its dashes, for a hint. */
static const char *nearest_option(const struct command *command, const char *word)
{
    const char *best = NULL;
    size_t most = 2;
    for (int i = 0; i < command->n_rules; i++) {
        const char *name = command->rules[i].name;
        size_t k = 0;
        while (word[k] != '\0' && word[k] == name[k]) k++;
        if (k > most) {
            most = k;
            best = name;
        }
    }
    return best;
}

static int parse_option(const struct command *command, int argc, char **argv, int *i,
                        struct options *out)
{
    const char *value;
    const struct option_rule *rule = find_rule(command, argv[*i], &value);
    if (rule == NULL) {
        const char *near = nearest_option(command, argv[*i]);
        if (near != NULL)
            complain("%s has no option \"%s\"; did you mean \"%s\"?", command->name, argv[*i],
                     near);
        else
            complain("%s has no option \"%s\"; quern %s --help lists them", command->name, argv[*i],
                     command->name);
        return EXIT_USAGE;
    }
    if (rule->kind == FLAG && value != NULL) return bad_value(rule, value, "wanted here");
    if (rule->kind != FLAG && value == NULL) {
        if (*i + 1 >= argc) {
            complain("%s needs a value", rule->name);
            return EXIT_USAGE;
        }
        value = argv[++*i];
    }
    return set_value(rule, value, out);
}

int parse_options(const struct command *command, int argc, char **argv, struct options *out)
{
    int only_operands = 0;
    memset(out, 0, sizeof *out);
    out->log = QUERN_LOG_WARNING;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = 1;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            int code = parse_option(command, argc, argv, &i, out);
            if (code != EXIT_DONE) return code;
        } else if (out->n_operands < command->most) {
            out->operands[out->n_operands++] = argv[i];
        } else {
            complain("%s: \"%s\" is one operand too many", command->name, argv[i]);
            return EXIT_USAGE;
        }
    }
    if (out->help || out->n_operands >= command->least) return EXIT_DONE;
    complain("usage: quern %s %s; quern %s --help explains", command->name, command->operands,
             command->name);
    return EXIT_USAGE;
}

void print_help(const struct command *command)
{
    printf("usage: quern %s %s [options]\n\n%s\n\n", command->name, command->operands,
           command->summary);
    for (int i = 0; i < command->n_rules; i++) {
        const struct option_rule *rule = &command->rules[i];
        char left[48];
        (void)snprintf(left, sizeof left, "%s%s%s%s%s", rule->letter != NULL ? rule->letter : "",
                       rule->letter != NULL ? ", " : "", rule->name, rule->value != NULL ? " " : "",
                       rule->value != NULL ? rule->value : "");
        printf("  %-22s %s\n", left, rule->doc);
    }
}
