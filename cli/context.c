/* SPDX-License-Identifier: Apache-2.0
 * A context for a command: messages, a progress bar on terminals, Ctrl-C. */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* Atomic, and not sig_atomic_t alone: the signal may reach a thread that an OpenCL driver made. */
static atomic_int interrupted;

/* The bar's state: one per process is enough, there is one context. */
static struct {
    quern_log_level level;
    int quiet, bar, shown;
    double next; /* not drawn before this time */
} screen;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(void)
{
    if (!screen.shown) return;
    fputs("\r\033[K", stderr);
    screen.shown = 0;
}

void complain(const char *format, ...)
{
    va_list args;
    clear_bar();
    fputs("quern: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int failed(void)
{
    complain("%s", quern_last_error());
    return EXIT_FAILED;
}

/* The first Ctrl-C asks; a second one, while the asking has no effect yet, ends the program. */
static void on_interrupt(int number)
{
    if (atomic_exchange(&interrupted, 1)) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
}

static void on_log(void *user, quern_log_level level, const char *text)
{
    (void)user;
    if (level > screen.level || (screen.quiet && level != QUERN_LOG_ERROR)) return;
    clear_bar();
    fprintf(stderr, "quern: %s%s\n", level == QUERN_LOG_WARNING ? "warning: " : "", text);
}

static void on_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)user;
    if (!screen.bar || total == 0) return;
    double now = seconds();
    if (now < screen.next) return;
    screen.next = now + 0.1;
    int width = 30, filled = (int)((double)done / (double)total * width);
    if (filled > width) filled = width;
    fprintf(stderr, "\r%-10s [", stage);
    for (int i = 0; i < width; i++) fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] %3d %%\033[K", (int)((double)done / (double)total * 100));
    (void)fflush(stderr);
    screen.shown = 1;
}

static int on_cancel(void *user)
{
    (void)user;
    return atomic_load(&interrupted);
}

quern_context *open_context(const struct options *options)
{
    quern_context *context;
    screen.level = options->log;
    screen.quiet = options->quiet;
    screen.bar = !options->quiet && isatty(STDERR_FILENO);
    screen.next = seconds() + 0.5; /* short work shows no bar */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error with a message */
    quern_context_config config = {
        .struct_size = sizeof config,
        .device = options->device,
        .threads = options->threads,
        .fallback = options->fallback,
        .max_memory = options->max_memory,
        .device_times = options->trace != NULL || options->report != NULL,
        .log = on_log,
        .progress = on_progress,
        .cancel = on_cancel,
    };
    if (quern_context_open(&config, &context) == QUERN_OK) return context;
    (void)failed();
    return NULL;
}

void close_context(quern_context *context)
{
    clear_bar();
    (void)quern_context_close(context);
}
