/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void usage(FILE *to)
{
    fputs("quern: GPU-accelerated preprocessing for machine learning\n\nusage: quern COMMAND …\n\n",
          to);
    for (int i = 0; i < n_commands; i++)
        fprintf(to, "  %-10s %-18s %s\n", commands[i].name, commands[i].operands,
                commands[i].summary);
    fputs("\nquern COMMAND --help explains a command; quern --version prints the version.\n"
          "INPUT is .csv or .tsv (also .gz, .zst; - is standard input) or .npy.\n",
          to);
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < n_commands; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

/* The command that shares the longest beginning with the word, for a hint. */
static const char *nearest(const char *word)
{
    const char *best = NULL;
    size_t most = 0;
    for (int i = 0; i < n_commands; i++) {
        size_t k = 0;
        while (word[k] != '\0' && word[k] == commands[i].name[k]) k++;
        if (k > most) {
            most = k;
            best = commands[i].name;
        }
    }
    return best;
}

/* The exit code, unless what was printed did not arrive: a full disk, a closed pipe. */
static int done(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    complain("standard output cannot be written");
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct options options;
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        const struct command *wanted = argc > 2 ? find(argv[2]) : NULL;
        if (wanted != NULL)
            print_help(wanted);
        else
            usage(stdout);
        return done(EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("quern %s\n", quern_version());
        return done(EXIT_DONE);
    }
    const struct command *command = find(argv[1]);
    if (command == NULL) {
        const char *near = nearest(argv[1]);
        complain("there is no command \"%s\"%s%s%s", argv[1],
                 near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                 near != NULL ? "\"?" : "");
        return EXIT_USAGE;
    }
    int code = parse_options(command, argc - 2, argv + 2, &options);
    if (code != EXIT_DONE) return code;
    if (options.help) {
        print_help(command);
        return done(EXIT_DONE);
    }
    return done(command->run(&options));
}
