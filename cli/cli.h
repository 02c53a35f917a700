/* SPDX-License-Identifier: Apache-2.0
 * What the commands of the program share. The program sees include/quern and nothing else of the
 * library. Results go to standard output, everything else to standard error. Exit codes: 0 done,
 * 1 failed, 2 wrong usage. */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <quern/quern.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, MOST_OPERANDS = 2 };

struct options {
    const char *operands[MOST_OPERANDS];
    int n_operands;
    const char *output, *model, *names, *report, *trace, *device;
    quern_fallback fallback;
    uint32_t threads;
    uint64_t max_memory;
    int json, check, quiet, help;
    quern_log_level log;
};

/* One option of a command. Values of the same kind are parsed the same way everywhere. */
enum option_kind { TEXT, FLAG, COUNT, SIZE, FALLBACK, LOG_LEVEL };
struct option_rule {
    const char *name;   /* "--output" */
    const char *letter; /* "-o" or NULL */
    enum option_kind kind;
    size_t offset;     /* of the field in struct options */
    const char *value; /* "FILE": what help shows */
    const char *doc;
};

struct command {
    const char *name, *operands, *summary;
    int least, most; /* operands */
    const struct option_rule *rules;
    int n_rules;
    int (*run)(struct options *);
};

extern const struct command commands[];
extern const int n_commands;

/* Fills options; EXIT_DONE, or EXIT_USAGE after a message. */
int parse_options(const struct command *, int argc, char **argv, struct options *out);
void print_help(const struct command *);

/* Messages on standard error: "quern: …". */
void complain(const char *format, ...);
int failed(void); /* prints the library's last error, returns EXIT_FAILED */

/* A context by the options, with log, progress bar and Ctrl-C wired in. NULL: it was said why. */
quern_context *open_context(const struct options *);
void close_context(quern_context *);

/* What a run did: the summary on standard error, the trace and the report as files. */
struct story {
    const struct options *options;
    const char *command;
    quern_context *context;
    const quern_model *model;
    quern_job_info info;
};
void print_summary(const struct story *);
int save_trace(const struct story *);
int save_report(const struct story *);
json_t *story_json(const struct story *);
int write_text_file(const char *path, const char *text);

int command_devices(struct options *);
int command_run(struct options *);
int command_fit(struct options *);
int command_transform(struct options *);
int command_inspect(struct options *);
int command_list(struct options *);

#endif
