/* SPDX-License-Identifier: Apache-2.0 */
#define QN_STATUS_C /* this file defines what the header renames for clang-tidy */
#include "host/core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char error_text[QN_ERROR_TEXT];

quern_status qn_error(quern_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error_text, sizeof error_text, format, args);
    va_end(args);
    return status;
}

quern_status qn_error_context(quern_status status, const char *format, ...)
{
    char merged[QN_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    int written = vsnprintf(merged, sizeof merged, format, args);
    va_end(args);
    if (written < 0) return status;
    size_t used = (size_t)written < sizeof merged ? (size_t)written : sizeof merged - 1;
    (void)snprintf(merged + used, sizeof merged - used, ": %s", error_text);
    memcpy(error_text, merged, sizeof error_text);
    return status;
}

quern_status qn_error_memory(const char *what, uint64_t bytes)
{
    return qn_error(QUERN_OUT_OF_MEMORY, "out of host memory: %s asked for %llu bytes", what,
                    (unsigned long long)bytes);
}

quern_status qn_error_memory_while(const char *doing)
{
    return qn_error(QUERN_OUT_OF_MEMORY, "out of host memory while %s", doing);
}

const char *qn_error_text(void)
{
    return error_text;
}

void qn_error_clear(void)
{
    error_text[0] = '\0';
}

void qn_error_take(struct qn_failure *out, quern_status status)
{
    out->status = status;
    memcpy(out->text, error_text, sizeof out->text);
}

quern_status qn_error_put(const struct qn_failure *failure)
{
    memcpy(error_text, failure->text, sizeof error_text);
    return failure->status;
}

const char *quern_last_error(void)
{
    return error_text;
}

const char *quern_version(void)
{
    return QUERN_VERSION_STRING;
}

const char *quern_status_name(quern_status status)
{
    switch (status) {
#define QN_NAME(name, value, text)                                                                 \
    case QUERN_##name: return #name;
        QUERN_STATUS_MAP(QN_NAME)
#undef QN_NAME
    }
    return "UNKNOWN";
}

const char *quern_status_text(quern_status status)
{
    switch (status) {
#define QN_TEXT(name, value, text)                                                                 \
    case QUERN_##name: return text;
        QUERN_STATUS_MAP(QN_TEXT)
#undef QN_TEXT
    }
    return "unknown status";
}
